"""Which limits stand elsewhere than in the table, above every view: what is shown there is judged by them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from pages.components.dataset import dataset_views, journal_state
from pages.components.dataset.report_view import plain_text
from piper_core.dataset.decisions import Decision
from piper_core.dataset.journal import JournalError
from piper_core.dataset.moved_limits import moved_limits

if TYPE_CHECKING:
    from piper_core.dataset.report import DatasetReport

_PROBLEM = "limits_problem"


def show(report: DatasetReport, folder: Path) -> None:
    """From what to what each was moved, and the ways back. Nothing where none was."""
    if problem := st.session_state.pop(_PROBLEM, None):
        st.error(problem)
    moves = moved_limits(report.checks)
    if not moves:
        return
    words = " · ".join(plain_text(one.words) for one in moves)
    with st.container(horizontal=True, vertical_alignment="center", border=True, key="moved_limits"):
        st.markdown(f":material/tune: **Moved limits hold:** {words}", width="stretch")
        with st.container(horizontal=True, width="content"):
            journal = journal_state.of(folder)
            if journal.can_undo and journal.decisions.done[-1].action == "limit":
                st.button("Undo", icon=":material/undo:", key="limits_undo", on_click=do, args=(journal.undo,))
            st.button(
                "Back to defaults",
                icon=":material/restart_alt:",
                key="limits_back",
                on_click=do,
                args=(journal.put_limits_back,),
            )
            if st.query_params.get(dataset_views.VIEW) != "thresholds":
                st.button("Thresholds", icon=":material/tune:", key="limits_open", on_click=_open)


def do(action: Callable[[], Decision | None]) -> None:
    """Move limits; what kept that from being remembered is said when the page is drawn."""
    try:
        action()
    except JournalError as error:
        st.session_state[_PROBLEM] = str(error)


def _open() -> None:
    st.query_params[dataset_views.VIEW] = "thresholds"
