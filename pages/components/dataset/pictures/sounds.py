"""Phoneme coverage: which sounds of the language the texts hold, which a base voice lacks, what to record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from pages.components import language as languages
from pages.components.dataset.figures.phonemes import sounds_counted
from pages.components.dataset.inspection_job import Inspected
from pages.components.theme import CHART_CONFIG
from piper_core.dataset import coverage, recording_sentences
from piper_core.dataset.coverage import WANTED, BaseVoice, Counted, Coverage, Suggested
from piper_core.dataset.sounds import Inventory, inventory, sounds_of
from piper_core.dataset.text import TextError
from piper_core.dataset.text_rules import main_script

_SAMPLE = 2000
"""So many texts are read at once; the rest when it is asked for."""
_MOST_CANDIDATES = 3000
_NONE, _LANGUAGE, _FILE = "None", "By its language", "By its JSON file"


def show(inspected: Inspected, language: str) -> None:
    """Counts, what is missing, the base voice, and sentences to record."""
    rows = inspected.rows.sort_values("row", kind="stable")
    texts = tuple(dict.fromkeys(text for text in rows["text"] if text.strip()))
    if not texts:
        st.info("There are no texts to read.", icon=":material/text_fields:")
        return
    chosen = _chosen(texts)
    try:
        known = _inventory(language, main_script(texts[:_SAMPLE]))
        counted = _counted(chosen, language)
    except TextError as error:
        st.error(str(error))
        return
    seen = coverage.coverage(counted, known)
    _show_coverage(seen, counted, known)
    _show_base(seen, known)
    _show_sentences(counted, known.usual, language)


def _chosen(texts: Sequence[str]) -> tuple[str, ...]:
    """All texts, or an even sample of very many."""
    if len(texts) <= _SAMPLE or st.toggle(f"Read all {len(texts):,} texts", key="sounds_all"):
        return tuple(texts)
    st.caption(f"Counted in {_SAMPLE:,} of {len(texts):,} texts, evenly spread.")
    return tuple(texts[at * len(texts) // _SAMPLE] for at in range(_SAMPLE))


@st.cache_data(max_entries=8, show_spinner="Listening to the language …")
def _inventory(language: str, script: str | None) -> Inventory:
    return inventory(language, script)


@st.cache_data(max_entries=4, show_spinner="Reading the texts …", hash_funcs={tuple: hash})
def _counted(texts: Sequence[str], language: str) -> Counted:
    return coverage.count(texts, language)


def _show_coverage(seen: Coverage, counted: Counted, known: Inventory) -> None:
    usual = known.usual
    with st.grid(4, min_column_width=120):
        st.metric("Sounds covered", f"{len(usual) - len(seen.missing)} of {len(usual)}", border=True)
        st.metric("Missing", f"{len(seen.missing)}", border=True)
        st.metric(f"Fewer than {WANTED} times", f"{len(seen.thin)}", border=True)
        st.metric(
            "Pairs of sounds",
            f"{seen.pair_share:.0%}",
            border=True,
            help=f"Of the {len(known.pairs):,} pairs of neighbouring sounds in words of the language.",
        )
    st.subheader("Sounds of the language", anchor=False)
    heard = (
        "the names of pictures and numbers, as espeak-ng speaks them in this language"
        if known.has_words
        else "numbers and single syllables, as espeak-ng has no further words in this language: take it as a hint"
    )
    st.caption(
        "Good: every bar is high. Bad: crosses (a sound that the voice never hears) and short bars. The frequent sounds"
        f" of the language come first; they were learned from {heard}."
    )
    figure = sounds_counted(seen.counts, usual, wanted=WANTED, texts=counted.texts)
    alt = f"Counts of {len(usual)} sounds: {len(seen.missing)} are missing, {len(seen.thin)} occur rarely"
    st.plotly_chart(figure, config=CHART_CONFIG, key="sounds_chart", alt=alt)
    if seen.missing:
        st.markdown(f"Missing: {_listed(seen.missing)}")


def _show_base(seen: Coverage, known: Inventory) -> None:
    """What a base voice never heard, and how often it is here."""
    st.subheader("Against a base voice", anchor=False)
    st.caption(
        "Starting from another voice's checkpoint, sounds that it never heard have to be learned from this dataset"
        " alone."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        how = st.segmented_control(
            "Base voice", (_NONE, _LANGUAGE, _FILE), default=_NONE, required=True, key="base_how"
        )
        base = _base(how or _NONE)
    if base is None:
        return
    unheard = [sound for sound in known.usual if not base.knows(sound)]
    if not unheard:
        st.success(
            f"A voice that speaks {base.language} has heard every symbol of this language.", icon=":material/check:"
        )
        return
    st.dataframe(
        pd.DataFrame(
            {
                "Sound": unheard,
                "Times here": [seen.counts[sound] for sound in unheard],
                "What that means": [_verdict(seen.counts[sound]) for sound in unheard],
            }
        ),
        hide_index=True,
        key="base_unheard",
        alt="Sounds that the base voice never heard",
    )


def _verdict(count: int) -> str:
    if count == 0:
        return "missing here too: the voice will not learn it"
    return "new to the base, learned here" if count >= WANTED else f"fewer than {WANTED} times: record more"


def _base(how: str) -> BaseVoice | None:
    try:
        if how == _LANGUAGE:
            return _base_voice(languages.choose("It speaks", key="base_language", width=280))
        if how == _FILE:
            file = st.file_uploader(
                "Its .onnx.json, or the config.json beside its checkpoint", type="json", key="base_json", width=380
            )
            return coverage.read_base(file.getvalue()) if file is not None else None
    except (coverage.BaseError, TextError) as error:
        st.error(str(error))
    return None


@st.cache_data(max_entries=8, show_spinner="Listening to the language …")
def _base_voice(language: str) -> BaseVoice:
    return coverage.base_voice(language)


def _show_sentences(counted: Counted, wanted: Sequence[str], language: str) -> None:
    st.subheader("Sentences to record", anchor=False)
    needed = [sound for sound in wanted if counted.sounds.get(sound, 0) < WANTED]
    if not needed:
        st.success(f"Every sound is spoken {WANTED} times and more: nothing has to be added.", icon=":material/check:")
        return
    st.caption(
        f"The shortest list after which each of these is spoken {WANTED} times: {_listed(needed)}. Paste any text in"
        " your language (a story, a newspaper) to choose from; English has sentences of its own."
    )
    pasted = st.text_area("Sentences you may read from", key="sounds_pasted", height=120)
    candidates = coverage.sentences_of(pasted)[:_MOST_CANDIDATES]
    if language.split("-")[0] == "en":
        candidates += recording_sentences.SENTENCES
    if not candidates:
        st.info(
            "Paste a text above, and the sentences in it that help are listed here.", icon=":material/content_paste:"
        )
        return
    spoken = _spoken(tuple(candidates), language)
    found = coverage.sentences_to_record(spoken, counted.sounds, needed)
    if not found:
        st.info("None of these sentences holds a sound that is wanted.", icon=":material/search_off:")
        return
    after = _still_needed(found, counted.sounds, needed)
    st.dataframe(
        pd.DataFrame({"Sentence": [one.sentence for one in found], "Adds": [_adds(one) for one in found]}),
        hide_index=True,
        key="sounds_sentences",
        alt="Sentences to record, and the sounds that each adds",
    )
    if after:
        st.caption(f"Still fewer than {WANTED} times after these: {_listed(after)}. Another text may hold them.")
    st.download_button(
        f"{len(found)} sentences (text file)" if len(found) > 1 else "The sentence (text file)",
        "\n".join(one.sentence for one in found) + "\n",
        file_name="sentences-to-record.txt",
        mime="text/plain",
        icon=":material/download:",
        on_click="ignore",
        key="sounds_download",
    )


@st.cache_data(max_entries=4, show_spinner="Reading the sentences …", hash_funcs={tuple: hash})
def _spoken(candidates: Sequence[str], language: str) -> dict[str, list[str]]:
    return {sentence: sounds_of(sentence, language) for sentence in candidates}


def _still_needed(found: Sequence[Suggested], counts: Mapping[str, int], wanted: Sequence[str]) -> list[str]:
    added = {sound: sum(one.adds.get(sound, 0) for one in found) for sound in wanted}
    return [sound for sound in wanted if counts.get(sound, 0) + added[sound] < WANTED]


def _adds(one: Suggested) -> str:
    return ", ".join(f"{sound} ×{number}" if number > 1 else sound for sound, number in one.adds.items())


def _listed(sounds: Sequence[str]) -> str:
    return " ".join(f"`{sound}`" for sound in sounds)
