"""Signal-to-noise ratio of speech from the spread of its amplitudes alone: WADA-SNR.

Source: C. Kim, R. M. Stern, "Robust Signal-to-Noise Ratio Estimation Based on Waveform Amplitude Distribution
Analysis", Interspeech 2008. Clean speech has amplitudes of a gamma distribution with shape 0.4; noise is taken as
Gaussian. G = ln E|z| - E ln|z| of their sum then depends on their ratio alone.
"""

from __future__ import annotations

import functools
import math

import numpy as np

SPEECH_SHAPE = 0.4
SNR_RANGE_DB = (-20, 100)
_STEPS_A_DB = 8
_EULER = 0.5772156649015329


def snr_db(mean_magnitude: float, mean_log_magnitude: float) -> float | None:
    """Decibels within `SNR_RANGE_DB`, from the mean of |z| and of ln|z| over samples other than zero.

    None where every sample has one magnitude (no speech has), or there are none.
    """
    if mean_magnitude <= 0:
        return None
    spread = math.log(mean_magnitude) - mean_log_magnitude
    if spread <= 1e-9:
        return None
    low, high = SNR_RANGE_DB
    return float(np.interp(spread, spread_by_snr(), np.arange(low, high + 1)))


@functools.cache
def spread_by_snr() -> np.ndarray:
    """G for each whole decibel of `SNR_RANGE_DB`, by integration over the speech's amplitudes.

    The integral runs over ln s, s the amplitude in units of the noise's standard deviation: a ratio then is a shift.
    The trapezoidal rule converges geometrically on it, both ends being zero.
    """
    step = math.log(10) / 20 / _STEPS_A_DB
    log_amplitude = np.arange(-460 * _STEPS_A_DB, 160 * _STEPS_A_DB) * step
    # Gamma density of unit power: E s^2 = shape (shape + 1) / rate^2 = 1.
    rate = math.sqrt(SPEECH_SHAPE * (SPEECH_SHAPE + 1))
    table = []
    amplitude = np.exp(log_amplitude)
    magnitude, log_magnitude = _mean_magnitude(amplitude), _mean_log_magnitude(amplitude)
    for ratio_db in range(SNR_RANGE_DB[0], SNR_RANGE_DB[1] + 1):
        scaled = rate * amplitude * 10 ** (-ratio_db / 20)
        weight = np.exp(SPEECH_SHAPE * np.log(scaled) - scaled)
        weight /= weight.sum()
        table.append(math.log(float(weight @ magnitude)) - float(weight @ log_magnitude))
    return np.array(table)


def _mean_magnitude(amplitude: np.ndarray) -> np.ndarray:
    """E|s + n| for each s of `amplitude`, n of the standard normal distribution: the folded normal's mean."""
    error = np.array([math.erf(s / math.sqrt(2)) for s in amplitude])
    return math.sqrt(2 / math.pi) * np.exp(-(amplitude**2) / 2) + amplitude * error


def _mean_log_magnitude(amplitude: np.ndarray) -> np.ndarray:
    """E ln|s + n|: (s + n)^2 is noncentral chi-square of one degree of freedom.

    That is a Poisson mixture of central ones, of which E ln X = ln 2 + digamma(degrees / 2). Beyond 8 standard
    deviations the expansion of ln|s + n| in n / s is exact to 1e-7.
    """
    log_s = np.log(amplitude)
    far = amplitude > 8
    s2 = np.where(far, amplitude, 1.0) ** 2
    result = log_s - 1 / (2 * s2) - 3 / (4 * s2**2) - 5 / (2 * s2**3) - 105 / (8 * s2**4)
    mean = amplitude[~far] ** 2 / 2
    digamma = -_EULER - 2 * math.log(2)  # of 1/2
    poisson, total = np.exp(-mean), np.zeros_like(mean)
    for k in range(160):
        total += poisson * digamma
        digamma += 1 / (k + 0.5)
        poisson = poisson * mean / (k + 1)
    result[~far] = (math.log(2) + total) / 2
    return result
