"""An exported voice: type a text, hear it, take the voice home."""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from pages.components import quantities
from pages.components.voices.voice_export import VOICE
from piper_core.voices.synthesis import Speech, SpeechError, load_voice, speak
from piper_core.voices.voice import LENGTH_SCALE, NOISE_SCALE, NOISE_W, VoiceFile, zip_voice
from piper_core.wav import wav_bytes

TEXT = "A voice of my own can read this sentence aloud, and any other that I write here."
_SPOKEN = "spoken"


class Speaker:
    """A loaded voice that several sessions use, one at a time: espeak-ng keeps one state a process."""

    def __init__(self, path: Path) -> None:
        self._voice: Any = load_voice(path)
        self._lock = threading.Lock()

    def speak(self, text: str, **scales: Any) -> Speech:
        """As `synthesis.speak`. Raises SpeechError."""
        with self._lock:
            return speak(self._voice, text, **scales)


@st.cache_resource(max_entries=3, show_spinner="Loading the voice …")
def speaker(path: str, exported_at: float) -> Speaker:
    """The loaded voice, kept between texts; one that was exported again is loaded again. Raises SpeechError."""
    return Speaker(Path(path))


def choose(voices: Sequence[VoiceFile]) -> VoiceFile:
    """The voice to hear: the one exported last, until another is chosen."""
    by_path = {str(voice.onnx): voice for voice in voices}
    if st.session_state.get(VOICE) not in by_path:
        st.session_state[VOICE] = next(iter(by_path))
    chosen = st.selectbox(
        "Voice", list(by_path), format_func=lambda path: _label(by_path[path]), key=VOICE, persist_state="session"
    )
    return by_path[chosen]


def _label(voice: VoiceFile) -> str:
    run = voice.onnx.parent.parent.name
    return f"{voice.name} (run {run})"


def show(voice: VoiceFile) -> None:
    """Text, scales and player, and both files as a zip."""
    facts = [voice.language, f"{voice.sample_rate:,} Hz", quantities.size(voice.size_bytes)]
    if voice.num_speakers > 1:
        facts.append(f"{voice.num_speakers} speakers")
    st.caption(" · ".join(facts))
    # The language decides which text can be read; each language keeps its own.
    text = st.text_area(
        "Text",
        TEXT if voice.language.startswith("en") else "",
        key=f"text_{voice.language}",
        placeholder="Write a text …",
    )
    scales = _scales(voice)
    with st.container(horizontal=True):
        pressed = st.button("Speak", icon=":material/volume_up:", type="primary", key="speak")
        st.download_button(
            "Download the voice",
            functools.partial(zip_voice, voice.onnx, voice.json),
            f"{voice.name}.zip",
            "application/zip",
            icon=":material/download:",
            key="download_voice",
            on_click="ignore",
            help="Both files, NAME.onnx and NAME.onnx.json: what piper-tts, Home Assistant and others read.",
        )
    if pressed:
        _speak(voice, text, scales)
    _player(voice)
    with st.expander("Speak with it elsewhere", icon=":material/terminal:"):
        st.code(f"python -m piper -m {voice.onnx} -f speech.wav -- 'Some text.'", language="bash", wrap_lines=True)


def _scales(voice: VoiceFile) -> dict[str, Any]:
    scales: dict[str, Any] = {}
    if voice.num_speakers > 1:
        named = {number: name for name, number in voice.speakers.items()}
        names = [named.get(number, f"speaker {number}") for number in range(voice.num_speakers)]
        scales["speaker_id"] = names.index(st.selectbox("Speaker", names, key=f"speaker_{voice.name}"))
    with st.grid(3, min_column_width=180):
        scales["length_scale"] = st.slider(
            "Slowness", 0.5, 2.0, LENGTH_SCALE, 0.05, key="length_scale", help="length_scale: 2 takes twice as long."
        )
        scales["noise_scale"] = st.slider(
            "Variety of sound",
            0.0,
            1.5,
            NOISE_SCALE,
            0.001,
            key="noise_scale",
            help="noise_scale: 0 is flat and always the same.",
        )
        scales["noise_w"] = st.slider(
            "Variety of rhythm",
            0.0,
            1.5,
            NOISE_W,
            0.05,
            key="noise_w",
            help="noise_w: 0 gives each sound its average length.",
        )
    return scales


def _speak(voice: VoiceFile, text: str, scales: dict[str, Any]) -> None:
    st.session_state.pop(_SPOKEN, None)
    try:
        with st.spinner("Speaking …"):
            speech = speaker(str(voice.onnx), voice.exported_at).speak(text, **scales)
    except SpeechError as error:
        st.warning(str(error))
        return
    st.session_state[_SPOKEN] = (str(voice.onnx), text, speech)


def _player(voice: VoiceFile) -> None:
    path, text, speech = st.session_state.get(_SPOKEN, ("", "", None))
    if speech is None or path != str(voice.onnx):
        return
    audio = wav_bytes(speech.audio, speech.sample_rate)
    st.audio(audio, format="audio/wav", alt=f"The voice {voice.name} says: {text}")
    times = speech.seconds / max(speech.elapsed_s, 1e-6)
    st.caption(
        f"{speech.seconds:.1f} s of speech, made in {speech.elapsed_s:.2f} s: {times:.0f} times as fast as it is heard."
    )
    if speech.peak_dbfs == float("-inf"):
        st.warning("The voice said nothing but silence. Train it longer, or export another checkpoint.")
