"""How high a voice speaks in a clip: the median of its fundamental frequency, cheap enough for every clip.

Autocorrelation of frames, corrected for the window, with a small price for each octave down: P. Boersma, "Accurate
short-term analysis of the fundamental frequency ...", IFA Proceedings 17, 1993. A median needs no path through the
candidates; octave errors are kept out by a second choice near the median of the first (after De Looze and Hirst, 2008).
"""

from __future__ import annotations

import functools

import numpy as np

LOWEST_HZ, HIGHEST_HZ = 60.0, 500.0
"""Where voices are looked for: from a low man's to a child's."""
VOICED = 0.7
"""Least strength of a frame's peak, of 1 for a perfectly periodic one (Praat asks for 0.45, and follows a path)."""
_OCTAVE_COST = 0.05
_SILENCE_DB = -17.0  # of a frame, relative to the loudest
_ANALYSIS_HZ = 4400
_WINDOW_S, _HOP_S = 0.060, 0.020
_FFT_SIZE = 512
_NEAR = (0.6, 1.7)
_LEAST_FRAMES = 5


def median_pitch(audio: np.ndarray, sample_rate: int) -> float | None:
    """Median fundamental frequency in Hz of the voiced frames of float32 mono audio [N].

    None where fewer than five frames (0.1 s) are voiced: whispers, noise, silence, and clips shorter than a window.
    `audio.measure_with_pitch` gives it beside the other measurements, from the same decode.
    """
    _, pitch_hz = voiced_pitch(audio, sample_rate)
    return float(np.median(pitch_hz)) if pitch_hz.size >= _LEAST_FRAMES else None


def voiced_pitch(audio: np.ndarray, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Times in seconds of the middles of the voiced frames of float32 mono audio [N], and their pitch in Hz."""
    none = np.zeros(0), np.zeros(0)
    low, rate = _decimated(np.nan_to_num(np.asarray(audio, np.float32), posinf=0, neginf=0), sample_rate)
    window, hop = round(_WINDOW_S * rate), round(_HOP_S * rate)
    if low.size < window:
        return none
    frames = np.lib.stride_tricks.sliding_window_view(low, window)[::hop]
    frames = frames - frames.mean(axis=1, keepdims=True)
    power = np.einsum("ij,ij->i", frames, frames)
    loudest = float(power.max())
    if not loudest > 1e-10 * window:
        return none
    heard = np.flatnonzero(power > loudest * 10 ** (_SILENCE_DB / 10))
    shortest, longest = round(rate / HIGHEST_HZ), round(rate / LOWEST_HZ)
    strength = _autocorrelation(frames[heard], longest + 2)
    lags = np.arange(shortest, longest + 1)
    at, top, shift = _peaks(strength[:, shortest - 1 : longest + 2])
    scores = np.where(at, top - _OCTAVE_COST * np.log2(lags / shortest, dtype=np.float32), -1)
    voiced, best = _best(scores, top)
    if not voiced.size:
        return none
    middle = float(np.median(lags[best]))
    near = (lags >= middle * _NEAR[0]) & (lags <= middle * _NEAR[1])
    voiced, best = _best(np.where(near, scores, -1), top)
    return (heard[voiced] * hop + window / 2) / rate, rate / (lags[best] + shift[voiced, best])


def _peaks(strength: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the inner lags of [frames, lags + 2]: whether each is a peak, its height and place between the lags.

    A parabola through three lags: without it a peak between two lags loses against its own octave on a lag.
    """
    before, at, after = strength[:, :-2], strength[:, 1:-1], strength[:, 2:]
    curve = np.minimum(before - 2 * at + after, np.float32(-1e-9))
    slope = before - after
    peak = (at >= before) & (at > after)
    return peak, np.where(peak, at - slope * slope / (8 * curve), 0), np.where(peak, slope / (2 * curve), 0)


def _best(scores: np.ndarray, top: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of the frames [frames, lags] are voiced, and the best peak of each."""
    rows, best = np.arange(len(scores)), scores.argmax(axis=1)
    voiced = np.flatnonzero((scores[rows, best] > -1) & (top[rows, best] >= VOICED))
    return voiced, best[voiced]


def _autocorrelation(frames: np.ndarray, lags: int) -> np.ndarray:
    """Normalised autocorrelation [frames, lags] of frames [frames, window], as if they had no window (Boersma)."""
    import scipy.fft

    window, of_window = _window(frames.shape[1])
    spectra = scipy.fft.rfft(frames * window, _FFT_SIZE, axis=1)
    power = spectra.real**2 + spectra.imag**2
    correlation = scipy.fft.irfft(power, _FFT_SIZE, axis=1)[:, :lags]
    return np.asarray(correlation / (correlation[:, :1] * of_window[:lags]))


@functools.cache
def _window(size: int) -> tuple[np.ndarray, np.ndarray]:
    """A Hann window [size] and its own autocorrelation, 1 at lag 0."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(size) + 0.5) / size)
    correlation = np.correlate(window, window, "full")[size - 1 :]
    return window.astype(np.float32), (correlation / correlation[0]).astype(np.float32)


def _decimated(audio: np.ndarray, sample_rate: int) -> tuple[np.ndarray, float]:
    """Audio at about 4.4 kHz, low-passed at 1.2 kHz, and its rate: by a whole factor, which any rate has near it."""
    from scipy.signal import upfirdn

    factor = max(1, round(sample_rate / _ANALYSIS_HZ))
    if factor == 1 or not audio.size:
        return audio, float(sample_rate)
    delay = 4  # in samples of the low rate: half of the taps
    return np.asarray(upfirdn(_low_pass(factor, sample_rate), audio, 1, factor))[delay:], sample_rate / factor


@functools.cache
def _low_pass(factor: int, sample_rate: int) -> np.ndarray:
    """Taps [8 factor + 1] of a windowed sinc."""
    time = np.arange(-4 * factor, 4 * factor + 1)
    taps = np.sinc(2 * 1200 / sample_rate * time) * np.hanning(8 * factor + 3)[1:-1]
    return np.asarray(taps / taps.sum(), np.float32)
