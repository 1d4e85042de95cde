"""Where a measurement steps to another level along the clips: another microphone, room, distance or setting.

Seeded binary segmentation (Kovács, Bühlmann, Li, Munk: Biometrika 110, 2023) looks for one step in each of a fixed
family of intervals, O(n log n); of those that are significant the narrowest is taken first (Baranowski, Chen,
Fryzlewicz: JRSS B 81, 2019). Robust throughout: outliers are pulled in before, and levels are medians.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_MAX_POINTS = 2048
"""Longer sequences are looked at in blocks, each its median; the step is then placed to the clip."""
_DECAY = 2**-0.5
"""Each layer's intervals are that much shorter than those above (Kovács et al., section 2)."""
_TUKEY = 3.0
"""Values further from their surroundings than that many robust sigmas are pulled in."""
_MAD = 1.4826  # MAD of a normal distribution -> its sigma
_WINDOW = 7  # values that an outlier is judged among


@dataclass(frozen=True)
class ChangePoint:
    """A step from one level to another."""

    index: int
    """The first value of the new level, counted in all values, gaps among them."""
    before: float
    """Median from the last step to this one."""
    after: float
    """Median from this step to the next."""
    sigmas: float
    """The step's size, in robust sigmas (MAD) of the values about their levels. Signed, as `change`."""

    @property
    def change(self) -> float:
        """`after` less `before`."""
        return self.after - self.before


def change_points(
    values: Sequence[float] | np.ndarray, *, least_change: float = 0.0, least_sigmas: float = 1.5, least_values: int = 8
) -> list[ChangePoint]:
    """The steps in `values` [N], in their order; what is not finite is a gap.

    A step is told when it is significant, parts levels by `least_change` (in the values' unit) and by `least_sigmas`,
    and both levels last for `least_values` values.
    """
    numbers = np.asarray(values, dtype=float)
    places = np.flatnonzero(np.isfinite(numbers))
    known = numbers[places]
    if known.size < 2 * least_values or not np.ptp(known):
        return []
    tame = _without_outliers(known)
    block = -(-tame.size // _MAX_POINTS)
    shortest = max(2, -(-least_values // block))
    starts = np.arange(0, tame.size, block)
    blocks = tame if block == 1 else np.array([np.median(tame[at : at + block]) for at in starts])
    steps = [_placed(tame, int(step) * block, block) for step in _significant(blocks, shortest)]
    steps = _worth_telling(known, steps, least_change, least_sigmas, least_values)
    spread = _spread_about_levels(known, steps)
    levels = [float(np.median(part)) for part in np.split(known, steps)]
    return [
        ChangePoint(int(places[step]), before, after, (after - before) / spread)
        for step, before, after in zip(steps, levels[:-1], levels[1:], strict=True)
    ]


def _without_outliers(values: np.ndarray) -> np.ndarray:
    """`values`, those far from the median of their surroundings pulled in to its edge."""
    half = _WINDOW // 2
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, half, mode="edge"), _WINDOW)
    middle = np.median(windows, axis=1)
    sigma = _noise(values)
    return np.clip(values, middle - _TUKEY * sigma, middle + _TUKEY * sigma)


def _noise(values: np.ndarray) -> float:
    """Sigma by the MAD of successive differences, which steps between levels hardly touch."""
    differences = np.diff(values)
    mad = float(np.median(np.abs(differences - np.median(differences))))
    return _MAD * mad / 2**0.5 or float(np.std(differences)) / 2**0.5 or 1e-9


def _significant(values: np.ndarray, shortest: int) -> list[int]:
    """Steps by CUSUM in seeded intervals, the narrowest first, none within another one's interval."""
    n = values.size
    sums = np.concatenate([[0.0], np.cumsum(values - values.mean())])
    # Under no change the greatest of n CUSUMs stays near sqrt(2 log n) sigmas; 1.3 leaves room for a slow drift.
    threshold = 1.3 * (2 * np.log(n)) ** 0.5 * _noise(values)
    found: list[tuple[int, float, int, int, int]] = []
    for start, end in _intervals(n, 2 * shortest):
        steps = np.arange(start + shortest, end - shortest + 1)
        left, right = steps - start, end - steps
        mean_left = (sums[steps] - sums[start]) / left
        mean_right = (sums[end] - sums[steps]) / right
        cusum = np.abs(mean_right - mean_left) * np.sqrt(left * right / (end - start))
        best = int(cusum.argmax())
        if cusum[best] > threshold:
            found.append((end - start, -float(cusum[best]), int(steps[best]), start, end))
    taken: list[int] = []
    for _, _, step, start, end in sorted(found):
        if not any(start < other < end for other in taken):
            taken.append(step)
    return sorted(taken)


def _intervals(n: int, shortest: int) -> list[tuple[int, int]]:
    """The seeded intervals of a sequence of `n`: in each layer of one length, each overlapping the next by half."""
    intervals = {(0, n)}
    length = float(n)
    while length >= shortest:
        count = 2 * int(np.ceil(n / length)) - 1
        shift = (n - length) / max(count - 1, 1)
        intervals |= {
            (int(np.floor(i * shift)), min(n, int(np.ceil(i * shift + length)))) for i in range(max(count, 1))
        }
        length *= _DECAY
    return [(start, end) for start, end in intervals if end - start >= shortest]


def _placed(values: np.ndarray, about: int, block: int) -> int:
    """The split near `about` with the least squared error: the clip itself, not only its block."""
    if block == 1:
        return about
    start, end = max(0, about - 4 * block), min(values.size, about + 4 * block)
    part = values[start:end]
    sums = np.concatenate([[0.0], np.cumsum(part)])
    left = np.arange(1, part.size)
    gain = sums[left] ** 2 / left + (sums[-1] - sums[left]) ** 2 / (part.size - left)
    return start + int(left[gain.argmax()])


def _worth_telling(
    values: np.ndarray, steps: list[int], least_change: float, least_sigmas: float, least_values: int
) -> list[int]:
    """`steps` without the small ones: the least goes first, and its levels are joined before the next is judged."""
    steps = sorted(dict.fromkeys(steps))
    while steps:
        levels = [float(np.median(part)) for part in np.split(values, steps)]
        edges = [0, *steps, values.size]
        least = max(least_change, least_sigmas * _spread_about_levels(values, steps))
        strengths = [
            0.0
            if min(edges[i + 1] - edges[i], edges[i + 2] - edges[i + 1]) < least_values
            else abs(levels[i + 1] - levels[i])
            for i in range(len(steps))
        ]
        weakest = int(np.argmin(strengths))
        if strengths[weakest] >= least:
            break
        del steps[weakest]
    return steps


def _spread_about_levels(values: np.ndarray, steps: list[int]) -> float:
    """Robust sigma of the values about the median of their stretch."""
    deviations = np.concatenate([np.abs(part - np.median(part)) for part in np.split(values, steps)])
    return _MAD * float(np.median(deviations)) or float(np.mean(deviations)) or 1e-9
