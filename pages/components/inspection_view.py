"""How far an inspection is, and what it can't look at: the waiting made useful."""

from __future__ import annotations

import importlib.util

import streamlit as st

from pages.components.inspection_job import InspectionJob
from piper_core.settings import Settings


def not_checked(settings: Settings) -> str | None:
    """A sentence on what is not looked at here, and how to have it looked at; None when everything is."""
    rest = "only texts and file headers are: loudness, clipping, silence and damaged files go unnoticed."
    if not settings.enable_audio_validation:
        return f"The sound of the clips is not checked, {rest} Set ENABLE_AUDIO_VALIDATION=true to check it."
    if importlib.util.find_spec("librosa") is None:
        return f"The sound of the clips is not checked, {rest} Install librosa to check it: pip install librosa."
    return None


@st.fragment(run_every=0.5)
def show_progress(job: InspectionJob, *, preview_is_shown: bool) -> None:
    """A bar that counts clips and time left; draws the page anew when there is more to show."""
    if job.done or (job.preview is not None and not preview_is_shown):
        st.rerun()
    progress = job.progress
    with st.container(horizontal=True, vertical_alignment="center"):
        if progress is None or progress.total == 0:
            st.progress(0.0, "Reading texts and headers …")
        else:
            st.progress(
                min(1.0, progress.done / progress.total),
                progress_line(progress.done, progress.total, progress.remaining_s),
            )
        if st.button("Stop", icon=":material/stop:", key="stop_inspection"):
            job.stop()


def progress_line(done: int, total: int, remaining_s: float | None) -> str:
    """As “Listening to the clips: 120 of 13,100, about 2 min left”."""
    left = "" if remaining_s is None else f", about {duration(remaining_s)} left"
    return f"Listening to the clips: {done:,} of {total:,}{left}"


def duration(seconds: float) -> str:
    """Seconds in the words one would say: 40 s, 3 min, 2 h 10 min."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
