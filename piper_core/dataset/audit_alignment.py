"""Two rows of frames -> which belongs to which: the likeliest path, by dynamic programming (Viterbi 1967; Sakoe & Chiba
1978 for the band that it stays in).

Each frame of the recording is laid beside one of espeak-ng's; from frame to frame the latter moves on by 0 to 3. The
kernel is compiled by numba and lets go of Python's lock.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

_ADVANCE = np.log(np.array([0.18, 0.64, 0.17, 0.01], np.float32)) * 2
"""Nats for moving on by 0, 1, 2, 3 frames. Twice their logs: neighbouring frames are no independent witnesses."""
_BAND = 0.25
_BAND_FRAMES = (6, 300)


def align(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """The best path through the likeness a_i . b_j + c_i + d_j (see `Likeness.terms`), from the first to the last.

    Returns its nats in all, for each i its j (int32 [n]), and the nats of each i (float32 [n]) without the moves.
    """
    least, most = _BAND_FRAMES
    reach = min(most, max(least, round(_BAND * len(b))))
    total, path, nats = _kernel()(a, np.ascontiguousarray(b.T), c, d, _ADVANCE, reach)
    return float(total), path, nats


def stretched(frames: np.ndarray, count: int) -> np.ndarray:
    """`count` frames evenly spread over `frames` [m, features], between two of them by their mean."""
    places = np.linspace(0, len(frames) - 1, count)
    before = np.minimum(places.astype(np.int64), len(frames) - 2)
    share = (places - before).astype(np.float32)[:, None]
    return frames[before] * (1 - share) + frames[before + 1] * share


@functools.cache
def _kernel() -> Callable[..., Any]:
    import numba

    return numba.njit(nogil=True, cache=True)(_best_path)


def _best_path(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, advance: np.ndarray, reach: int
) -> tuple[float, np.ndarray, np.ndarray]:
    """`b` comes transposed [features, m]."""
    n, features = a.shape
    m = b.shape[1]
    width = 2 * reach + 1
    never = np.float32(-1e30)
    came = np.zeros((n, width), np.int8)
    like = np.zeros((n, width), np.float32)
    before = np.full(m, never, np.float32)
    now = np.full(m, never, np.float32)
    for i in range(n):
        first = max(0, int((i + 0.5) / n * m) - reach)
        last = min(m, first + width)
        row = like[i]
        for j in range(first, last):
            row[j - first] = c[i] + d[j]
        for k in range(features):
            weight = a[i, k]
            for j in range(first, last):
                row[j - first] += weight * b[k, j]
        now[:] = never
        for j in range(first, last):
            best, by = never, 0
            for step in range(len(advance)):
                if i == 0:
                    value = advance[step] if step == j else never
                elif j >= step:
                    value = before[j - step] + advance[step]
                else:
                    value = never
                if value > best:
                    best, by = value, step
            now[j] = best + row[j - first]
            came[i, j - first] = by
        before, now = now, before
    j = m - 1
    for end in range(max(0, m - 4), m):
        if before[end] > before[j]:
            j = end
    total = before[j]
    path = np.zeros(n, np.int32)
    nats = np.zeros(n, np.float32)
    for i in range(n - 1, -1, -1):
        first = max(0, int((i + 0.5) / n * m) - reach)
        j = min(max(j, first), min(m, first + width) - 1)
        path[i] = j
        nats[i] = like[i, j - first]
        j = max(0, j - came[i, j - first])
    return total, path, nats
