"""Write the cleaned dataset elsewhere, in any layout: with the texts as edited, without what is left out, and a log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
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
    from piper_core.dataset.decisions import Fitted, Reason
    from piper_core.dataset.report import DatasetReport

AUDIO = {
    "link": "Linked: no space is taken, and the originals have to stay",
    "copy": "Copied: the export stands on its own",
    "none": "Left where they are: the metadata alone",
}
EXPORTED = "exported_datasets"
"""Session state: folder -> what was exported last, and what became of its recordings."""


def show(inspected: Inspected, folder: Path) -> None:
    """The form, and after it what was written, with the way to inspect it and to train with it."""
    report, decided = inspected.report, journal_state.fitted(inspected.rows, folder)
    behind = exclusions(report.findings, decided)
    with st.container(border=True):
        st.subheader("Export a cleaned dataset", icon=":material/ios_share:", anchor=False)
        _tell(report, decided, behind)
        if not inspected.complete:
            st.warning("The inspection goes on: what it finds later is not left out yet.", icon=":material/pending:")
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
        exported, audio = st.session_state.get(EXPORTED, {}).get(str(folder), (None, ""))
        if exported is not None:
            _show_exported(exported, audio)


def _tell(report: DatasetReport, decided: Fitted, behind: Mapping[int, Reason]) -> None:
    """How many clips are written, and by which rules the others are not."""
    rows = {row.row for row in report.utterances}
    stay = rows - behind.keys()
    edited = len(stay & decided.texts.keys())
    rules = Counter(reason.code for row, reason in behind.items() if row in rows)
    with_edits = f", {edited:,} of them with an edited text" if edited else ""
    st.markdown(f"**{len(stay):,} of {len(rows):,} clips** are written{with_edits}. The dataset itself stays as it is.")
    if rules:
        listed = ", ".join(f"{count:,} {plain_text(code)}" for code, count in rules.most_common())
        st.caption(
            f"Left out: {listed}.",
            help="By hand, and clips with an error. Whoever keeps such a clip in the view “Triage”, or mends its text,"
            " has it written, unless there is nothing to train on.",
        )


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
    st.session_state.setdefault(EXPORTED, {})[str(folder)] = (exported, audio)
    st.rerun()  # the form proposes a folder that is free


def _show_exported(exported: Exported, audio: str) -> None:
    st.success(f"{exported.clips:,} clips are in `{exported.folder}`; {exported.left_out:,} left out.")
    alone = audio == "none"
    if alone:
        st.caption("Its paths start in the dataset's folder: put it there, or where the same recordings lie.")
    with st.container(horizontal=True, vertical_alignment="center"):
        if not alone and st.button("Inspect the export", icon=":material/arrow_forward:", key="inspect_export"):
            dataset_choice.choose(exported.folder)
        if exported.log.is_file():
            st.download_button(
                "Log of the export (CSV)", exported.log.read_bytes(), file_name=exported.log.name, mime="text/csv",
                icon=":material/download:", on_click="ignore", key="download_export_log",
            )  # fmt: skip
        if not alone:
            page_links.link(
                "train.py", "Train with the export", icon=":material/model_training:",
                parameters={"dataset": str(exported.folder)},
            )  # fmt: skip
