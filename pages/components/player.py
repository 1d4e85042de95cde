"""A clip to hear, at its own loudness.

`st.audio` scales an array of samples to full scale, which would make a whisper and a shout sound alike; so samples are
written as a WAV file first, which it plays as it is. Decoded samples play in every browser, whatever the file's format.
"""

from __future__ import annotations

import numpy as np
import streamlit as st

from piper_core.wav import wav_bytes


def play(audio: np.ndarray, sample_rate: int, *, name: str) -> None:
    """Show a player of `audio` [N]; `name` says what is heard, for those who can't see the page."""
    if audio.size == 0:
        st.caption("There is nothing to hear: the clip holds no samples.")
        return
    st.audio(wav_bytes(audio, sample_rate), format="audio/wav", alt=name)
