"""How far an inspection is, what ended it, and what it left unchecked: one line that keeps its place on the page."""

from __future__ import annotations

import streamlit as st

from pages.components import quantities
from pages.components.dataset import clip_browser, dataset_views, report_view
from pages.components.dataset.inspection_job import InspectionJob, InspectionStopped
from piper_core.dataset.audit import audit_problem
from piper_core.dataset.inspection import Stage
from piper_core.dataset.layouts import DatasetError
from piper_core.dataset.text import TextError
from piper_core.dataset.workers import WorkersError

_DOING: dict[Stage, str] = {
    "headers": "Reading headers",
    "signal": "Listening to the clips",
    "texts": "Reading the texts",
    "pitch": "Measuring the pitch",
    "audit": "Comparing transcripts with the audio",
}
_LOOK_EVERY_S = 1.0
_FIRST_LOOK_S = 0.25


def show_first(job: InspectionJob) -> None:
    """Until there is a report to draw: how far it is, and the first totals as soon as the metadata is read.

    Shown in the page's own run, which ends when there is more: a fragment would come round later. Every line that is
    written lets a click interrupt it.
    """
    progress, totals = st.empty(), st.empty()
    glimpsed = False
    while job.seen is None and not job.done:
        progress.progress(*_how_far(job))
        if job.glimpse is not None and not glimpsed:
            glimpsed = True
            with totals.container():
                report_view.show_glimpse(job.glimpse)
        job.wait_for_news(_FIRST_LOOK_S)
    progress.empty()
    totals.empty()


def show(job: InspectionJob, news: int) -> None:
    """Progress while `job` runs, then what came of it; draws the page anew when there is more than the `news` shown."""
    if not job.done:
        _progress(job, news)
        return
    if job.news != news:  # it ended after the page had taken what was seen
        st.rerun()
    problem = job.problem
    if isinstance(problem, InspectionStopped):
        st.warning("The inspection was stopped: what it had not come to is not checked.", icon=":material/stop_circle:")
    elif isinstance(problem, (DatasetError, TextError, WorkersError, OSError)):
        st.error(str(problem))
    elif problem is not None:
        raise problem
    elif job.seen is not None:
        _ended(job)
        for sentence in job.seen.report.not_checked:
            st.warning(sentence, icon=":material/hearing_disabled:")


@st.fragment(run_every=_LOOK_EVERY_S)
def _progress(job: InspectionJob, news: int) -> None:
    job.look_on()
    if job.done or job.news != news:
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center", border=False):
        st.progress(*_how_far(job))
        if st.button("Stop inspecting", icon=":material/stop:", key="stop_inspection", width=200):
            job.stop()


def _how_far(job: InspectionJob) -> tuple[float, str]:
    progress = job.progress
    if progress is None or progress.total == 0:
        return 0.0, "Reading the dataset …"
    line = progress_line(progress.stage, progress.done, progress.total, progress.remaining_s)
    return min(1.0, progress.done / progress.total), line


def progress_line(stage: Stage, done: int, total: int, remaining_s: float) -> str:
    """As “Listening to the clips: 120 of 13,100, about 2 min left”."""
    left = f", about {quantities.duration(remaining_s / 60)} left" if done < total else ""
    return f"{_DOING[stage]}: {done:,} of {total:,}{left}"


def _ended(job: InspectionJob) -> None:
    """What was looked at, and the audit of the transcripts: not made unasked, for it takes minutes of a large set."""
    what = "The sound, text and header of every clip" if job.request.validate_audio else "Texts and headers"
    compared = " and compared with what is heard" if job.audits else ""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", border=False):
        st.caption(f"{what} were looked at{compared}.", width="content")
        if job.audits:
            st.button("The least alike first", icon=":material/sort:", key="audit_ranked", on_click=_rank_by_audit)
            return
        problem = audit_problem()
        if st.button(
            "Audit the transcripts",
            icon=":material/spellcheck:",
            key="audit",
            disabled=problem is not None or not job.request.validate_audio,
            help=problem
            or "Does each text belong to its audio? espeak-ng reads it, and the two are laid beside each"
            " other. Takes some milliseconds a clip; the page stays usable.",
        ):
            job.audit()
            st.rerun()


def _rank_by_audit() -> None:
    st.session_state[clip_browser.SORT] = "transcript_cost"
    st.session_state[clip_browser.DOWNWARDS] = True
    st.query_params[dataset_views.VIEW] = "clips"
