"""One clip: to hear, to see, its text and phonemes, its measurements and findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from pages.components.dataset import clip_reading, clip_sound, heard_words, measurements
from pages.components.dataset.clip_sound import samples, show_pictures
from pages.components.dataset.report_view import BADGE, plain_text
from piper_core.dataset import text
from piper_core.dataset.text_rules import pictures

__all__ = ["samples", "show", "show_pictures", "span_of"]

LONGEST_TEXT = 600
"""Characters: more are shown when asked for."""


@st.fragment
def show(clip: Mapping[str, Any], findings: Sequence[Mapping[str, Any]], folder: Path, language: str) -> None:
    """Show `clip` (a row of the clip table) of the dataset in `folder`, with its own `findings`."""
    words, name = str(clip["text"]), str(clip["utterance_id"])
    st.subheader(plain_text(name), anchor=False)
    for finding in findings:
        _show_finding(finding)
    _show_phonemes(_show_text(words, clip.get("written_text")), language)
    path, span = folder / str(clip["path"]), span_of(clip)  # an absolute path stays what it is
    heard = clip_sound.samples(path, *span)
    if isinstance(heard, str):
        st.error(plain_text(heard))
    else:
        clip_sound.show(heard, name=name)
        clip_reading.show(path, words, language, span, name=name)
        heard_words.show(path, words, language, span)
    _show_measurements(measurements.measured(clip))


def _show_finding(finding: Mapping[str, Any]) -> None:
    limit = ""
    if finding["unit"] and finding["value"] is not None and not pd.isna(finding["value"]):
        limit = f"{finding['value']:.3g} {finding['unit']}".strip()
        if finding["threshold"] is not None and not pd.isna(finding["threshold"]):
            limit += f", the limit is {finding['threshold']:.3g} {finding['unit']}".rstrip()
        limit = f" :small[:gray[{plain_text(limit)}]]"
    badge = f":{BADGE[finding['severity']]}-badge[{finding['code']}]"
    st.markdown(f"{badge} {plain_text(finding['message'])}{limit}", help=plain_text(finding["source"]) or None)


def _show_text(words: str, written: object) -> str:
    """Shows the text, and of a very long one the beginning, or all when asked for. Returns what is shown."""
    if not words.strip():
        st.markdown("*There is no text.*")
        return ""
    cut = len(words) > LONGEST_TEXT
    if cut and st.toggle(f"Show all {len(words):,} characters", key="clip_all_text"):
        st.code(words, language=None, wrap_lines=True, height=400)
        return words[:LONGEST_TEXT]
    shown = words[:LONGEST_TEXT]
    st.markdown(f"“{plain_text(shown)}{' …' if cut else ''}”")
    if isinstance(written, str) and written and written != words:
        st.caption(f"As written: {plain_text(written[:LONGEST_TEXT])}")
    return shown


def _show_phonemes(words: str, language: str) -> None:
    if shown := pictures(words):
        st.caption(
            f"Phonemes are not shown: espeak-ng crashes on some pictures ({plain_text(' '.join(shown))}). Write the"
            " text without them."
        )
        return
    try:
        sentences = _phonemes(words, language)
    except text.TextError as error:
        st.caption(str(error))
        return
    st.caption("Phonemes")
    st.code("\n".join(sentences) or "none", language=None, wrap_lines=True)


@st.cache_data(max_entries=500, show_spinner=False)
def _phonemes(words: str, language: str) -> list[str]:
    return ["".join(sentence) for sentence in text.phonemize(words, language)]


def span_of(clip: Mapping[str, Any]) -> tuple[float, float | None]:
    """Where in its file the clip lies: seconds from its beginning, and its length; None is to the end."""
    length_s = clip.get("length_s")
    return float(clip.get("offset_s") or 0.0), None if length_s is None or pd.isna(length_s) else float(length_s)


def _show_measurements(shown: Mapping[str, str]) -> None:
    lines, half = list(shown.items()), (len(shown) + 1) // 2
    for column, part in zip(st.columns(2), (lines[:half], lines[half:]), strict=True):
        if part:
            column.table({key: plain_text(value) for key, value in part}, border="horizontal", alt="Measurements")
