"""The totals above every view: they follow each decision, wherever it is made, without the rest of the page."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.components.dataset import journal_state, report_view
from pages.components.dataset.inspection_job import Inspected
from piper_core.dataset.cleaning import exclusions

FRAGMENT = "totals"
"""For `st.rerun` in a callback."""


@st.fragment(key=FRAGMENT)
def show(inspected: Inspected, folder: Path) -> None:
    """Clips, minutes, speakers, what is left of them; and what of earlier decisions is not applied."""
    decided = journal_state.fitted(inspected.rows, folder)
    gone = exclusions(inspected.report.findings, decided)
    report_view.show_totals(inspected.rows, decided.left_out, gone, inspected.report.summary)
    journal_state.show_notes(inspected.rows, folder)
