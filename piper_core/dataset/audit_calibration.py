"""Costs of a set -> costs for which one limit holds, however noisy the set is.

Noise and rooms move the costs of right texts towards 0, those of wrong ones hardly. Where wrong ones lie is measured:
clips are also held against texts of other clips. Where right ones lie is seen in the costs below those. The set's own
limit is where right texts end, or where wrong ones begin if that is lower. If it lies above the limit that all sets
share, costs are moved so that the shared limit is there; the order stays, and so do costs that say "unrelated".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

DOUBTFUL = -0.5
"""Nats a frame: the limit of a warning (`checks`); a set's own is never lower."""
UNRELATED = 0.5
"""The limit of an error: from here on costs stay what they are."""
FEWEST_CLIPS = 30
"""Of fewer clips too little is known to move their costs: with 18, some wrong texts were then missed."""
_HIGHEST = 0.25  # a set's own limit, so that some room is left below `UNRELATED`
_RIGHT_END, _WRONG_BEGIN = 2.5, 3.0  # standard deviations from their middles
_LEAST_RIGHT = 0.1  # of a set: with fewer, what right texts cost in it is not known
_QUARTILE = 0.6745  # standard deviations from a Gaussian's middle to its quartile


def limit_of(costs: Sequence[float], foreign: Sequence[float]) -> float:
    """The set's own limit, from the `costs` of its clips' own texts and those of `foreign` ones; at least `DOUBTFUL`.

    It is `DOUBTFUL` too where it can't be told: in a set of few clips, and in one with hardly a right text.
    """
    own, other = np.asarray(costs), np.asarray(foreign)
    if len(own) < FEWEST_CLIPS or len(other) < FEWEST_CLIPS:
        return DOUBTFUL
    lower, middle, upper = np.percentile(other, (25, 50, 75))
    # Some foreign texts may be the right ones of mistaken clips: they can only widen this, on the safe side.
    begin = middle - _WRONG_BEGIN * max(middle - lower, upper - middle) / _QUARTILE
    right = own[own < begin]
    if len(right) < _LEAST_RIGHT * len(own):
        return DOUBTFUL
    lower, middle, upper = np.percentile(right, (25, 50, 75))
    # A fifth of half wrong texts widens the half that it lies in: the narrower one speaks for both, as in `limits`.
    end = middle + _RIGHT_END * min(middle - lower, upper - middle) / _QUARTILE
    return float(np.clip(min(begin, end), DOUBTFUL, _HIGHEST))


def calibrated(cost: float, limit: float) -> float:
    """`cost` of a set whose own limit is `limit`, on the scale where that is `DOUBTFUL`."""
    if limit <= DOUBTFUL or cost >= UNRELATED:
        return cost
    if cost <= limit:
        return cost + DOUBTFUL - limit
    return DOUBTFUL + (cost - limit) / (UNRELATED - limit) * (UNRELATED - DOUBTFUL)
