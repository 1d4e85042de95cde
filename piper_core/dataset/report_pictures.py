"""Small pictures for the HTML report: histograms as SVG, drawn here so that the page needs no script and no network."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from html import escape

BARS = 30
_WIDTH, _HEIGHT, _BASE = 300, 90, 70  # px: the axis' numbers stand beneath the base
_SHARE = 0.005
"""Of the clips, at either end: bars of their own, so that one clip of an hour doesn't flatten all others."""


def histogram(values: Iterable[float | None], title: str, unit: str) -> str:
    """`values` as an SVG figure with its title, median and ends; nothing where fewer than two are known."""
    known = sorted(value for value in values if value is not None and math.isfinite(value))
    if len(known) < 2:
        return ""
    low, high = known[int(_SHARE * len(known))], known[math.ceil((1 - _SHARE) * len(known)) - 1]
    if high <= low:
        low, high = known[0] - 0.5, known[-1] + 0.5
    counts = [0] * BARS
    for value in known:
        counts[min(BARS - 1, max(0, int(BARS * (value - low) / (high - low))))] += 1
    most, bar = max(counts), _WIDTH / BARS
    bars = "".join(
        f'<rect x="{index * bar:.1f}" y="{_BASE * (1 - count / most):.1f}" width="{bar - 1:.1f}"'
        f' height="{_BASE * count / most:.1f}"/>'
        for index, count in enumerate(counts)
        if count
    )
    middle = statistics.median(known)
    at = _WIDTH * min(1.0, max(0.0, (middle - low) / (high - low)))
    told = f"{title}: from {_short(known[0])} to {_short(known[-1])} {unit}, median {_short(middle)} {unit}"
    return (
        f'<figure><figcaption>{escape(title)}, {escape(unit)}</figcaption><svg viewBox="0 0 {_WIDTH} {_HEIGHT}"'
        f' role="img" aria-label="{escape(told)}"><title>{escape(told)}</title><g class="bars">{bars}</g>'
        f'<line x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{_BASE}"/>'
        f'<text x="0" y="{_HEIGHT - 4}">{_short(low)}</text>'
        f'<text x="{at:.1f}" y="{_HEIGHT - 4}" text-anchor="middle">{_short(middle)}</text>'
        f'<text x="{_WIDTH}" y="{_HEIGHT - 4}" text-anchor="end">{_short(high)}</text></svg></figure>\n'
    )


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
