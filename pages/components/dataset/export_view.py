"""Write the cleaned dataset elsewhere, in any layout: with the texts as edited, without what is left out, and a log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from pages.components import page_links
from pages.components.dataset import dataset_choice, dataset_upload, journal_state
from pages.components.dataset.report_view import plain_text
from piper_core.dataset.cleaning import as_inspected, exclusions
from piper_core.dataset.export import Exported, export_dataset
from piper_core.dataset.layouts import LAYOUTS, DatasetError
from piper_core.settings import Settings

if TYPE_CHECKING:
    from pages.components.dataset.inspection_job import Inspected
    from piper_core.dataset.decisions import Fitted
    from piper_core.dataset.report import DatasetReport

AUDIO = {
    "link": "Linked: no space is taken, and the originals have to stay",
    "copy": "Copied: the export stands on its own",
    "none": "Left where they are: a manifest alone",
}
EXPORTED = "exported_datasets"
"""Session state: folder -> what was exported last."""


def show(inspected: Inspected, folder: Path) -> None:
    """The form, and after it what was written, with the way to inspect it and to train with it."""
    report, decided = inspected.report, journal_state.fitted(inspected.rows, folder)
    behind = exclusions(report.findings, decided)
    clips = len({row.row for row in report.utterances} - set(behind))
    with st.container(border=True):
        st.subheader("Export a cleaned dataset", icon=":material/ios_share:", anchor=False)
        st.caption(
            f"{clips:,} clips are written, {len(behind):,} left out (an error that nobody overruled, or left out by"
            f" you), {len(decided.texts):,} with an edited text. The dataset itself stays as it is."
        )
        with st.form("export", border=False):
            layout_column, audio_column = st.columns(2)
            codes = list(LAYOUTS)
            usual = report.layout if report.layout in LAYOUTS else codes[0]
            layout = layout_column.selectbox(
                "Layout",
                codes,
                index=codes.index(usual),
                format_func=lambda code: LAYOUTS[code].name,
                key="export_layout",
            )
            audio = audio_column.selectbox("Recordings", list(AUDIO), format_func=AUDIO.__getitem__, key="export_audio")
            free = dataset_upload.free_folder(Settings.load().datasets_dir.absolute(), f"{folder.name}-cleaned")
            target = st.text_input("New folder", value=str(free), key=f"export_target_{free.name}")
            asked = st.form_submit_button("Export", icon=":material/ios_share:", type="primary", key="export_now")
        if asked:
            _export(report, decided, folder, Path(target.strip()).expanduser(), layout, audio)
        exported: Exported | None = st.session_state.get(EXPORTED, {}).get(str(folder))
        if exported is not None:
            _show_exported(exported)


def _export(report: DatasetReport, decided: Fitted, folder: Path, target: Path, layout: str, audio: str) -> None:
    settings = Settings.load()
    if not target.is_absolute() or not settings.allows(target.parent):
        st.error(f"{plain_text(str(target))} lies outside the folders that the pages may write to; choose another.")
        return
    try:
        with st.spinner("Writing, and reading it back …"):
            exported = export_dataset(
                as_inspected(report), target, layout,
                texts=decided.texts, left_out=exclusions(report.findings, decided), audio=audio,  # type: ignore[arg-type]
            )  # fmt: skip
    except (DatasetError, OSError) as error:
        st.error(str(error))
        return
    st.session_state.setdefault(EXPORTED, {})[str(folder)] = exported


def _show_exported(exported: Exported) -> None:
    st.success(f"{exported.clips:,} clips are in `{exported.folder}`; {exported.left_out:,} were left out.")
    with st.container(horizontal=True):
        if st.button("Inspect the export", icon=":material/arrow_forward:", key="inspect_export"):
            dataset_choice.choose(exported.folder)
        page_links.link(
            "train.py", "Train with the export", icon=":material/model_training:",
            parameters={"dataset": str(exported.folder)},
        )  # fmt: skip
        if exported.log.is_file():
            st.download_button(
                "Log of the export (CSV)", exported.log.read_bytes(), file_name=exported.log.name, mime="text/csv",
                icon=":material/download:", on_click="ignore", key="download_export_log",
            )  # fmt: skip
