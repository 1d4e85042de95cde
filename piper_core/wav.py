"""Samples as a WAV file: what a player, a sample of a run and a demo clip are kept as."""

from __future__ import annotations

import io
import wave

import numpy as np


def wav_bytes(audio: np.ndarray, sample_rate: int) -> bytes:
    """A 16-bit PCM WAV file of `audio` at `sample_rate` hertz.

    `audio` is int16, or float in [-1, 1] (beyond: clipped; NaN: silence), shape [N] mono or [N, channels].
    """
    if audio.dtype != np.int16:
        audio = np.rint(np.clip(np.nan_to_num(audio), -1.0, 1.0) * 32767).astype(np.int16)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1 if audio.ndim == 1 else audio.shape[1])
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(audio.astype("<i2").tobytes())
    return buffer.getvalue()
