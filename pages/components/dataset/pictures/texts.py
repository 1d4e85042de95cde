"""What the texts are made of: characters, words, and how fast new words come."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from pages.components.dataset.figures.words import alphabet, visible, vocabulary_growth, word_frequencies
from pages.components.dataset.inspection_job import Inspected
from pages.components.theme import CHART_CONFIG
from piper_core.dataset.vocabulary import Vocabulary, vocabulary

_ODD_SHOWN = 30


def show(inspected: Inspected) -> None:
    """Alphabet, word frequencies, growth of the vocabulary."""
    rows = inspected.rows.sort_values("row", kind="stable")
    seen = _vocabulary(tuple(rows["text"]))
    if not seen.words:
        st.info("The texts hold no words.", icon=":material/text_fields:")
        return
    with st.grid(4, min_column_width=120):
        st.metric("Words", f"{int(seen.counts.sum()):,}", border=True)
        st.metric("Different words", f"{len(seen.words):,}", border=True)
        st.metric("Spoken once", f"{seen.spoken_once:,}", border=True)
        st.metric("Characters", f"{len(seen.characters):,}", border=True, help="Different ones, without the space.")
    st.subheader("Alphabet", anchor=False)
    st.caption(
        "Good: the letters of the language and its punctuation. Bad: rare characters on the right, which the voice"
        " hardly learns, and marked ones, which espeak-ng reads in its own way."
    )
    figure = alphabet(seen.characters, seen.odd)
    alt = f"Counts of {len(seen.characters)} different characters, {len(seen.odd)} of them marked"
    st.plotly_chart(figure, config=CHART_CONFIG, key="alphabet_chart", alt=alt)
    if seen.odd:
        _show_odd(seen, rows)
    st.subheader("Vocabulary", anchor=False)
    st.caption(
        "Good: a straight falling line, and a growth that goes on. Bad: a flat start, where few sentences are repeated"
        " again and again, and a growth that stops early."
    )
    left, right = st.columns(2, gap="medium")
    figure = word_frequencies(seen.counts, seen.words)
    left.plotly_chart(figure, config=CHART_CONFIG, key="words_chart", alt="Frequency of words against their rank")
    figure = vocabulary_growth(seen.read, seen.distinct)
    right.plotly_chart(figure, config=CHART_CONFIG, key="growth_chart", alt="Different words against words read")


@st.cache_data(max_entries=4, show_spinner="Counting words …", hash_funcs={tuple: hash})
def _vocabulary(texts: Sequence[str]) -> Vocabulary:
    return vocabulary(texts)


def _show_odd(seen: Vocabulary, rows: pd.DataFrame) -> None:
    counts = dict(seen.characters)
    found = []
    for character, why in list(seen.odd.items())[:_ODD_SHOWN]:
        holds = rows["text"].str.contains(character, regex=False)
        found.append(
            {
                "Character": visible(character),
                "Times": counts[character],
                "Clips": int(holds.sum()),
                "Why": why,
                "For example": rows.loc[holds, "utterance_id"].iloc[0] if holds.any() else "",
            }
        )
    st.dataframe(pd.DataFrame(found), hide_index=True, key="odd_characters", alt="Characters to look at")
