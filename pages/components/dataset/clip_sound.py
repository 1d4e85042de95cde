"""The sound of one clip: to hear and to see, as it was recorded and as it is trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from pages.components import player
from pages.components.dataset import dataset_figures
from pages.components.theme import CHART_CONFIG
from piper_core.dataset import audio
from piper_core.features.extraction import clip_of, kept_span
from piper_core.features.settings import ClipRefused, FeatureSettings
from piper_core.features.silero import load_silero, silero_problem
from piper_core.features.trimming import best_trim

LONGEST_SHOWN_S = 60.0
"""Longer clips are heard and drawn to here: the browser has to hold it."""
_POINTS = 600


@dataclass(frozen=True)
class Trimmed:
    """What training keeps of a clip, or why it takes none of it."""

    start: int
    end: int
    """Samples: the first one kept, and the one after the last."""
    refusal: str = ""


def samples(path: Path, offset_s: float = 0.0, length_s: float | None = None) -> tuple[np.ndarray, int] | str:
    """The clip's samples [N] and their rate, or a sentence that says why it can't be heard."""
    try:
        return _samples(str(path), path.stat().st_mtime_ns, offset_s, length_s)
    except FileNotFoundError:
        return f"The clip can't be heard: there is no file {path.name}."
    except (OSError, audio.AudioError) as error:
        return f"The clip can't be heard: {error}"


def show(heard: tuple[np.ndarray, int], *, name: str) -> None:
    """Players of the clip before and after the trim of Piper's trainer, and its pictures with the cut parts shaded."""
    sound, rate = heard
    if not sound.size:
        player.play(sound, rate, name=f"Clip {name}")
        return
    trimmed = trim(sound, rate)
    with st.container(gap="xsmall"):
        st.caption(f"As recorded, {sound.size / rate:.2f} s")
        player.play(sound, rate, name=f"Clip {name}")
    with st.container(gap="xsmall"):
        if trimmed.refusal:
            st.caption(f"Training leaves it out: it {trimmed.refusal}.")
        else:
            part = sound[trimmed.start : trimmed.end]
            st.caption(f"As trained on, {part.size / rate:.2f} s", help=_trim_help())
            player.play(part, rate, name=f"Clip {name}, trimmed as for training")
    kept_s = None if trimmed.refusal else (trimmed.start / rate, trimmed.end / rate)
    show_pictures(sound, rate, name=name, kept_s=kept_s)


def trim(sound: np.ndarray, sample_rate: int) -> Trimmed:
    """What training keeps of `sound` [N], by the rule of Piper's trainer: speech, and 0.25 s each side."""
    settings = FeatureSettings(sample_rate=sample_rate, language="", trim=best_trim())
    try:
        clip = clip_of(sound, sample_rate, settings)
    except ClipRefused as refused:
        return Trimmed(0, sound.size, str(refused))
    speech = None if clip.encoded is None else load_silero().speech([clip.encoded])[0]
    return Trimmed(*kept_span(clip, speech, settings))


def show_pictures(
    sound: np.ndarray, sample_rate: int, *, name: str, key: str = "", kept_s: tuple[float, float] | None = None
) -> None:
    """The waveform and the mel spectrogram of `sound` [N]; `key` tells two such pairs on one page apart."""
    if sound.size == 0:
        return
    duration_s = sound.size / sample_rate
    low, high = audio.waveform_envelope(sound, points=_POINTS)
    figure = dataset_figures.waveform(low, high, duration_s, kept_s)
    st.plotly_chart(figure, config=CHART_CONFIG, key=f"{key}waveform", alt=f"Waveform of {name}")
    show_spectrogram(sound, sample_rate, name=name, key=key)


def show_spectrogram(sound: np.ndarray, sample_rate: int, *, name: str, key: str = "") -> None:
    """The mel spectrogram of `sound` [N]."""
    try:
        mel_db = audio.mel_spectrogram(sound, sample_rate)
    except audio.AudioError as error:
        st.caption(str(error))
        return
    figure = dataset_figures.mel_spectrogram(mel_db, sound.size / sample_rate)
    st.plotly_chart(figure, config=CHART_CONFIG, key=f"{key}mel", alt=f"Mel spectrogram of {name}")


def _trim_help() -> str:
    rule = "Piper's trainer cuts silence at the edges off and keeps 0.25 s each side of the speech"
    if (problem := silero_problem()) is None:
        return f"{rule}, found by the Silero detector. The shaded parts of the waveform are cut off."
    return f"{rule}. It is found by loudness here, because its detector can't be used: {problem}."


@st.cache_data(max_entries=50, show_spinner=False)
def _samples(path: str, modified_ns: int, offset_s: float, length_s: float | None) -> tuple[np.ndarray, int]:
    sound, sample_rate = audio.load_clip(Path(path), max_s=LONGEST_SHOWN_S, offset_s=offset_s, length_s=length_s)
    return np.nan_to_num(sound, nan=0.0, posinf=1.0, neginf=-1.0), sample_rate
