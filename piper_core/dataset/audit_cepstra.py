"""Speech -> cepstra: what the transcript audit compares, alike for a recording and for espeak-ng's voice.

Davis & Mermelstein 1980 (mel cepstra), Furui 1986 (their slopes over time), Viikki & Laurila 1998 (mean and variance
normalised over the clip, which takes away the microphone and much of the speaker).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

HOP_S = 0.02
"""Seconds from frame to frame: two spectra of 25 ms, 10 ms apart, make a frame."""
CEPSTRA = 20
"""The 0th, which is the level, and 19 that tell the shape of the spectrum."""
FEATURES = 2 * CEPSTRA
TOP_HZ = 7600.0
"""Above it, clips are not compared; clips of a lower rate not above 0.475 of it."""
_MELS = 40
_BOTTOM_HZ = 80.0
_WINDOW_S, _STEP_S = 0.025, 0.01
_SLOPE = 2  # frames to each side
_PAUSE_STEPS = 6  # 60 ms: longer pauses are shortened to it
_FLOOR = 1e-5  # -50 dB, of the clip's mean power in a band: digital silence would outweigh all speech
_MIN_FRAMES = 5
_BLOCK = 4096


@dataclass(frozen=True)
class Cepstra:
    """What is compared of a clip: its pauses are shortened, its edges cut away."""

    frames: np.ndarray
    """float32 [n, FEATURES], each feature of mean 0 and variance 1."""
    times_s: np.ndarray
    """float32 [n]: the middle of each frame in the clip."""


def cepstra(audio: np.ndarray, sample_rate: int, top_hz: float = TOP_HZ) -> Cepstra | None:
    """Cepstra of mono samples [N]; None for a clip of under 0.1 s of sound."""
    spectra, level_db = _log_mel(np.nan_to_num(audio), sample_rate, top_hz)
    if level_db.max(initial=-np.inf) < -90:
        return None
    steps = _heard_steps(level_db)
    pairs = len(steps) // 2
    if pairs < _MIN_FRAMES:
        return None
    steps = steps[: 2 * pairs]
    smooth = spectra[steps].reshape(pairs, 2, _MELS).mean(axis=1)
    shape = _normalised(smooth @ _cosines())
    frames = np.hstack([shape, _normalised(_slopes(shape))])
    times_s = steps.reshape(pairs, 2).mean(axis=1) * _STEP_S + _WINDOW_S / 2
    return Cepstra(frames, times_s.astype(np.float32))


def shared_top_hz(sample_rate: int) -> float:
    """Up to where a clip of `sample_rate` Hz can be compared."""
    return min(TOP_HZ, 0.475 * sample_rate)


def _log_mel(audio: np.ndarray, sample_rate: int, top_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Log mel spectra float32 [steps, mels] and the level of each step in dB."""
    from scipy import fft

    window = round(_WINDOW_S * sample_rate)
    size = fft.next_fast_len(window, real=True)
    bank, shape = _mel_bank(sample_rate, size, top_hz), np.hanning(window + 2)[1:-1].astype(np.float32)
    audio = np.pad(audio.astype(np.float32, copy=False), (0, max(0, window - len(audio))))
    count = int((len(audio) - window) / (_STEP_S * sample_rate)) + 1
    starts = np.minimum(np.round(np.arange(count) * (_STEP_S * sample_rate)).astype(np.int64), len(audio) - window)
    windows = np.lib.stride_tricks.sliding_window_view(audio, window)
    power = np.empty((count, _MELS), np.float32)
    energy = np.empty(count, np.float32)
    padded = np.zeros((min(count, _BLOCK), size), np.float32)
    for first in range(0, count, _BLOCK):  # a long clip in stretches: frames overlap, and all at once would fill memory
        chosen = windows[starts[first : first + _BLOCK]]
        frames = np.multiply(chosen, shape, out=padded[: len(chosen), :window])
        energy[first : first + _BLOCK] = np.einsum("ij,ij->i", frames, frames)
        parts = fft.rfft(padded[: len(chosen)]).view(np.float32)
        np.multiply(parts, parts, out=parts)
        power[first : first + _BLOCK] = (parts[:, ::2] + parts[:, 1::2]) @ bank
    return np.log(power + _FLOOR * power.mean(axis=0) + 1e-12), 10 * np.log10(energy / window + 1e-12)


def _heard_steps(level_db: np.ndarray) -> np.ndarray:
    """The steps that are kept [k]: all but the inside of pauses, and of silence at the edges."""
    low, high = np.percentile(level_db, (5, 95))
    silent = level_db < max(high - 35, min(low + 10, high - 20))
    edges = np.flatnonzero(np.diff(silent, prepend=False, append=False))
    kept = np.ones(len(level_db), bool)
    for start, end in edges.reshape(-1, 2):
        if end - start > _PAUSE_STEPS:
            kept[start + _PAUSE_STEPS // 2 : end - _PAUSE_STEPS // 2] = False
    return np.flatnonzero(kept)


def _normalised(features: np.ndarray) -> np.ndarray:
    centred = features - features.mean(axis=0)
    return (centred / (centred.std(axis=0) + 1e-3)).astype(np.float32)


def _slopes(frames: np.ndarray) -> np.ndarray:
    """The slope of the line through 2 * _SLOPE + 1 frames."""
    padded = np.pad(frames, ((_SLOPE, _SLOPE), (0, 0)), "edge")
    count = len(frames)
    return sum(
        k * (padded[_SLOPE + k : _SLOPE + k + count] - padded[_SLOPE - k : _SLOPE - k + count])
        for k in range(1, _SLOPE + 1)
    ) / (2 * sum(k * k for k in range(1, _SLOPE + 1)))


@functools.cache
def _mel_bank(sample_rate: int, size: int, top_hz: float) -> np.ndarray:
    """Triangles of area 1 [size / 2 + 1, mels], evenly spaced on O'Shaughnessy's mel scale."""
    bottom, top = 2595 * np.log10(1 + np.array([_BOTTOM_HZ, top_hz]) / 700)
    corners = 700 * (10 ** (np.linspace(bottom, top, _MELS + 2) / 2595) - 1)
    hertz = np.fft.rfftfreq(size, 1 / sample_rate)[:, None]
    rising = (hertz - corners[:-2]) / np.diff(corners)[:-1]
    falling = (corners[2:] - hertz) / np.diff(corners)[1:]
    bank = np.maximum(0, np.minimum(rising, falling))
    narrow = np.flatnonzero(bank.sum(axis=0) == 0)  # between two lines of the spectrum: the nearest one
    bank[np.argmin(np.abs(hertz - corners[1:-1][narrow]), axis=0), narrow] = 1
    return (bank / bank.sum(axis=0)).astype(np.float32)


@functools.cache
def _cosines() -> np.ndarray:
    """The discrete cosine transform [mels, CEPSTRA], orthonormal."""
    angles = np.pi / _MELS * (np.arange(_MELS)[:, None] + 0.5) * np.arange(CEPSTRA)
    scale = np.full(CEPSTRA, np.sqrt(2 / _MELS))
    scale[0] = np.sqrt(1 / _MELS)
    return (np.cos(angles) * scale).astype(np.float32)
