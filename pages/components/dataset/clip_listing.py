"""The clips that the table lists: a page of them at a time, the ticked ones, and the one that is open.

Each click sends the table to the browser anew, so it holds as many rows as that takes no time for; all clips are a
page away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from pages.components.dataset import clip_table, measurements
from pages.components.dataset.inspection_job import Inspected
from pages.components.theme import SEVERITY

PAGE_ROWS = 1000
_LISTINGS = "clip_listings"
_HEIGHT = 860
_MOST_TEXT = 160


@dataclass
class Listing:
    """What a session's table of one dataset shows. A clip's place is its index in the clip table, which it keeps."""

    folder: str
    opened: int | None = None
    """The place of the clip that was clicked."""
    page: int = 1
    turns: int = 0
    """How often the page was turned for the person: each time its widget begins anew."""
    _asked: object = None
    _places: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=int))
    _moved: bool = False

    @property
    def key(self) -> str:
        """Of the table's widget."""
        return f"clips_{self.folder}"

    @property
    def page_key(self) -> str:
        """Of the widget that turns pages."""
        return f"clips_page_{self.turns}_{self.folder}"

    def open(self, place: int) -> None:
        """Open the clip at `place`, and turn to its page."""
        self.opened, self._moved = place, True

    def turn(self, shown: pd.DataFrame, asked: object) -> tuple[pd.DataFrame, int]:
        """The page of `shown` to list, and how many there are; back to the first when something else is `asked` for."""
        pages = max(1, -(-len(shown) // PAGE_ROWS))
        page = was = st.session_state.get(self.page_key, self.page)
        if asked != self._asked:
            page, self._asked = 1, asked
        at = self.position(shown) if self._moved else None
        if at is not None:
            page = at // PAGE_ROWS + 1
        self.page = min(page, pages)
        self.turns += self.page != was
        listed = shown.iloc[(self.page - 1) * PAGE_ROWS : self.page * PAGE_ROWS]
        self._carry(listed.index.to_numpy())
        return listed, pages

    def position(self, shown: pd.DataFrame) -> int | None:
        """Where in `shown` the open clip stands, if it is there."""
        if self.opened is None:
            return None
        found = np.flatnonzero(shown.index.to_numpy() == self.opened)
        return int(found[0]) if found.size else None

    def _carry(self, places: np.ndarray) -> None:
        """Ticks and the chosen cell are positions in the table: when it lists other rows, they go with their clips."""
        old, self._places, moved, self._moved = self._places, places, self._moved, False
        if not moved and np.array_equal(old, places):
            return
        now = {place: position for position, place in enumerate(places)}
        selection = st.session_state.get(self.key, {}).get("selection", {})
        ticked = [now.get(old[row]) for row in selection.get("rows", ()) if row < len(old)]
        column = next((column for _, column in selection.get("cells", ())), "utterance_id")
        cell = now.get(self.opened)
        st.session_state[self.key] = {
            "selection": {
                "rows": [row for row in ticked if row is not None],
                "columns": [],
                "cells": [] if cell is None else [(cell, column)],
            }
        }


def of(folder: str) -> Listing:
    """The session's listing of the dataset in `folder`."""
    listings: dict[str, Listing] = st.session_state.setdefault(_LISTINGS, {})
    return listings.setdefault(folder, Listing(folder))


def show(
    listing: Listing,
    shown: pd.DataFrame,
    asked: object,
    inspected: Inspected,
    left_out: set[int],
    measured: list[str],
) -> tuple[pd.DataFrame, int | None]:
    """Draw a page of `shown`, with the columns `measured`.

    Returns the ticked clips, and the open clip's position in `shown`: the clicked one, else the last ticked one, else
    the first.
    """
    listed, pages = listing.turn(shown, asked)
    speaker = ["speaker"] if len(inspected.speakers) > 1 else []
    columns = ["utterance_id", "duration_s", *measured, *speaker, "findings", "text"]
    numbers = {name: st.column_config.NumberColumn(measurements.label(name), format="%.2f") for name in measured}
    frame = listed[columns].assign(kept=~listed["row"].isin(left_out), text=listed["text"].str.slice(0, _MOST_TEXT))
    event = st.dataframe(
        frame[["kept", *columns]],
        hide_index=True,
        height=_HEIGHT,
        key=listing.key,
        on_select="rerun",
        selection_mode=["multi-row", "single-cell"],
        placeholder="",
        column_config={
            "kept": st.column_config.CheckboxColumn("In", width=45, help="Whether the clip is kept in the dataset"),
            "utterance_id": st.column_config.TextColumn("Clip", width=170),
            "findings": _badges("Findings", clip_table.severity_of_kinds(inspected.kinds)),
            "speaker": st.column_config.TextColumn("Speaker", width=90),
            "duration_s": st.column_config.NumberColumn("Seconds", format="%.2f", width=75),
            **numbers,
            "text": st.column_config.TextColumn("Text", width="large"),
        },
        alt="The clips with their findings, lengths and texts",
    )  # fmt: skip
    _show_pages(listing, len(shown), pages)
    cells = [row for row, _ in event.selection.cells if row < len(listed)]
    ticked = listed.iloc[[row for row in event.selection.rows if row < len(listed)]]
    if cells:
        listing.opened = int(listed.index[cells[0]])
    at = listing.position(shown)
    if at is None and len(shown):
        at = shown.index.get_loc(ticked.index[-1]) if len(ticked) else 0
    return ticked, at


def _show_pages(listing: Listing, clips: int, pages: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.caption(f"{clips:,} clips. Click a cell to open its clip; tick rows to leave them out.", width="content")
        if pages > 1:
            st.pagination(pages, default=listing.page, key=listing.page_key, max_visible_pages=5)


def _badges(label: str, severities: Mapping[str, str]) -> Any:
    """A column of findings as badges, in the colour of the worst severity that each kind has here."""
    colors = [SEVERITY[severity] for severity in severities.values()]
    return st.column_config.MultiselectColumn(label, options=list(severities), color=colors, width=170)
