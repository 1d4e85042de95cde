"""The session's journal of a dataset, and its decisions as they apply to the rows of the clip table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from piper_core.dataset import moved_limits
from piper_core.dataset.checks import Check, moved
from piper_core.dataset.decisions import ClipName, Fitted
from piper_core.dataset.journal import Journal, JournalError
from piper_core.settings import Settings

_JOURNALS = "journals"
"""Session state: folder -> its open journal."""
_MOST_LISTED = 1000
_FITTED = "journal_fitted"
"""Session state: folder -> the journal's version, the rows, and its decisions about them."""


def of(folder: Path) -> Journal:
    """The journal of the dataset in `folder`, with what other sessions wrote to it since. Raises JournalError."""
    journals: dict[str, Journal] = st.session_state.setdefault(_JOURNALS, {})
    if str(folder) not in journals:
        journals[str(folder)] = Journal.open(folder, Settings.load().workspace_dir.absolute() / "journals")
    journals[str(folder)].refresh()
    return journals[str(folder)]


def fitted(rows: pd.DataFrame, folder: Path) -> Fitted:
    """The decisions about `rows`, a row a clip as in the clip table: by the number of the row in the metadata."""
    journal = of(folder)
    kept: dict[str, tuple[int, pd.DataFrame, Fitted]] = st.session_state.setdefault(_FITTED, {})
    version, same, found = kept.get(str(folder), (-1, None, None))
    if found is None or version != journal.version or same is not rows:
        columns = [rows[name].tolist() for name in ("utterance_id", "row", "path", "text")]
        found = journal.fit(zip(*columns, strict=True))
        kept[str(folder)] = (journal.version, rows, found)
    return found


def left_out(rows: pd.DataFrame, folder: Path) -> set[int]:
    """The rows whose clips were left out."""
    return set(fitted(rows, folder).left_out)


def limits(folder: Path) -> dict[str, float]:
    """The thresholds that were moved, by the limit's key."""
    return moved_limits.known(of(folder).limits)


def moved_since(checks: Mapping[str, Check], folder: Path) -> bool:
    """Whether limits were moved, or put back, since something was judged by `checks`."""
    return dict(moved(limits(folder))) != dict(checks)


def name(clip: Mapping[str, Any]) -> ClipName:
    """How the journal calls `clip`, a row of the clip table."""
    return ClipName.of(str(clip["utterance_id"]), int(clip["row"]), str(clip["path"]), str(clip["text"]))


def names(rows: pd.DataFrame) -> list[ClipName]:
    """How the journal calls the clips of `rows`."""
    columns = [rows[name].tolist() for name in ("utterance_id", "row", "path", "text")]
    return [ClipName.of(*clip) for clip in zip(*columns, strict=True)]


def show_place(folder: Path) -> None:
    """Say where the journal lies if not beside the dataset."""
    journal = of(folder)
    if not journal.is_beside:
        st.caption(f":material/info: The dataset's folder can't be written, so decisions are kept in `{journal.path}`.")


def show_notes(rows: pd.DataFrame, folder: Path) -> None:
    """What of the journal could not be read, and which of its decisions fit no clip any more."""
    journal, stale = of(folder), fitted(rows, folder).stale
    for note in journal.notes:
        st.warning(note, icon=":material/history_toggle_off:")
    if not stale:
        return
    told = "1 earlier decision fits" if len(stale) == 1 else f"{len(stale):,} earlier decisions fit"
    with st.expander(f"{told} no clip any more: the dataset has changed", icon=":material/history_toggle_off:"):
        listed = [(name.row, name.utterance_id, _decided(journal, name)) for name in stale[:_MOST_LISTED]]
        frame = pd.DataFrame(listed, columns=["Row it was", "Clip", "Decision"])
        st.dataframe(frame, hide_index=True, alt="Decisions that fit no clip any more")
        if st.button(
            "Forget them",
            icon=":material/delete_sweep:",
            key="forget_stale",
            help="They are not applied as it is. Can be undone in the view “Triage”.",
        ):
            try:
                journal.forget(stale)
            except JournalError as error:
                st.error(str(error))
                return
            st.rerun()


def _decided(journal: Journal, name: ClipName) -> str:
    decisions = journal.decisions
    if name in decisions.left_out:
        reason = decisions.left_out[name]
        return f"left out ({reason.code})"
    return f"text: {decisions.texts[name]}" if name in decisions.texts else "kept"
