"""How far a clip lies above its own noise floor, told from the quietest moments of each frequency band.

Speech fills no band all the time, even in a clip that was cut so closely that it holds no silence. What each band keeps
in its quietest frames is the noise.
Source: R. Martin, "Noise Power Spectral Density Estimation Based on Optimal Smoothing and Minimum Statistics", 2001;
here with a quantile for the minimum.
"""

from __future__ import annotations

import functools
import math

import numpy as np

QUIETEST = 0.1
"""Share of the frames, in each band."""
BANDS = 16
FIRST_BIN = 4
"""Below it the window spreads what is no sound: an offset of the waveform."""
BIAS_DB = -3.1
"""The quietest frames of steady noise lie below its mean: measured on white noise at 10 dB under speech."""
HIGHEST_DB = 100.0


def floor_snr_db(spectra: np.ndarray) -> float | None:
    """Decibels of all frames' mean power above the noise floor, from `spectra` [frames, bins]; None in silence.

    Frames of exact zeros are left out: nothing records them.
    """
    from piper_core.dataset.signal_pass import band_power, floor_power

    bands = np.empty((len(spectra), BANDS), np.float32)
    band_power(spectra.view(np.float32), _starts(spectra.shape[1]), bands)
    frames, total, floor = floor_power(bands, QUIETEST)
    if not frames:
        return None
    if floor <= 0:
        return HIGHEST_DB
    return min(HIGHEST_DB, 10 * math.log10(total / frames / floor) + BIAS_DB)


@functools.cache
def _starts(bins: int) -> np.ndarray:
    """The first bin of each band, and the one after the last."""
    return np.linspace(FIRST_BIN, bins, BANDS + 1).astype(np.int64)
