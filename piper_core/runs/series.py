"""A series of a chart: points by step, thinned as they come so that a run of any length takes little memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Steps, ascending, and values: shapes [M]."""


def thin(steps: NDArray[np.int64], values: NDArray[np.float64], max_points: int) -> Points:
    """At most `max_points` (4 or more) of the points: the least and the greatest of each of equal stretches of steps,
    and the first and the last of all. Shapes [N] -> [M]; `steps` ascend, `values` are finite."""
    if len(steps) <= max_points:
        return steps, values
    stretches = (max_points - 2) // 2
    edges = np.linspace(float(steps[0]), float(steps[-1]) + 1, stretches + 1)[:-1]
    starts = np.unique(np.searchsorted(steps, edges))
    starts = starts[starts < len(steps)]  # a stretch after the last step, where steps are fewer than stretches
    lengths = np.diff(starts, append=len(steps))
    chosen = [np.array([0, len(steps) - 1])]
    for extreme in (np.minimum, np.maximum):
        hits = np.flatnonzero(values == np.repeat(extreme.reduceat(values, starts), lengths))
        chosen.append(hits[np.searchsorted(hits, starts)])  # the first hit in each stretch
    kept = np.unique(np.concatenate(chosen))
    return steps[kept], values[kept]


class Series:
    """Points of one name. Holds at most twice `capacity`, then thins itself to `capacity`."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._steps = np.empty(0, np.int64)
        self._values = np.empty(0)

    def extend(self, steps: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Add points, shapes [N], whose steps ascend and go on from those that are there."""
        self._steps = np.concatenate([self._steps, steps])
        self._values = np.concatenate([self._values, values])
        if len(self._steps) > 2 * self._capacity:
            self._steps, self._values = thin(self._steps, self._values, self._capacity)

    def drop_from(self, step: int) -> None:
        """Forget the points from `step` on."""
        kept = int(np.searchsorted(self._steps, step))
        self._steps, self._values = self._steps[:kept], self._values[:kept]

    def thinned(self, max_points: int) -> Points:
        """At most `max_points` of them; see `thin`."""
        return thin(self._steps, self._values, max_points)
