"""The views of one dataset, and which of them is open: the address says so, so that a link leads to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import streamlit as st

from pages.components.dataset.inspection_job import Inspected

VIEW = "view"
"""In the address: the name of the open view."""
_CHOICE = "dataset_view"


class Show(Protocol):
    """Draws a view of an inspected dataset."""

    def __call__(self, inspected: Inspected, folder: Path, language: str) -> None: ...


class View(NamedTuple):
    """One way to look at a dataset."""

    name: str
    """In the address."""
    label: str
    icon: str
    show: Show


def chosen(views: Sequence[View]) -> View:
    """Let one of `views` be chosen; the address names it, else the session's last one, else it is the first."""
    by_name = {view.name: view for view in views}
    named = st.query_params.get(VIEW)
    if named in by_name:
        st.session_state[_CHOICE] = named
    name = st.segmented_control(
        "View",
        list(by_name),
        default=None if _CHOICE in st.session_state else views[0].name,
        required=True,
        format_func=lambda name: f"{by_name[name].icon} {by_name[name].label}",
        key=_CHOICE,
        on_change=_to_address,
        persist_state="session",
        label_visibility="collapsed",
    )
    if named != name and (named or name != views[0].name):
        _to_address()
    return by_name.get(name or "", views[0])


def open_view(name: str) -> None:
    """Draw the page anew with the view of that name. For a button inside a view."""
    st.query_params[VIEW] = name
    st.rerun()


def _to_address() -> None:
    st.query_params[VIEW] = st.session_state[_CHOICE]
