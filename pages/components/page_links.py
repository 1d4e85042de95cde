"""A link to another page that works inside the app, and says where to go when a page runs alone."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st
from streamlit.errors import StreamlitPageNotFoundError


def link(page: str, label: str, *, icon: str | None = None, parameters: Mapping[str, str] | None = None) -> None:
    """Show a link to `page` ("train.py"), which opens with `parameters` in its address."""
    try:
        st.page_link(page, label=label, icon=icon, query_params=dict(parameters or {}))
    except StreamlitPageNotFoundError:
        st.caption(f"{label}: open the page “{page.removesuffix('.py').capitalize()}” of the app.")
