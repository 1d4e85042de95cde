"""Try it first: a dry run in a process of its own, and what it found."""

from __future__ import annotations

import streamlit as st

from piper_core.settings import GIGABYTE, Settings
from piper_core.training import dry_run
from piper_core.training.config import TrainingConfig
from piper_core.training.dry_run import TrialFailed, TrialReport, duration

_TRIED = "tried"


def show(config: TrainingConfig, settings: Settings) -> None:
    """The button; what was found stays on the page as long as it is about the run that is set up."""
    asked = config.to_dict() | {"name": ""}
    pressed = st.button(
        "Try it first",
        icon=":material/speed:",
        width="stretch",
        key="try",
        help="Real training steps on the longest clips, for under a minute: whether it fits, and how long it will take."
        " Nothing is kept.",
    )
    if pressed:
        with st.status("Starting …", expanded=False) as progress:
            report = dry_run.dry_run(config, settings, on_progress=lambda line: progress.update(label=line))
            if isinstance(report, TrialFailed):
                progress.update(label="It could not be tried", state="error")
            else:
                progress.update(label=f"Tried in {report.took_s:.0f} s", state="complete")
        st.session_state[_TRIED] = (asked, report)
    asked_then, found = st.session_state.get(_TRIED, (None, None))
    if asked_then != asked:
        return
    if isinstance(found, TrialFailed):
        st.error(found.reason)
    elif found is not None:
        _tell(found)


def _tell(report: TrialReport) -> None:
    with st.grid(2, min_column_width=120):
        st.metric("Peak memory", f"{report.peak_bytes / GIGABYTE:.1f} of {report.room_bytes / GIGABYTE:.1f} GB")
        st.metric("Steps a second", f"{report.steps_per_second:.2f}")
        st.metric("An epoch", duration(report.epoch_minutes))
        st.metric("The whole run", duration(report.eta_minutes))
    lines = report.lines()
    st.caption(
        f"Batch of {lines['Batch size']}. Memory {lines['Peak memory'].rpartition(', ')[2]}, speed"
        f" {lines['Steps a second'].rpartition(', ')[2]}; saving and samples come on top."
    )
    safe = report.safe_batch_size
    if not report.fits:
        st.error(
            f"This will not fit into memory. {f'A batch of {safe} will.' if safe else 'Leave out the longest clips.'}"
        )
    elif safe < report.batch_size:
        st.warning(f"This leaves little room. A batch of {max(1, safe)} is safe.")
    else:
        st.success(f"It fits; up to a batch of {safe} is safe.", icon=":material/check_circle:")
    if report.too_long:
        st.warning(lines["Left out"])
