"""The clips of a dataset: filter and sort the table, click a clip to see and hear it, tick clips to leave them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from pages.components.dataset import clip_table, clip_view, journal_state, measurements
from pages.components.dataset.inspection_job import Inspected
from pages.components.theme import SEVERITY
from piper_core.dataset.decisions import ClipName
from piper_core.dataset.journal import JournalError

WORST, AS_WRITTEN = "worst", "row"
"""Orders of the table that are no measurement."""
SORT, DOWNWARDS = "clip_sort", "clip_sort_downwards"
"""Session state: what the table is in order of, and whether the greatest comes first."""
_PLACES = "clip_places"
"""Session state: of each folder the clips that the table showed last, by their places, and the order while it grows."""
_SHOW = ("All", "Usable", "Left out")
_TABLE_HEIGHT = 860
_MOST_LISTED = 20_000
"""Rows that go to the browser: it holds them, and needs half a second for more."""
_MOST_TEXT = 160


@st.fragment
def show(inspected: Inspected, folder: Path, language: str) -> None:
    """Filters, table and the chosen clip. A fragment: a click draws this part anew, not the page."""
    rows, out = inspected.rows, journal_state.left_out(inspected.rows, folder)
    if rows.empty:
        st.info(
            "There is no clip to show: no row of the metadata names one. The overview says what is wrong with them."
        )
        return
    chosen, by, downwards = _filters(rows)
    shown = clip_table.filter_rows(_ordered(inspected, str(folder), by, downwards), chosen, out)
    table, detail = st.columns([3, 2], gap="medium")
    with table:
        actions = st.container(horizontal=True, vertical_alignment="center")
        ticked, clicked = _table(shown, inspected, out, str(folder), by)
        with actions:
            _actions(shown, ticked, out, folder)
    with detail.container(border=True):
        if clicked is None:
            st.caption("No clip passes the filters.")
            return
        _neighbours(shown, clicked, str(folder))
        clip = shown.iloc[clicked].to_dict()
        clip_view.show(clip, inspected.findings_of(clip), folder, language)


def _filters(rows: pd.DataFrame) -> tuple[clip_table.ClipFilter, str, bool]:
    """Which clips are to be shown, in the order of what, and whether the greatest comes first."""
    kinds = sorted({code for codes in rows["findings"] for code in codes})
    speakers = sorted(rows["speaker"].dropna().unique())
    orders = {WORST: "Worst findings first", AS_WRITTEN: "As in the metadata"}
    orders |= {name: measurements.label(name) for name in measurements.numeric(rows)}
    if st.session_state.get(SORT) not in orders:
        st.session_state.pop(SORT, None)  # what it was in order of is no longer known
    with st.container(horizontal=True, vertical_alignment="bottom"):
        search = st.text_input(
            "Search", placeholder="word or id", icon=":material/search:", key="filter_search", width=180
        )
        severities = st.multiselect(
            "Severity", [*clip_table.SEVERITIES, clip_table.NO_FINDING], key="filter_severity", width=180
        )
        found = st.multiselect("Finding", kinds, key="filter_kinds", width=200)
        voices = st.multiselect("Speaker", speakers, key="filter_speakers", width=180) if len(speakers) > 1 else []
        by = st.selectbox("Order", list(orders), format_func=orders.__getitem__, key=SORT, width=210)
        downwards = by not in (WORST, AS_WRITTEN) and st.toggle("Greatest first", value=True, key=DOWNWARDS)
        show = st.segmented_control("Show", _SHOW, default=_SHOW[0], required=True, key="filter_show")
    chosen = clip_table.ClipFilter(
        kinds=tuple(found),
        severities=tuple(severities),
        speakers=tuple(voices),
        search=search,
        usable_only=show == "Usable",
        left_out_only=show == "Left out",
    )
    return chosen, by, downwards


def _ordered(inspected: Inspected, folder: str, by: str, downwards: bool) -> pd.DataFrame:
    """All clips in order. While findings still come in, the first order stays: rows that move can't be read."""
    rows = inspected.rows
    if by != WORST:
        return clip_table.in_order(rows, by, descending=downwards)
    orders: dict[str, np.ndarray] = st.session_state.setdefault(_PLACES, {})
    first = orders.get(folder)
    if inspected.complete or first is None or len(first) != len(rows):
        orders[folder] = rows.index.to_numpy()
        return rows
    return rows.loc[first]


def _badges(label: str, severities: Mapping[str, str]) -> Any:
    """A column of findings as badges, in the colour of the worst severity that each kind has here."""
    colors = [SEVERITY[severity] for severity in severities.values()]
    return st.column_config.MultiselectColumn(label, options=list(severities), color=colors, width=170)


def _table(
    shown: pd.DataFrame, inspected: Inspected, out: set[int], folder: str, by: str
) -> tuple[list[int], int | None]:
    """Draw the table. The ticked rows, and the clicked one (else the last ticked, else the first), by position."""
    listed = shown.iloc[:_MOST_LISTED]
    several = inspected.rows["speaker"].nunique() > 1
    measured = [by] if by not in (WORST, AS_WRITTEN, "duration_s") else []
    columns = ["utterance_id", "duration_s", *measured, *(["speaker"] if several else []), "findings", "text"]
    frame = listed[columns].assign(kept=~listed["row"].isin(list(out)), text=listed["text"].str.slice(0, _MOST_TEXT))
    key = _table_key(folder)
    _carry_selection(key, listed.index.to_numpy())
    event = st.dataframe(
        frame[["kept", *columns]],
        hide_index=True,
        height=_TABLE_HEIGHT,
        key=key,
        on_select="rerun",
        selection_mode=["multi-row", "single-cell"],
        placeholder="",
        column_config={
            "kept": st.column_config.CheckboxColumn("In", width=45, help="Whether the clip is kept in the dataset"),
            "utterance_id": st.column_config.TextColumn("Clip", width=170),
            "findings": _badges("Findings", clip_table.severity_of_kinds(inspected.kinds)),
            "speaker": st.column_config.TextColumn("Speaker", width=90),
            "duration_s": st.column_config.NumberColumn("Seconds", format="%.2f", width=75),
            **{name: st.column_config.NumberColumn(measurements.label(name), format="%.2f") for name in measured},
            "text": st.column_config.TextColumn("Text", width="large"),
        },
        alt="The clips with their findings, lengths and texts",
    )
    more = (
        f"The first {len(listed):,} are listed: search or filter for the others. " if len(listed) < len(shown) else ""
    )
    st.caption(f"{len(shown):,} clips. {more}Click a cell to open its clip; tick rows to leave them out.")
    ticked = [row for row in event.selection.rows if row < len(listed)]
    cells = [row for row, _ in event.selection.cells if row < len(listed)]
    return ticked, next(iter(cells or ticked[::-1] or range(min(1, len(shown)))), None)


def _table_key(folder: str) -> str:
    return f"clips_{folder}"


def _carry_selection(key: str, places: np.ndarray) -> None:
    """Ticks and the chosen cell are positions in the table: when it shows other rows, they go with their clips."""
    before: dict[str, np.ndarray] = st.session_state.setdefault(_PLACES + "_listed", {})
    old, before[key] = before.get(key), places
    selection = st.session_state.get(key, {}).get("selection")
    if old is None or not selection or np.array_equal(old, places):
        return
    now = {place: position for position, place in enumerate(places)}

    def moved(position: int) -> int | None:
        return now.get(old[position]) if position < len(old) else None

    st.session_state[key] = {
        "selection": {
            "rows": [new for row in selection["rows"] if (new := moved(row)) is not None],
            "columns": [],
            "cells": [(new, column) for row, column in selection["cells"] if (new := moved(row)) is not None],
        }
    }


def _neighbours(shown: pd.DataFrame, clicked: int, folder: str) -> None:
    """The way to the clips before and after, in the table's order."""
    last = min(len(shown), _MOST_LISTED) - 1
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        with st.container(key="clip_place", width="content"):
            st.caption(f"{clicked + 1:,} of {len(shown):,}", width="content")
        with st.container(horizontal=True, width="content", gap="small"):
            for key, icon, to, label in (
                ("clip_before", ":material/chevron_left:", clicked - 1, "Before"),
                ("clip_after", ":material/chevron_right:", clicked + 1, "Next"),
            ):
                st.button(label, key=key, icon=icon, disabled=not 0 <= to <= last, on_click=_open, args=(folder, to))


def _open(folder: str, position: int) -> None:
    key = _table_key(folder)
    ticked = st.session_state.get(key, {}).get("selection", {}).get("rows", [])
    st.session_state[key] = {"selection": {"rows": ticked, "columns": [], "cells": [(position, "utterance_id")]}}


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
