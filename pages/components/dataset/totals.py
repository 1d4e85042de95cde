"""The totals above every view: they follow each decision, wherever it is made, without the rest of the page."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.components.dataset import journal_state, report_view
from pages.components.dataset.inspection_job import Inspected

FRAGMENT = "totals"
"""For `st.rerun` in a callback."""


@st.fragment(key=FRAGMENT)
def show(inspected: Inspected, folder: Path) -> None:
    """Clips, minutes, speakers, what is left of them; and what of earlier decisions is not applied."""
    out = journal_state.left_out(inspected.rows, folder)
    report_view.show_totals(inspected.rows, out, inspected.report.summary)
    journal_state.show_notes(inspected.rows, folder)
