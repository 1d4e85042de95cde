"""A page with nothing to show yet: what will be here, and where to begin."""

from __future__ import annotations

import streamlit as st

from pages.components import page_links


def show(title: str, text: str, *links: tuple[str, str, str]) -> None:
    """A quiet box with `links`, each a page ("train.py"), a label and an icon."""
    with st.container(border=True, horizontal_alignment="center"):
        st.space("small")
        st.markdown(f"### {title}", text_alignment="center")
        st.markdown(text, text_alignment="center")
        with st.container(horizontal=True, horizontal_alignment="center"):
            for page, label, icon in links:
                page_links.link(page, label, icon=icon)
        st.space("small")
