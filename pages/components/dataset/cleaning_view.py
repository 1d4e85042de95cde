"""What becomes of the inspection: the cleaned manifest, the report, and the way on to training."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from pages.components import page_links
from pages.components.dataset import export_view, journal_state, report_view
from pages.components.dataset.report_view import plain_text
from piper_core.dataset.layouts import LAYOUTS
from piper_core.dataset.report import write_cleaned_manifest

if TYPE_CHECKING:
    from pages.components.dataset.inspection_job import Inspected
    from piper_core.dataset.report import DatasetReport

SAVED = "cleaned_manifests"
"""Session state: folder -> the cleaned manifest that was saved last."""


def show_way_on(report: DatasetReport) -> None:
    """Where the dataset lies and how it is laid out, and the link that trains a voice with it."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        layout = LAYOUTS[report.layout].name if report.layout in LAYOUTS else report.layout
        st.caption(f"{plain_text(report.dataset)} · {plain_text(report.metadata)} · {layout}")
        _train_link(report.dataset)


def show(inspected: Inspected, folder: Path, language: str) -> None:
    """Export a cleaned dataset, or only a manifest beside the original; take the report home; go on to Train."""
    export_view.show(inspected, folder)
    report, out = inspected.report, journal_state.left_out(inspected.rows, folder)
    left_out = {row.utterance_id for row in report.utterances if row.row in out}
    cleaned, reports, onwards = st.columns(3, gap="medium")
    with cleaned.container(border=True, height="stretch"):
        st.subheader("Clean the manifest", icon=":material/cleaning_services:", anchor=False)
        st.caption("Writes the rows of the usable clips beside the original: texts as they stand there, not as edited.")
        if st.button("Save cleaned manifest", icon=":material/save:", key="save_cleaned", width="stretch"):
            _save(report, left_out, str(folder))
        saved = st.session_state.get(SAVED, {}).get(str(folder))
        if saved:
            st.success(f"Saved as `{saved}`.")
    with reports.container(border=True, height="stretch"):
        st.subheader("Take the report home", icon=":material/description:", anchor=False)
        st.caption("To read, to pass on, or for scripts.")
        report_view.show_downloads(report, folder.name)
    with onwards.container(border=True, height="stretch"):
        st.subheader("Train a voice", icon=":material/model_training:", anchor=False)
        st.caption("With this dataset chosen.")
        _train_link(str(folder))


def _train_link(folder: str) -> None:
    page_links.link(
        "train.py", "Train with this dataset", icon=":material/arrow_forward:", parameters={"dataset": folder}
    )


def _save(report: DatasetReport, left_out: Collection[str], folder: str) -> None:
    try:
        path = write_cleaned_manifest(report, excluded=set(left_out))
    except (OSError, ValueError) as error:
        st.error(f"The cleaned manifest could not be saved: {error}")
        return
    st.session_state.setdefault(SAVED, {})[folder] = str(path)
