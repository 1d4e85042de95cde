"""The clips of a dataset: filter and sort the table, click a clip to see and hear it, tick clips to leave them out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from pages.components.dataset import clip_table, clip_view, journal_state
from pages.components.dataset.inspection_job import Inspected
from pages.components.theme import SEVERITY
from piper_core.dataset.decisions import ClipName
from piper_core.dataset.journal import JournalError

_SHOW = ("All", "Usable", "Left out")
_TABLE_HEIGHT = 860


@st.fragment
def show(inspected: Inspected, folder: Path, language: str) -> None:
    """Filters, table and the chosen clip. A fragment: a click draws this part anew, not the page."""
    rows, report, out = inspected.rows, inspected.plain, journal_state.left_out(inspected.rows, folder)
    shown = clip_table.filter_rows(rows, _filters(rows), out)
    table, detail = st.columns([3, 2], gap="medium")
    with table:
        actions = st.container(horizontal=True, vertical_alignment="center")
        ticked, clicked = _table(shown, clip_table.severity_of_kinds(report), out, str(folder))
        with actions:
            _actions(shown, ticked, out, folder)
    with detail.container(border=True):
        if clicked is None:
            st.caption("No clip passes the filters.")
            return
        clip = shown.iloc[clicked].to_dict()
        clip_view.show(clip, clip_table.findings_of(clip, report), folder, language)


def _filters(rows: pd.DataFrame) -> clip_table.ClipFilter:
    kinds = sorted({code for codes in rows["findings"] for code in codes})
    speakers = sorted(rows["speaker"].dropna().unique())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        search = st.text_input(
            "Search", placeholder="word or id", icon=":material/search:", key="filter_search", width=200
        )
        severities = st.multiselect(
            "Severity", [*clip_table.SEVERITIES, clip_table.NO_FINDING], key="filter_severity", width=200
        )
        chosen = st.multiselect("Finding", kinds, key="filter_kinds", width=240)
        voices = st.multiselect("Speaker", speakers, key="filter_speakers", width=200) if len(speakers) > 1 else []
        show = st.segmented_control("Show", _SHOW, default=_SHOW[0], required=True, key="filter_show")
    return clip_table.ClipFilter(
        kinds=tuple(chosen),
        severities=tuple(severities),
        speakers=tuple(voices),
        search=search,
        usable_only=show == "Usable",
        left_out_only=show == "Left out",
    )


def _badges(label: str, severities: Mapping[str, str]) -> Any:
    """A column of findings as badges, in the colour of the worst severity that each kind has here."""
    colors = [SEVERITY[severity] for severity in severities.values()]
    return st.column_config.MultiselectColumn(label, options=list(severities), color=colors, width=170)


def _table(
    shown: pd.DataFrame, severities: Mapping[str, str], out: set[int], folder: str
) -> tuple[list[int], int | None]:
    """Draw the table. The ticked rows, and the clicked one (else the last ticked, else the first), by position."""
    several = shown["speaker"].nunique() > 1
    columns = ["utterance_id", "duration_s", *(["speaker"] if several else []), "findings", "text"]
    frame = shown[columns].assign(kept=~shown["row"].isin(list(out)))[["kept", *columns]]
    # Ticks are positions: another choice of rows has to start without any.
    identity = hashlib.blake2b("\0".join([folder, *shown["utterance_id"]]).encode(), digest_size=8).hexdigest()
    event = st.dataframe(
        frame,
        hide_index=True,
        height=_TABLE_HEIGHT,
        key=f"clips_{identity}",
        on_select="rerun",
        selection_mode=["multi-row", "single-cell"],
        column_config={
            "kept": st.column_config.CheckboxColumn("In", width=45, help="Whether the clip is kept in the dataset"),
            "utterance_id": st.column_config.TextColumn("Clip", width=170),
            "findings": _badges("Findings", severities),
            "speaker": st.column_config.TextColumn("Speaker", width=90),
            "duration_s": st.column_config.NumberColumn("Seconds", format="%.2f", width=75),
            "text": st.column_config.TextColumn("Text", width=380),
        },
        placeholder="–",
        alt="All clips of the dataset with their findings, lengths and texts",
    )
    st.caption(
        f"{len(shown):,} clips. Click a cell to open its clip; tick rows to leave them out; click a heading to sort."
    )
    ticked = [row for row in event.selection.rows if row < len(shown)]
    cells = [row for row, _ in event.selection.cells if row < len(shown)]
    return ticked, next(iter(cells or ticked[::-1] or range(min(1, len(shown)))), None)


def _actions(shown: pd.DataFrame, ticked: list[int], out: set[int], folder: Path) -> None:
    journal, chosen = journal_state.of(folder), shown.iloc[ticked]
    to_leave, to_take = chosen[~chosen["row"].isin(list(out))], chosen[chosen["row"].isin(list(out))]
    all_in = shown[~shown["row"].isin(list(out))]
    label = f"Leave out {len(chosen):,} ticked" if ticked else "Leave out ticked"
    if st.button(label, icon=":material/remove_circle:", disabled=to_leave.empty, key="leave_out"):
        _decide(journal.leave_out, to_leave)
    if st.button("Take back ticked", icon=":material/undo:", disabled=to_take.empty, key="take_back"):
        _decide(journal.take_back, to_take)
    if st.button(f"Leave out all {len(shown):,} shown", disabled=all_in.empty, key="leave_out_shown"):
        _decide(journal.leave_out, all_in)
    if st.button("Take all back", disabled=not out, key="take_all_back"):
        _decide(journal.take_back, list(journal.decisions.left_out))


def _decide(decide: Callable[[list[ClipName]], object], clips: pd.DataFrame | list[ClipName]) -> None:
    try:
        decide(clips if isinstance(clips, list) else journal_state.names(clips))
    except JournalError as error:
        st.error(str(error))
        return
    st.rerun()
