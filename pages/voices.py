"""Voices: from a checkpoint to a Piper voice, heard here and taken home."""

from __future__ import annotations

import streamlit as st

from pages.components import empty
from pages.components.voices import voice_export, voice_speaker
from piper_core.runs.run import list_runs
from piper_core.settings import SettingError, Settings
from piper_core.voices.catalogue import list_checkpoints
from piper_core.voices.voice import list_voices

# Read: the settings, what could become a voice, and what is one.
try:
    settings = Settings.load()
except SettingError as error:
    st.error(str(error))
    st.stop()
checkpoints = list_checkpoints(settings.runs_dir)
voices = [voice for run in list_runs(settings.runs_dir) for voice in list_voices(run.voice_dir)]
voices.sort(key=lambda voice: voice.exported_at, reverse=True)

st.title("Voices", anchor=False)

# Guard: nothing to speak with yet.
if not checkpoints and not voices:
    empty.show(
        "No voice yet",
        "A run saves checkpoints as it learns. As soon as there is one, it can speak here,"
        " and be exported as a Piper voice.",
        ("train.py", "Start a run", ":material/model_training:"),
        ("monitor.py", "Watch the runs", ":material/monitoring:"),
    )
    st.stop()

# Show: export on the left, what can speak already on the right.
left, right = st.columns(2, gap="large")
with left:
    st.subheader("Checkpoints", anchor=False, help="Saved during training. The latest is not always the best: listen.")
    if checkpoints:
        voice_export.show(voice_export.choose(checkpoints), settings)
    else:
        st.caption("No run has saved a checkpoint yet.")
with right:
    st.subheader("Speak", anchor=False)
    if voices:
        voice_speaker.show(voice_speaker.choose(voices))
    else:
        st.caption("No voice was exported yet: choose a checkpoint and export it. It takes about ten seconds.")
