"""How far an inspection is."""

from __future__ import annotations

import streamlit as st

from pages.components import quantities
from pages.components.dataset.inspection_job import InspectionJob


@st.fragment(run_every=0.5)
def show_progress(job: InspectionJob, *, preview_is_shown: bool) -> None:
    """A bar that counts clips and time left; draws the page anew when there is more to show."""
    if job.done or (job.preview is not None and not preview_is_shown):
        st.rerun()
    progress = job.progress
    with st.container(horizontal=True, vertical_alignment="center"):
        if progress is None or progress.total == 0:
            st.progress(0.0, "Reading the dataset …")
        else:
            line = progress_line(progress.done, progress.total, progress.remaining_s, decodes=preview_is_shown)
            st.progress(min(1.0, progress.done / progress.total), line)
        if st.button("Stop inspecting", icon=":material/stop:", key="stop_inspection", width=180):
            job.stop()


def progress_line(done: int, total: int, remaining_s: float, *, decodes: bool) -> str:
    """As “Listening to the clips: 120 of 13,100, about 2 min left”."""
    what = "Listening to the clips" if decodes else "Reading texts and headers"
    return f"{what}: {done:,} of {total:,}, about {quantities.duration(remaining_s / 60)} left"
