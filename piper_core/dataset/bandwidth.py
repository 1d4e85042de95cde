"""Up to which frequency a recording holds anything: upsampled and MP3-coded clips stop short of half their rate."""

from __future__ import annotations

import functools

import numpy as np

FFT_SIZE = 512
"""Samples, under a Blackman-Harris window, as NeMo's Speech Data Explorer takes them."""
RANGE_DB = 50.0
"""A clip has nothing at a frequency that is so far below its spectral peak (NeMo)."""
CLIFF_DB = 20.0
"""... but its band ends only where the spectrum falls by that much at once, which no voice's tilt does: within the
window's main lobe and a twelfth of the frequency, the room that resamplers and coders take."""
_LOBE = 4
"""Bins of the main lobe of a Blackman-Harris window."""
_HOP = 2 * FFT_SIZE


def bandwidth_hz(power: np.ndarray, sample_rate: int) -> float | None:
    """The frequency above which there is nothing, from mean power [FFT_SIZE / 2 + 1]; None in silence.

    Half the rate where the spectrum runs on to its end, however steeply.
    """
    peak = float(power[1:].max(initial=0.0))
    if peak <= 0:
        return None
    from piper_core.dataset.signal_pass import steepest_fall

    level_db = 10 * np.log10(np.maximum(power, peak * 1e-15) / peak)
    drop_db, before_db = steepest_fall(level_db, _LOBE, -RANGE_DB)
    if drop_db < CLIFF_DB:
        return sample_rate / 2
    return float(np.flatnonzero(level_db > before_db - drop_db / 2)[-1]) * sample_rate / FFT_SIZE


def frame_spectra(audio: np.ndarray) -> np.ndarray:
    """complex64 [frames, FFT_SIZE / 2 + 1] of float32 audio [N]: every other frame; a shorter clip is one frame."""
    from scipy.fft import rfft

    from piper_core.dataset.signal_pass import windowed

    if audio.size < FFT_SIZE:
        audio = np.pad(audio, (0, FFT_SIZE - audio.size))
    frames = np.empty(((audio.size - FFT_SIZE) // _HOP + 1, FFT_SIZE), np.float32)
    windowed(audio, _window(), _HOP, frames)
    return np.asarray(rfft(frames, axis=1))


def mean_power(spectra: np.ndarray) -> np.ndarray:
    """Mean power [FFT_SIZE / 2 + 1] of the frames' `spectra`."""
    from piper_core.dataset.signal_pass import summed_power

    power = np.empty(FFT_SIZE // 2 + 1)
    summed_power(spectra.view(np.float32), power)
    power /= len(spectra)
    return power


@functools.cache
def _window() -> np.ndarray:
    """Blackman-Harris: side lobes 92 dB down, so that the voice's own leakage fills no empty band."""
    phase = 2 * np.pi * np.arange(FFT_SIZE) / FFT_SIZE
    window = 0.35875 - 0.48829 * np.cos(phase) + 0.14128 * np.cos(2 * phase) - 0.01168 * np.cos(3 * phase)
    return np.asarray(window, np.float32)
