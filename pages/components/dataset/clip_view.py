"""One clip: to hear, to see, its text and phonemes, its measurements and findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from pages.components import player
from pages.components.dataset import dataset_figures, measurements
from pages.components.dataset.report_view import BADGE, plain_text
from pages.components.theme import CHART_CONFIG
from piper_core.dataset import audio, text

LONGEST_SHOWN_S = 60.0
"""Longer clips are heard and drawn to here: the browser has to hold it."""


def show(clip: Mapping[str, Any], findings: Sequence[Mapping[str, Any]], folder: Path, language: str) -> None:
    """Show `clip` (a row of the clip table) of the dataset in `folder`, with its own `findings`."""
    words = str(clip["text"])
    st.subheader(plain_text(str(clip["utterance_id"])), anchor=False)
    for finding in findings:
        st.markdown(f":{BADGE[finding['severity']]}-badge[{finding['code']}] {plain_text(finding['message'])}")
    st.markdown(f"“{plain_text(words)}”" if words.strip() else "*There is no text.*")
    _show_phonemes(words, language)
    path = Path(str(clip["path"]))
    _show_audio(path if path.is_absolute() else folder / path, str(clip["utterance_id"]))
    _show_measurements(measurements.measured(clip))


def _show_measurements(shown: Mapping[str, str]) -> None:
    lines, half = list(shown.items()), (len(shown) + 1) // 2
    for column, part in zip(st.columns(2), (lines[:half], lines[half:]), strict=True):
        if part:
            column.table(dict(part), border="horizontal", alt="Measurements of the clip")


def _show_phonemes(words: str, language: str) -> None:
    try:
        sentences = _phonemes(words, language)
    except text.TextError as error:
        st.caption(str(error))
        return
    st.caption("Phonemes")
    st.code("\n".join(sentences) or "none", language=None, wrap_lines=True)


@st.cache_data(max_entries=500, show_spinner=False)
def _phonemes(words: str, language: str) -> list[str]:
    return ["".join(sentence) for sentence in text.phonemize(words, language)]


def _show_audio(path: Path, name: str) -> None:
    heard = samples(path)
    if isinstance(heard, str):
        st.error(heard)
        return
    player.play(*heard, name=f"Clip {name}")
    show_pictures(*heard, name=name)


def samples(path: Path) -> tuple[np.ndarray, int] | str:
    """The clip's samples [N] and their rate, or a sentence that says why it can't be heard."""
    try:
        return _samples(str(path), path.stat().st_mtime_ns)
    except (OSError, audio.AudioError) as error:
        return f"The clip can't be heard: {error}"


def show_pictures(samples: np.ndarray, sample_rate: int, *, name: str, key: str = "") -> None:
    """The waveform and the mel spectrogram of `samples` [N]; `key` tells two such pairs on one page apart."""
    if samples.size == 0:
        return
    duration_s = samples.size / sample_rate
    low, high = audio.waveform_envelope(samples, points=600)
    figure = dataset_figures.waveform(low, high, duration_s)
    st.plotly_chart(figure, config=CHART_CONFIG, key=f"{key}waveform", alt=f"Waveform of {name}")
    try:
        mel_db = audio.mel_spectrogram(samples, sample_rate)
    except audio.AudioError as error:
        st.caption(str(error))
        return
    figure = dataset_figures.mel_spectrogram(mel_db, duration_s)
    st.plotly_chart(figure, config=CHART_CONFIG, key=f"{key}mel", alt=f"Mel spectrogram of {name}")


@st.cache_data(max_entries=50, show_spinner=False)
def _samples(path: str, modified_ns: int) -> tuple[np.ndarray, int]:
    samples, sample_rate = audio.load_clip(Path(path), max_s=LONGEST_SHOWN_S)
    return np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0), sample_rate
