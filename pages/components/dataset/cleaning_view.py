"""What becomes of the inspection: the cleaned manifest, the report, and the way on to training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from pages.components import page_links
from pages.components.dataset import export_view, journal_state, report_view
from pages.components.dataset.report_view import plain_text
from piper_core.dataset.cleaning import as_inspected, exclusions
from piper_core.dataset.export import Exported
from piper_core.dataset.layouts import LAYOUTS, DatasetError
from piper_core.dataset.manifest import write_cleaned_manifest

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
    report = inspected.report
    cleaned, reports, onwards = st.columns(3, gap="medium")
    with cleaned.container(border=True, height="stretch"):
        st.subheader("Cleaned manifest", icon=":material/cleaning_services:", anchor=False)
        st.caption(
            "The clips and texts of an export, as one more metadata file beside the original. The Train page offers it."
        )
        if st.button("Save cleaned manifest", icon=":material/save:", key="save_cleaned"):
            _save(inspected, folder)
        saved: Exported | None = st.session_state.get(SAVED, {}).get(str(folder))
        if saved:
            st.success(f"Saved as `{saved.folder / saved.metadata}`: {_counted(saved)}. Why: `{saved.log.name}`.")
    with reports.container(border=True, height="stretch"):
        st.subheader("Take the report home", icon=":material/description:", anchor=False)
        st.caption("To read, to pass on, or for scripts.")
        report_view.show_downloads(report, folder.name)
    with onwards.container(border=True, height="stretch"):
        st.subheader("Train a voice", icon=":material/model_training:", anchor=False)
        st.caption("With this dataset chosen.")
        _train_link(str(folder))


def _counted(written: Exported) -> str:
    """As “480 clips, 20 left out”."""
    return f"{written.clips:,} clips, {written.left_out:,} left out"


def _train_link(folder: str) -> None:
    page_links.link(
        "train.py", "Train with this dataset", icon=":material/arrow_forward:", parameters={"dataset": folder}
    )


def _save(inspected: Inspected, folder: Path) -> None:
    report, decided = inspected.report, journal_state.fitted(inspected.rows, folder)
    try:
        written = write_cleaned_manifest(
            as_inspected(report), texts=decided.texts, left_out=exclusions(report.findings, decided)
        )
    except (OSError, DatasetError) as error:
        st.error(f"The cleaned manifest could not be saved: {error}")
        return
    st.session_state.setdefault(SAVED, {})[str(folder)] = written
