"""Integrated loudness of a mono signal by ITU-R BS.1770-4, checked against the standard's own reference signal."""

from __future__ import annotations

import functools
import math

import numpy as np

BLOCK_S = 0.4
"""A gating block; shorter clips have no integrated loudness."""
_OVERLAP = 0.75
_HOPS = 4  # that make a block
_LEAST_RATE_HZ = 4000  # the shelf of the K-weighting rises about 1.7 kHz: it needs a band to rise in
_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0
_OFFSET_LU = -0.691  # of equation 2: makes a 997 Hz sine at 0 dBFS in one channel read -3.01 LUFS


def integrated_loudness(audio: np.ndarray, sample_rate: int) -> float | None:
    """Loudness in LUFS of float32 samples [N]; None below 0.4 s, below 4 kHz, and where every block is below the gates.

    Source: ITU-R BS.1770-4, annex 1: K-weighting, mean square of 400 ms blocks that overlap by 75 %, gated at
    -70 LUFS and then at 10 LU below the mean of what is left.
    """
    if sample_rate < _LEAST_RATE_HZ:
        return None
    hop = round(BLOCK_S * (1 - _OVERLAP) * sample_rate)
    hops = audio.size // hop
    if hops < _HOPS:
        return None
    from piper_core.dataset.signal_pass import filtered_energy

    energy = np.empty(hops)
    filtered_energy(np.ascontiguousarray(audio, np.float32), _k_weighting(sample_rate), hop, energy)
    power = energy[:-3] + energy[1:-2] + energy[2:-1] + energy[3:]
    power /= _HOPS * hop
    power = power[power > _power(_ABSOLUTE_GATE_LUFS)]
    if power.size == 0:
        return None
    power = power[power > float(power.sum()) / power.size * 10 ** (_RELATIVE_GATE_LU / 10)]
    return _OFFSET_LU + 10 * math.log10(float(power.sum()) / power.size)


def _power(loudness_lufs: float) -> float:
    return 10 ** ((loudness_lufs - _OFFSET_LU) / 10)


@functools.cache
def _k_weighting(sample_rate: int) -> np.ndarray:
    """Second-order sections [2, 6]: the head's shelf and the high-pass of BS.1770-4, tables 1 and 2.

    The standard gives coefficients at 48 kHz only; these are the analogue filters behind them (as in libebur128),
    carried to `sample_rate` by the bilinear transform. At 48 kHz they are the standard's to ten digits.
    """
    k = math.tan(math.pi * 1681.974450955533 / sample_rate)
    q, gain = 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    band = gain**0.4996667741545416
    norm = 1 + k / q + k * k
    shelf = [
        (gain + band * k / q + k * k) / norm, 2 * (k * k - gain) / norm, (gain - band * k / q + k * k) / norm,
        1.0, 2 * (k * k - 1) / norm, (1 - k / q + k * k) / norm,
    ]  # fmt: skip
    k, q = math.tan(math.pi * 38.13547087602444 / sample_rate), 0.5003270373238773
    norm = 1 + k / q + k * k
    high_pass = [1.0, -2.0, 1.0, 1.0, 2 * (k * k - 1) / norm, (1 - k / q + k * k) / norm]
    return np.array([shelf, high_pass])
