"""What a button did, as a sentence that stays for a while although the panel is drawn anew again and again."""

from __future__ import annotations

import time

import streamlit as st

STAYS_S = 60.0


def leave(place: str, sentence: str, *, good: bool = True) -> None:
    """Say `sentence` at `place` from now on, in the place of what was said there."""
    st.session_state[_key(place)] = (sentence, good, time.monotonic())


def show(place: str) -> None:
    """Show what was said at `place` in the last minute."""
    said = st.session_state.get(_key(place))
    if said is None:
        return
    sentence, good, said_at = said
    if time.monotonic() - said_at > STAYS_S:
        del st.session_state[_key(place)]
    elif good:
        st.success(sentence, icon=":material/check_circle:")
    else:
        st.warning(sentence, icon=":material/info:")


def _key(place: str) -> str:
    return f"notice_{place}"
