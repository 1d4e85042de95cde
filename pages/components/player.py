"""A clip to hear, at its own loudness.

`st.audio` scales an array of samples to full scale, which would make a whisper and a shout sound alike; so samples are
written as a WAV file first, which it plays as it is. Decoded samples play in every browser, whatever the file's format.
"""

from __future__ import annotations

import io
import wave

import numpy as np
import streamlit as st


def wav_bytes(audio: np.ndarray, sample_rate: int) -> bytes:
    """A 16-bit WAV file of mono `audio` [N], float in [-1, 1] (beyond: clipped) or int16, at `sample_rate` hertz."""
    if audio.dtype != np.int16:
        audio = np.rint(np.clip(np.nan_to_num(audio), -1.0, 1.0) * 32767).astype(np.int16)
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(sample_rate)
        writer.writeframes(audio.astype("<i2").tobytes())
    return file.getvalue()


def play(audio: np.ndarray, sample_rate: int, *, name: str) -> None:
    """Show a player of `audio` [N]; `name` says what is heard, for those who can't see the page."""
    if audio.size == 0:
        st.caption("There is nothing to hear: the clip holds no samples.")
        return
    st.audio(wav_bytes(audio, sample_rate), format="audio/wav", alt=name)
