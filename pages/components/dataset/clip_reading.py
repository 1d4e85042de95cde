"""Does the text belong to the audio? The clip beside espeak-ng's reading of its text: both to hear, both to see."""

from __future__ import annotations

import numpy as np
import streamlit as st

from pages.components import player
from pages.components.dataset import clip_sound
from piper_core.dataset import text
from piper_core.dataset.espeak_voice import EspeakUnavailable, EspeakVoice, espeak_problem

_LONGEST_READ_S = 30.0


def show(words: str, language: str, heard: tuple[np.ndarray, int], *, name: str) -> None:
    """The clip that was `heard` beside a reading of `words`, once it is asked for: speaking takes a moment."""
    if not st.toggle(
        "Compare with a synthetic reading of the text",
        key="clip_compare",
        help="espeak-ng reads the text. Where the words are the same, both pictures show the same shapes in a row.",
        persist_state="session",
    ):
        return
    read = reading(words, language)
    if isinstance(read, str):
        st.caption(read)
        return
    beside = st.grid(2, min_column_width=210)
    with beside.container():
        st.caption("The recording")
        player.play(*heard, name=f"Clip {name}, to compare")
        clip_sound.show_spectrogram(*heard, name=name, key="recorded_")
    with beside.container():
        st.caption("espeak-ng reads the text")
        player.play(*read, name=f"espeak-ng's reading of {name}")
        clip_sound.show_spectrogram(*read, name=f"espeak-ng's reading of {name}", key="spoken_")


def reading(words: str, language: str) -> tuple[np.ndarray, int] | str:
    """espeak-ng's reading of `words`: samples [N] and their rate, or a sentence that says why there is none."""
    if problem := espeak_problem():
        return f"{problem}."
    if not any(map(str.isalnum, words)):
        return "There are no words to read."
    try:
        return _read(words, text.check_language(language))
    except (EspeakUnavailable, text.TextError) as error:
        return str(error)


@st.cache_data(max_entries=50, show_spinner=False)
def _read(words: str, voice: str) -> tuple[np.ndarray, int]:
    with EspeakVoice() as speaker:
        spoken = speaker.speak(words, voice=voice, max_s=_LONGEST_READ_S)
    return spoken.samples.astype(np.float32) / 32768, spoken.sample_rate
