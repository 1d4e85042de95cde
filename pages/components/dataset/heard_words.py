"""English clips: the words that are heard beside the words that are written, when a person asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import streamlit as st

from pages.components.dataset.report_view import plain_text
from piper_core.dataset.audit_words import (
    LONGEST_HEARD_S,
    HeardWord,
    WordPair,
    WordsUnavailable,
    is_heard,
    word_diff,
    words_heard_apart,
    words_problem,
)

_ASKED = "heard_words_asked"
_LOOK_EVERY_S = 0.4


def show(
    path: Path,
    words: str,
    language: str,
    span: tuple[float, float | None] = (0.0, None),
    *,
    shortcut: str | None = None,
) -> None:
    """A button, and once it was pressed the words heard in the clip at `path` beside `words`; English alone."""
    if not is_heard(language) or not words.strip():
        return
    if problem := words_problem(language):
        st.caption(plain_text(problem))
        return
    try:
        clip = (str(path), path.stat().st_mtime_ns, *span)
    except OSError:
        return  # the player says why the clip can't be heard
    asked = st.session_state.setdefault(_ASKED, set())
    if clip not in asked:
        st.button(
            "Show the words heard",
            key="heard_words",
            icon=":material/hearing:",
            on_click=asked.add,
            args=(clip,),
            shortcut=shortcut,
            help="pocketsphinx, a small recogniser of American English, listens to the clip for a second or two.",
        )
        return
    listening = _listening(*clip)
    if not listening.done():
        _wait_for(clip)
        return
    try:
        heard = listening.result()
    except (WordsUnavailable, OSError) as problem:
        st.caption(plain_text(str(problem)))
    else:
        _show_pairs(word_diff(words, heard), heard)


@st.fragment(run_every=_LOOK_EVERY_S)
def _wait_for(clip: tuple[str, int, float, float | None]) -> None:
    """A line until the words are known. It looks now and then: whoever goes on to another clip need not wait."""
    if _listening(*clip).done():
        st.rerun()
    st.caption(":material/hourglass_empty: Listening to the words …")


def _show_pairs(pairs: Sequence[WordPair], heard: Sequence[HeardWord]) -> None:
    if not heard:
        st.caption("pocketsphinx heard no word in this clip.")
        return
    written = sum(len(pair.written) for pair in pairs)
    same = sum(len(pair.written) for pair in pairs if pair.kind == "same")
    with st.container(border=True, gap="xsmall", key="heard_words_shown"):
        st.markdown(f":small[:gray[Written]]  \n{_marked((pair.kind, pair.written) for pair in pairs)}")
        st.markdown(f":small[:gray[Heard]]  \n{_marked((pair.kind, pair.heard) for pair in pairs)}")
        st.caption(
            f"{same} of the {written} words written are heard too; those that differ are marked. pocketsphinx mishears"
            " one in five, more in names and accents: only a stretch of other words says that the text is another."
        )
        if heard[-1].end_s > LONGEST_HEARD_S - 1:
            st.caption(f"Only the first {LONGEST_HEARD_S:.0f} s of the clip were listened to.")


def _marked(stretches: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Words in a row, as Markdown; a stretch that differs has a background."""
    shown = []
    for kind, words in stretches:
        text = plain_text(" ".join(words))
        if text:
            shown.append(text if kind == "same" else f":orange-background[{text}]")
    return " ".join(shown)


@st.cache_resource(max_entries=200, show_spinner=False)
def _listening(path: str, modified_ns: int, offset_s: float, length_s: float | None) -> Future[list[HeardWord]]:
    """Begun once a clip; it goes on when the person does."""
    return _listeners().submit(words_heard_apart, Path(path), offset_s, length_s)


@st.cache_resource(show_spinner=False)
def _listeners() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(2, thread_name_prefix="words")
