"""Asking for a language: one list of espeak-ng's voices, on Dataset and on Train."""

from __future__ import annotations

from typing import Any

import streamlit as st

from piper_core.dataset import text

DEFAULT_LANGUAGE = "en-us"


def choose(label: str, *, given: str = DEFAULT_LANGUAGE, **look: Any) -> str:
    """The chosen espeak-ng voice, `given` until another is; English where the list can't be had, which is said.

    `look` goes to st.selectbox: key, help, width.
    """
    try:
        names = {known.code: f"{known.name} ({known.code})" for known in text.languages()}
    except text.TextError as error:
        st.caption(str(error))
        return DEFAULT_LANGUAGE
    codes = list(names)
    first = codes.index(given if given in names else DEFAULT_LANGUAGE)
    return st.selectbox(label, codes, index=first, format_func=names.__getitem__, **look)
