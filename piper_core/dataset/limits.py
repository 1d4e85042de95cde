"""Columns and a table of limits -> which clips cross which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from piper_core.dataset.checks import Check, Limit, limits_of
from piper_core.dataset.clip_columns import Columns

_KNOWN_IN_SILENCE = frozenset(
    {"non-finite", "silent", "sample-rate", "channels", "bit-depth", "duration", "unknown-phoneme"}
)
"""Codes that still say something of a clip in which nothing is heard."""


@dataclass(frozen=True)
class Crossing:
    """The clips on the wrong side of one limit."""

    limit: Limit
    threshold: float
    """In force for this set: the limit's value, or the set's fence where that lies further out."""
    clips: np.ndarray
    """Indices [n], ascending."""
    values: np.ndarray
    """Their measure [n]."""


def in_force(limit: Limit, values: np.ndarray) -> float:
    """The value of `limit` among `values` of its measure; NaN where it is switched off: nothing crosses that."""
    if limit.value is None:
        return np.nan
    if limit.fence_iqr is None:
        return limit.value
    known = values[np.isfinite(values)]
    if not known.size:
        return limit.value
    low, middle, high = np.percentile(known, (25, 50, 75))
    # A tenth of clips from another voice widens the side that they lie on: the narrower half speaks for both.
    half = min(high - middle, middle - low)
    reach = half * (1 + 2 * limit.fence_iqr)
    return max(limit.value, float(middle + reach)) if limit.side == "above" else min(limit.value, float(middle - reach))


def beyond(limit: Limit, values: np.ndarray, threshold: float) -> np.ndarray:
    """Which of `values` are on the wrong side of `threshold` [clips]; those that are not known are on none."""
    with np.errstate(invalid="ignore"):
        return values > threshold if limit.side == "above" else values < threshold


def crossings(columns: Columns, checks: Mapping[str, Check]) -> list[Crossing]:
    """Every limit of a clip that some clip crosses. A clip crosses one limit a code, the worst."""
    found: list[Crossing] = []
    silent = np.zeros(columns["duration_s"].size, bool)
    if "silent" in checks:
        for limit in checks["silent"].limits:
            silent |= beyond(limit, columns[limit.measure], in_force(limit, columns[limit.measure]))
    told: dict[str, np.ndarray] = {}
    for limit in limits_of(checks).values():
        if limit.of_set:
            continue
        values = columns[limit.measure]
        threshold = in_force(limit, values)
        crossed = beyond(limit, values, threshold)
        if limit.code not in _KNOWN_IN_SILENCE:
            crossed &= ~silent
        if limit.code in told:
            crossed &= ~told[limit.code]
        if crossed.any():
            told[limit.code] = told[limit.code] | crossed if limit.code in told else crossed
            clips = np.flatnonzero(crossed)
            found.append(Crossing(limit, threshold, clips, values[clips]))
    return found
