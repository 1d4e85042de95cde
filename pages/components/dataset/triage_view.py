"""Triage: the clips that need a person, worst first, one at a time, by keyboard: hear, keep, leave out, edit, next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from pages.components import quantities
from pages.components.dataset import clip_view, dataset_views, heard_words, journal_state, totals, triage_state
from pages.components.dataset.inspection_job import Inspected
from pages.components.dataset.keyed_player import keyed_player
from pages.components.dataset.report_view import BADGE, plain_text
from pages.components.dataset.triage_state import Triage
from piper_core.dataset import triage
from piper_core.dataset.checks import Finding
from piper_core.dataset.cleaning import exclusions
from piper_core.dataset.decisions import Decision, Fitted, Reason, text_hash

_TEXT = "triage_text"
FRAGMENT = "triage"
_AUTOPLAY = "triage_autoplay"
_MOST_OTHERS = 5
_KEYS = (
    ("P", "play or stop"), ("K", "keep"), ("X", "leave out"), ("E", "edit the text"), ("Ctrl+Enter", "save it"),
    ("Esc", "leave it"), ("N", "next"), ("B", "back"), ("U", "undo"), ("Y", "redo"),
)  # fmt: skip


@st.fragment(key=FRAGMENT)
def show(inspected: Inspected, folder: Path, language: str) -> None:
    """How far you are, the clip, and what can be done with it. A fragment: a key draws this part anew alone."""
    if journal_state.moved_since(inspected.report.checks, folder):
        st.rerun()  # a limit's move was undone here: the whole page follows
    state = triage_state.of(inspected, folder)
    _progress(state)
    if not state.queue:
        st.success("No clip needs a look: no error and no warning is about a clip.", icon=":material/check_circle:")
        if state.was_decided:
            _undo_and_redo(state)
        return
    clip = state.clip()
    if clip is None:
        _all_looked_at(state)
        return
    row = {str(name): value for name, value in inspected.rows.loc[inspected.rows["row"] == clip.row].iloc[0].items()}
    decided = state.decided
    sound, decision = st.columns([3, 2], gap="medium")
    # The clip's words and buttons first: its pictures take longer, and nobody waits for them to decide.
    with decision:
        _badges(clip, decided)
        for finding in clip.findings:
            _explain(finding)
        _text(row, decided, state)
        _other_texts(row, clip, inspected)
        _buttons(row, clip, state)
        words = decided.texts.get(clip.row, str(row["text"]))
        heard_words.show(folder / str(row["path"]), words, language, clip_view.span_of(row), shortcut="W")
        _keyboard()
    with sound.container(border=True):
        _sound(row, folder)


def _progress(state: Triage) -> None:
    told = triage.progress(state.queue, state.decided.decided, state.kept_s)
    clips: dict[str, int] = {}
    for kind in state.kinds:
        clips[kind.code] = clips.get(kind.code, 0) + kind.clips
    with st.container(horizontal=True, vertical_alignment="bottom"):
        share = told.looked_at / told.total if told.total else 1.0
        line = f"**{told.looked_at:,} of {told.total:,} looked at**, {quantities.duration(told.kept_s / 60)} kept"
        st.progress(share, line)
        st.multiselect(
            "Only these findings",
            list(clips),
            format_func=lambda code: f"{code} ({clips.get(code, 0):,})",
            key=triage_state.CODES,
            width=360,
            placeholder="Every error and warning",
            help="The costliest comes first: its severity times the hours of audio that it touches.",
        )
    journal_state.show_place(state.folder)


def _sound(row: Mapping[str, Any], folder: Path) -> None:
    name, path = str(row["utterance_id"]), Path(str(row["path"]))
    st.subheader(plain_text(name), anchor=False)
    heard = clip_view.samples(folder / path, *clip_view.span_of(row))  # an absolute path stays what it is
    samples, sample_rate = (None, 0) if isinstance(heard, str) else heard
    autoplay = bool(st.session_state.get(_AUTOPLAY, True))
    keyed_player(
        samples, sample_rate, clip=f"{folder} {row['row']}", name=f"Clip {name}", text_key=_TEXT, autoplay=autoplay,
        key="triage_player",
    )  # fmt: skip
    if isinstance(heard, str):
        st.error(heard)
    else:
        clip_view.show_pictures(*heard, name=name, key="triage_")


def _badges(clip: triage.Queued, decided: Fitted) -> None:
    row = clip.row
    words = [
        badge
        for rows, badge in (
            (decided.left_out, ":red-badge[:material/remove_circle: left out]"),
            (decided.kept, ":green-badge[:material/check: kept]"),
            (decided.texts, ":violet-badge[:material/edit: text edited]"),
        )
        if row in rows
    ]
    if words:
        st.markdown(" ".join(words))
    if row in decided.kept and exclusions(clip.findings, decided).get(row):
        st.caption("An export leaves it out all the same: there is nothing to train on.")


def _explain(finding: Finding) -> None:
    """The finding in one line, and beneath it the value, the threshold and where that comes from."""
    numbers = [
        f"{word} {number:.3g} {finding.unit}".strip()
        for word, number in (("value", finding.value), ("threshold", finding.threshold))
        if number is not None
    ]
    st.markdown(
        f":{BADGE[finding.severity]}-badge[{finding.code}] {plain_text(finding.message)}  \n"
        f":small[:gray[{plain_text('; '.join([*numbers, finding.source]))}]]"
    )


def _text(row: Mapping[str, Any], decided: Fitted, state: Triage) -> None:
    own, number = str(row["text"]), int(row["row"])
    words = decided.texts.get(number, own)
    key = f"{_TEXT}_{number}_{text_hash(words)}"

    def save() -> Decision | None:
        text, name = str(st.session_state[key]), journal_state.name(row)
        if text.strip() == words:
            return None
        return state.decide(number, lambda: journal_state.of(state.folder).edit(name, text))

    # A form carries no CSS class of its key, by which the player finds the text: the container does.
    with st.container(key=_TEXT), st.form(f"{_TEXT}_form_{number}", border=False):
        st.text_area("Text", words, key=key, height=100)
        st.form_submit_button(
            "Save the text", on_click=_redrawing(save), icon=":material/save:", help="It takes effect in the export."
        )
    if number in decided.texts:
        st.caption(f"In the dataset: “{plain_text(own)}”")


def _other_texts(row: Mapping[str, Any], clip: triage.Queued, inspected: Inspected) -> None:
    """What other rows say of the same recording: one of them is right."""
    if not any(finding.code == "duplicate-id" for finding in clip.findings):
        return
    same = inspected.rows[(inspected.rows["path"] == row["path"]) & (inspected.rows["row"] != row["row"])]
    for other, text in zip(same["row"].head(_MOST_OTHERS), same["text"].head(_MOST_OTHERS), strict=True):
        st.caption(f"Row {other}: “{plain_text(str(text)[: clip_view.LONGEST_TEXT])}”")


def _buttons(row: Mapping[str, Any], clip: triage.Queued, state: Triage) -> None:
    journal, name, worst = journal_state.of(state.folder), journal_state.name(row), clip.findings[0]
    reason = Reason(worst.code, worst.value, worst.threshold, worst.unit, worst.message)
    with st.grid(2, min_column_width=120):
        for label, key, icon, action in (
            ("Keep", "K", ":material/check:", partial(journal.keep, name)),
            ("Leave out", "X", ":material/remove_circle:", partial(journal.leave_out, name, reason)),
        ):
            _button(label, key, icon, _redrawing(partial(state.decide, clip.row, action)), row=clip.row)
        _button("Back", "B", ":material/arrow_back:", state.back, off=state.queue[0].row == clip.row)
        _button("Next", "N", ":material/arrow_forward:", state.next)
        _undo_and_redo(state)
    _say(state)


def _undo_and_redo(state: Triage) -> None:
    journal = journal_state.of(state.folder)
    _button("Undo", "U", ":material/undo:", _redrawing(state.undo), off=not journal.can_undo)
    _button("Redo", "Y", ":material/redo:", _redrawing(state.redo), off=not journal.can_redo)


def _redrawing(decide: Callable[[], Decision | None]) -> Callable[[], None]:
    """`decide`, after which the totals above are drawn anew with this view, and nothing else is.

    But for a moved limit that was undone: the findings are others then.
    """

    def act() -> None:
        decision = decide()
        if decision is not None and decision.limits:
            st.rerun()
        st.rerun([totals.FRAGMENT, FRAGMENT])

    return act


def _button(
    label: str, key: str, icon: str, do: Callable[[], None], *, off: bool = False, row: int | None = None
) -> None:
    """A button with a key. One that decides about the clip of a `row` is that clip's own: pressed while the next one
    is on its way to the browser, it decides nothing about a clip that was not seen yet."""
    own = "" if row is None else f"_{row}"
    st.button(
        label,
        key=f"triage_{label.lower().replace(' ', '_')}{own}",
        icon=icon,
        on_click=do,
        shortcut=key,
        disabled=off,
        width="stretch",
    )


def _say(state: Triage) -> None:
    if state.problem:
        st.error(state.problem)
    elif state.said:
        st.caption(plain_text(state.said) + ".")


def _keyboard() -> None:
    with st.container(border=True):
        st.caption(" · ".join(f"`{key}` {what}" for key, what in _KEYS))
        st.toggle("Play each clip as it comes", value=True, key=_AUTOPLAY)


def _all_looked_at(state: Triage) -> None:
    st.success(f"All {len(state.queue):,} clips are looked at.", icon=":material/task_alt:")
    with st.container(horizontal=True):
        if st.button("Export the cleaned dataset", icon=":material/ios_share:", type="primary", key="triage_export"):
            dataset_views.open_view("export")
        _undo_and_redo(state)
    _say(state)
