"""Checkpoints of all runs, and turning one into a voice."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from pages.components import notice
from piper_core.runs.run import Run, RunError
from piper_core.settings import Settings
from piper_core.training.config import PRESETS
from piper_core.voices.catalogue import CheckpointFile
from piper_core.voices.voice import Exported, plain_name, run_export, voice_name

PLACE = "export"
VOICE = "voice"
"""Session state and the address both hold the chosen voice's file under this name."""


def rows(checkpoints: Sequence[CheckpointFile]) -> list[dict[str, Any]]:
    """What the table shows, a row a checkpoint."""
    return [
        {
            "Run": checkpoint.run,
            "Kind": ["latest"] if checkpoint.is_last else ["best"] if checkpoint.val_mel is not None else [],
            "Step": checkpoint.step,
            "Validation mel": checkpoint.val_mel,
            "Size": checkpoint.size_bytes,
            "Saved": pd.Timestamp(checkpoint.saved_at, unit="s", tz="UTC"),
        }
        for checkpoint in checkpoints
    ]


def choose(checkpoints: Sequence[CheckpointFile]) -> CheckpointFile:
    """The table; the chosen one, which is the first until another is clicked."""
    event = st.dataframe(
        pd.DataFrame(rows(checkpoints)),
        hide_index=True,
        key="checkpoints",
        on_select="rerun",
        selection_mode="single-row-required",
        height="content" if len(checkpoints) < 8 else 300,
        placeholder="",
        alt="Checkpoints of all runs; the selected row is the one to export",
        column_config={
            "Kind": st.column_config.MultiselectColumn(options=["latest", "best"], color=["blue", "green"]),
            "Step": st.column_config.NumberColumn(format="localized"),
            "Validation mel": st.column_config.NumberColumn(
                format="%.3f", help="Distance of the sound from held-out recordings; lower is nearer."
            ),
            "Size": st.column_config.NumberColumn(format="bytes"),
            "Saved": st.column_config.DatetimeColumn(format="distance"),
        },
    )
    chosen = event.selection.rows
    return checkpoints[chosen[0]] if chosen and chosen[0] < len(checkpoints) else checkpoints[0]


def show(checkpoint: CheckpointFile, settings: Settings) -> None:
    """The chosen checkpoint's name as a voice, and the button that exports it."""
    run = Run(settings.runs_dir / checkpoint.run)
    try:
        config = run.config()
    except RunError as error:
        st.warning(str(error))
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = plain_name(
            st.text_input(
                "Name of the voice",
                plain_name(config.spoken_name),
                key=f"voice_name_{checkpoint.run}",
                width=260,
                help="The middle of the file's name: small letters, digits and underscores.",
            )
        )
        pressed = st.button("Export", icon=":material/ios_share:", type="primary", key="export")
    made = voice_name(config.language, name, PRESETS[config.preset].quality)
    st.caption(f"{checkpoint.label} → {made}.onnx")
    if pressed:
        _export(checkpoint, run, name)
    notice.show(PLACE)


def _export(checkpoint: CheckpointFile, run: Run, name: str) -> None:
    started = time.monotonic()
    with st.status("Exporting to ONNX, and letting the voice speak in piper-tts …") as status:
        outcome = run_export(checkpoint.path, run.voice_dir, name=name)
        if isinstance(outcome, Exported):
            status.update(label="Exported", state="complete")
        else:
            status.update(label="Not exported", state="error")
    if isinstance(outcome, Exported):
        took_s = time.monotonic() - started
        notice.leave(PLACE, f"{outcome.name} was exported in {took_s:.0f} s, and has spoken in piper-tts.")
        st.session_state[VOICE] = str(outcome.onnx)
        st.rerun()
    notice.leave(PLACE, outcome.reason, good=False)
