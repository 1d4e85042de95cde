"""A measurement along the recording: its level, its spread, and where it steps to another level."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from pages.components.theme import ACCENT, POINT_OPACITY, SECOND, apply_theme
from piper_core.dataset.change_points import ChangePoint

MOST_POINTS = 1200
"""More clips than that are drawn as an envelope."""
_STRETCHES = 400
_SYMBOLS = ("circle", "triangle-down", "triangle-up")
"""In its place; below the picture; above it."""
_FENCE_IQRS = 8
_MOST_LABELS = 6


def along_recording(
    values: Sequence[float] | np.ndarray,
    steps: Sequence[ChangePoint],
    ids: Sequence[str],
    *,
    title: str,
    unit: str,
    step_unit: str,
) -> go.Figure:
    """`values` [N] in recording order, each level between `steps` as a line, and the steps' sizes in `step_unit`.

    A value far off is drawn at the edge, as a triangle. Many clips become stretches of neighbours: the median of each
    as a line in a band from its least to its greatest.
    """
    numbers = np.asarray(values, dtype=float)
    figure = go.Figure()
    lowest, highest = _fences(numbers)
    if numbers.size <= MOST_POINTS:
        known = np.flatnonzero(np.isfinite(numbers))
        beyond = (numbers[known] < lowest).astype(int) + 2 * (numbers[known] > highest)
        figure.add_scatter(
            x=(known + 1).astype(np.int32),
            y=np.round(np.clip(numbers[known], lowest, highest), 2).astype(np.float32),
            text=[f"{ids[int(at)]}: {numbers[at]:.2f}" for at in known],
            mode="markers",
            name="clips",
            marker={
                "color": ACCENT,
                "size": 6,
                "opacity": POINT_OPACITY,
                "symbol": [_SYMBOLS[side] for side in beyond],
            },
            hovertemplate="clip %{x}, %{text} " + unit + "<extra></extra>",
        )
    else:
        _envelope(figure, np.clip(numbers, lowest, highest), unit)
    _levels(figure, numbers, steps, unit, step_unit)
    apply_theme(figure, title, height=260)
    figure.update_xaxes(title_text="clip, in recording order", range=[0, numbers.size + 1], showgrid=False)
    figure.update_yaxes(title_text=unit)
    return figure.update_layout(showlegend=False, dragmode=False)


def _fences(numbers: np.ndarray) -> tuple[float, float]:
    """The lowest and highest value that is drawn in its place: digital silence at -200 dB would flatten the rest."""
    known = numbers[np.isfinite(numbers)]
    if not known.size:
        return 0.0, 1.0
    low, high = np.quantile(known, [0.25, 0.75])
    reach = _FENCE_IQRS * (high - low)
    return (float(low - reach), float(high + reach)) if reach > 0 else (float(known.min()), float(known.max()))


def _envelope(figure: go.Figure, numbers: np.ndarray, unit: str) -> None:
    edges = np.linspace(0, numbers.size, _STRETCHES + 1).astype(int)
    parts = [part[np.isfinite(part)] for part in np.split(numbers, edges[1:-1])]
    known = [i for i, part in enumerate(parts) if part.size]
    x = np.array([(edges[i] + edges[i + 1]) // 2 + 1 for i in known], dtype=np.int32)
    low, middle, high = (
        np.array([round(float(of(parts[i])), 2) for i in known], dtype=np.float32) for of in (np.min, np.median, np.max)
    )
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    figure.add_scatter(x=x, y=low, name="least", **edge)
    figure.add_scatter(x=x, y=high, name="greatest", fill="tonexty", fillcolor="rgba(31,138,158,0.25)", **edge)
    figure.add_scatter(
        x=x,
        y=middle,
        customdata=np.stack([low, high], axis=1) if known else None,
        mode="lines",
        name="median",
        line={"color": ACCENT, "width": 1.5},
        hovertemplate="about clip %{x}: median %{y} " + unit + ", %{customdata[0]} to %{customdata[1]}<extra></extra>",
    )


def _levels(figure: go.Figure, numbers: np.ndarray, steps: Sequence[ChangePoint], unit: str, step_unit: str) -> None:
    """A line at each level, and a mark where one ends and the next begins."""
    if not steps:
        return
    starts = [0, *(step.index for step in steps)]
    ends = [*(step.index for step in steps), numbers.size]
    levels = [steps[0].before, *(step.after for step in steps)]
    x = [at for start, end in zip(starts, ends, strict=True) for at in (start + 1, end, None)]
    y = [at for level in levels for at in (round(level, 2), round(level, 2), None)]
    figure.add_scatter(
        x=x,
        y=y,
        mode="lines",
        name="level",
        line={"color": SECOND, "width": 2.5},
        hovertemplate="level %{y} " + unit + "<extra></extra>",
    )
    # Many labels would lie over each other: then the largest steps alone have one.
    labelled = sorted(steps, key=lambda step: -abs(step.change))[:_MOST_LABELS]
    # All marks at once: one at a time, each is checked by Plotly together with all before it.
    line = {"color": SECOND, "width": 1, "dash": "dot"}
    figure.update_layout(
        shapes=[
            {"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "yref": "y domain", "line": line}
            for at in (step.index + 0.5 for step in steps)
        ],
        annotations=[
            {
                "x": step.index + 0.5,
                "y": 1,
                "yref": "y domain",
                "yanchor": "bottom",
                "xanchor": "right" if step.index > 0.9 * numbers.size else "center",
                "showarrow": False,
                "text": f"{step.change:+.1f} {step_unit}",
                "font": {"size": 11, "color": SECOND},
            }
            for step in steps
            if step in labelled
        ],
    )
