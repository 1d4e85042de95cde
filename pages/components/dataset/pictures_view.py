"""Pictures of the whole dataset, by theme: only the chosen one is computed."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.components.dataset.inspection_job import Inspected
from pages.components.dataset.pictures import recording, sounds, speaking, texts

_THEMES = {
    "recording": ":material/mic: Recording",
    "speaking": ":material/record_voice_over: Speaking",
    "texts": ":material/text_fields: Texts",
    "sounds": ":material/hearing: Sounds",
}


@st.fragment
def show(inspected: Inspected, folder: Path, language: str) -> None:
    """The chosen theme's pictures. A fragment: a click draws this part anew, not the page."""
    if inspected.rows.empty:
        st.info("There are no clips to draw.", icon=":material/insights:")
        return
    theme = st.segmented_control(
        "Pictures",
        list(_THEMES),
        default="recording",
        required=True,
        format_func=_THEMES.__getitem__,
        key="pictures_theme",
        persist_state="session",
        label_visibility="collapsed",
    )
    if theme == "speaking":
        speaking.show(inspected, folder, language)
    elif theme == "texts":
        texts.show(inspected)
    elif theme == "sounds":
        sounds.show(inspected, language)
    else:
        recording.show(inspected)
