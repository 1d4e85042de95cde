"""Linear and mel spectrograms, number for number those that Piper trains on."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

POWER_FLOOR = 1e-6
"""Added to the power before the root, whose gradient at 0 is infinite."""
MEL_FLOOR = 1e-5
"""Least mel magnitude that the logarithm is taken of."""


def linear_spectrogram(audio: Tensor, n_fft: int = 1024, hop: int = 256, win: int = 1024) -> Tensor:
    """Magnitude spectrogram, Hann window, mirrored ends so that N samples give floor(N / hop) frames.

    Shape: audio [B, N] within -1 .. 1, N > (n_fft - hop) / 2 -> [B, n_fft / 2 + 1, F] float32.
    """
    padding = (n_fft - hop) // 2
    # FFTs want single precision; reflect padding wants a channel axis.
    padded = F.pad(audio.float()[:, None], (padding, padding), mode="reflect")[:, 0]
    return _magnitudes(padded, n_fft, hop, win)


def _magnitudes(padded: Tensor, n_fft: int, hop: int, win: int) -> Tensor:
    window = torch.hann_window(win, device=padded.device)
    spectrum = torch.stft(padded, n_fft, hop, win, window, center=False, return_complex=True)
    return torch.sqrt(torch.view_as_real(spectrum).square().sum(-1) + POWER_FLOOR)


def clip_spectrograms(
    audio: Tensor, lengths: Tensor, n_fft: int = 1024, hop: int = 256, win: int = 1024
) -> tuple[Tensor, Tensor]:
    """`linear_spectrogram` of each clip of a padded batch as if it were alone, and the frames of each, int64 [B].

    Each clip is mirrored at its own end; nothing waits for the device. Padding frames are 0.

    Shape: audio [B, N] within -1 .. 1, lengths [B] in samples, the longest N -> [B, n_fft / 2 + 1, N / hop] float32.
    """
    padding = (n_fft - hop) // 2
    place = torch.arange(-padding, audio.shape[1] + padding, device=audio.device).abs()
    last = lengths[:, None] - 1
    mirrored = (last - (place - last).abs()).clamp(min=0)  # in the padding, farther out, whatever there is
    spectrum = _magnitudes(audio.float().gather(1, mirrored), n_fft, hop, win)
    frames = lengths // hop
    inside = torch.arange(spectrum.shape[2], device=audio.device) < frames[:, None]
    return spectrum * inside[:, None], frames


def mel_filterbank(
    sample_rate: int, n_fft: int = 1024, n_mels: int = 80, fmin: float = 0.0, fmax: float | None = None
) -> Tensor:
    """Triangular filters on Slaney's mel scale, each of unit area in hertz: librosa.filters.mel's default.

    Shape: [n_mels, n_fft / 2 + 1] float32, on the processor. `fmin`, `fmax` in hertz; none: half the sample rate.
    """
    top = sample_rate / 2 if fmax is None else fmax
    bins = torch.linspace(0, sample_rate / 2, n_fft // 2 + 1, dtype=torch.float64)
    mels = torch.linspace(_hertz_to_mel(fmin), _hertz_to_mel(top), n_mels + 2, dtype=torch.float64)
    edges = _mel_to_hertz(mels)
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising = (bins - left) / (centre - left)
    falling = (right - bins) / (right - centre)
    triangles = torch.minimum(rising, falling).clamp(min=0)
    return (triangles * 2 / (right - left)).float()


def spectrogram_to_mel(spectrogram: Tensor, filterbank: Tensor) -> Tensor:
    """Natural log of mel magnitudes. Shape: [B, bins, F] and [n_mels, bins] -> [B, n_mels, F] float32."""
    return torch.log((filterbank @ spectrogram.float()).clamp(min=MEL_FLOOR))


def mel_spectrogram(audio: Tensor, filterbank: Tensor, n_fft: int = 1024, hop: int = 256, win: int = 1024) -> Tensor:
    """Log mel spectrogram of audio [B, N], with `mel_filterbank` on the same device -> [B, n_mels, F].

    Under autocast, call it with autocast off: a half-precision product loses the quiet bins.
    """
    return spectrogram_to_mel(linear_spectrogram(audio, n_fft, hop, win), filterbank)


# Slaney's scale (Auditory Toolbox, 1998): 15 mels a kilohertz up to 1 kHz, then 27 mels each factor of 6.4.
_KNEE_HERTZ = 1000.0
_KNEE_MEL = 15.0
_LOG_STEP = math.log(6.4) / 27


def _hertz_to_mel(hertz: float) -> float:
    if hertz < _KNEE_HERTZ:
        return hertz * _KNEE_MEL / _KNEE_HERTZ
    return _KNEE_MEL + math.log(hertz / _KNEE_HERTZ) / _LOG_STEP


def _mel_to_hertz(mel: Tensor) -> Tensor:
    linear = mel * _KNEE_HERTZ / _KNEE_MEL
    return torch.where(mel < _KNEE_MEL, linear, _KNEE_HERTZ * torch.exp(_LOG_STEP * (mel - _KNEE_MEL)))
