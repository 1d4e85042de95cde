"""The clips of a dataset: filter and sort the table, click a clip to see and hear it, tick clips to leave them out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from pages.components.dataset import clip_listing, clip_table, clip_view, journal_state, measurements
from pages.components.dataset.inspection_job import Inspected
from piper_core.dataset.decisions import ClipName
from piper_core.dataset.journal import JournalError

WORST, AS_WRITTEN = "worst", "row"
"""Orders of the table that are no measurement."""
SORT, DOWNWARDS = "clip_sort", "clip_sort_downwards"
"""Session state: what the table is in order of, and whether the greatest comes first."""
_FIRST_ORDER = "clip_first_order"
"""Session state: of each folder the clips by their places, in the order that stays while findings come in."""
_SHOW = ("All", "Usable", "Left out")


@st.fragment
def show(inspected: Inspected, folder: Path, language: str) -> None:
    """Filters, table and the chosen clip. A fragment: a click draws this part anew, not the page."""
    rows, out = inspected.rows, journal_state.left_out(inspected.rows, folder)
    if rows.empty:
        st.info(
            "There is no clip to show: no row of the metadata names one. The overview says what is wrong with them."
        )
        return
    chosen, by, downwards = _filters(inspected)
    shown = clip_table.filter_rows(_ordered(inspected, str(folder), by, downwards), chosen, out)
    listing = clip_listing.of(str(folder))
    measured = [by] if by not in (WORST, AS_WRITTEN, "duration_s") else []
    table, detail = st.columns([3, 2], gap="medium")
    with table:
        actions = st.container(horizontal=True, vertical_alignment="center")
        ticked, clicked = clip_listing.show(listing, shown, (chosen, by, downwards), inspected, out, measured)
        with actions:
            _actions(shown, ticked, out, folder)
    with detail.container(border=True):
        if clicked is None:
            st.caption("No clip passes the filters.")
            return
        _neighbours(shown, clicked, listing)
        clip = shown.iloc[clicked].to_dict()
        clip_view.show(clip, inspected.findings_of(clip), folder, language)


def _filters(inspected: Inspected) -> tuple[clip_table.ClipFilter, str, bool]:
    """Which clips are to be shown, in the order of what, and whether the greatest comes first."""
    speakers = inspected.speakers
    orders = {WORST: "Worst findings first", AS_WRITTEN: "As in the metadata"}
    orders |= {name: measurements.label(name) for name in inspected.numeric}
    if st.session_state.get(SORT) not in orders:
        st.session_state.pop(SORT, None)  # what it was in order of is no longer known
    with st.container(horizontal=True, vertical_alignment="bottom"):
        search = st.text_input(
            "Search", placeholder="word or id", icon=":material/search:", key="filter_search", width=180
        )
        severities = st.multiselect(
            "Severity", [*clip_table.SEVERITIES, clip_table.NO_FINDING], key="filter_severity", width=180
        )
        found = st.multiselect("Finding", inspected.codes, key="filter_kinds", width=200)
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
    orders: dict[str, np.ndarray] = st.session_state.setdefault(_FIRST_ORDER, {})
    first = orders.get(folder)
    if inspected.complete or first is None or len(first) != len(rows):
        orders[folder] = rows.index.to_numpy()
        return rows
    return rows.loc[first]


def _neighbours(shown: pd.DataFrame, clicked: int, listing: clip_listing.Listing) -> None:
    """The way to the clips before and after, in the table's order."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        with st.container(key="clip_place", width="content"):
            st.caption(f"{clicked + 1:,} of {len(shown):,}", width="content")
        with st.container(horizontal=True, width="content", gap="small"):
            for key, icon, to, label in (
                ("clip_before", ":material/chevron_left:", clicked - 1, "Before"),
                ("clip_after", ":material/chevron_right:", clicked + 1, "Next"),
            ):
                there = 0 <= to < len(shown)
                place = int(shown.index[to]) if there else clicked
                st.button(label, key=key, icon=icon, disabled=not there, on_click=listing.open, args=(place,))


def _actions(shown: pd.DataFrame, ticked: pd.DataFrame, out: set[int], folder: Path) -> None:
    journal = journal_state.of(folder)
    gone = ticked["row"].isin(out)
    to_leave, to_take = ticked[~gone], ticked[gone]
    all_in = shown[~shown["row"].isin(out)]
    label = f"Leave out {len(ticked):,} ticked" if len(ticked) else "Leave out ticked"
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
