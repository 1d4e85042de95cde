"""Does the text belong to the audio? The clip beside espeak-ng's reading of its text: both to hear, both to see."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.components import player
from pages.components.dataset import dataset_figures
from pages.components.dataset.report_view import plain_text
from pages.components.theme import CHART_CONFIG
from piper_core.dataset.audio import AudioError
from piper_core.dataset.audit import audit_problem
from piper_core.dataset.audit_comparison import ComparedWord, Comparison, NotCompared, compare
from piper_core.dataset.espeak_voice import EspeakUnavailable
from piper_core.dataset.text import TextError

LONGEST_TEXT = 2000
"""Characters: a longer text belongs to no clip, and takes minutes to read."""


def show(path: Path, words: str, language: str, span: tuple[float, float | None], *, name: str) -> None:
    """The clip at `path` beside a reading of `words`, once it is asked for: speaking takes a moment."""
    if not st.toggle(
        "Compare with a synthetic reading of the text",
        key="clip_compare",
        help="espeak-ng reads the text. Where the words are the same, both pictures show the same shapes in a row.",
        persist_state="session",
    ):
        return
    compared = reading(path, words, language, *span)
    if isinstance(compared, str):
        st.caption(plain_text(compared))
        return
    st.markdown(" ".join(_coloured(word) for word in compared.words))
    st.caption(
        f"A cost of {compared.cost:.2f} for the whole clip; above 0 text and audio disagree. Words that disagree are"
        " red; of a short word that alone says little."
    )
    beside = st.grid(2, min_column_width=210)
    with beside.container():
        st.caption("The recording")
        player.play(compared.audio, compared.sample_rate, name=f"Clip {name}, to compare")
        figure = dataset_figures.mel_spectrogram(compared.mel, compared.audio.size / compared.sample_rate)
        st.plotly_chart(figure, config=CHART_CONFIG, key="recorded_mel", alt=f"Mel spectrogram of {name}")
    with beside.container():
        st.caption("espeak-ng reads the text")
        player.play(compared.spoken, compared.spoken_rate, name=f"espeak-ng's reading of {name}")
        figure = dataset_figures.mel_spectrogram(compared.spoken_mel, compared.spoken.size / compared.spoken_rate)
        st.plotly_chart(figure, config=CHART_CONFIG, key="spoken_mel", alt=f"espeak-ng's reading of {name}")


def reading(
    path: Path, words: str, language: str, offset_s: float = 0.0, length_s: float | None = None
) -> Comparison | str:
    """The clip beside espeak-ng's reading of `words`, or a sentence that says why they can't be compared."""
    if problem := audit_problem():
        return problem
    if len(words) > LONGEST_TEXT:
        return f"The text has {len(words):,} characters: that is more than a clip holds."
    try:
        modified_ns = path.stat().st_mtime_ns
        compared = _compared(str(path), modified_ns, words, language, offset_s, length_s)
    except (EspeakUnavailable, TextError, AudioError, OSError) as error:
        return str(error)
    return compared.reason if isinstance(compared, NotCompared) else compared


def _coloured(word: ComparedWord) -> str:
    return f":red[{plain_text(word.text)}]" if word.cost > 0 else plain_text(word.text)


@st.cache_data(max_entries=20, show_spinner="Reading the text …")
def _compared(
    path: str, modified_ns: int, words: str, language: str, offset_s: float, length_s: float | None
) -> Comparison | NotCompared:
    return compare(Path(path), words, language, offset_s, length_s)
