"""Where a session stands in the triage of a dataset: its queue, its place in it, and what a key did last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st

from pages.components.dataset import journal_state
from pages.components.dataset.inspection_job import Inspected
from piper_core.dataset import triage
from piper_core.dataset.cleaning import exclusions
from piper_core.dataset.decisions import Decision, Fitted
from piper_core.dataset.journal import JournalError

CODES = "triage_codes"
"""Session state: the only findings that are asked for."""
_STATES = "triage"
_DONE = {"keep": "Kept", "leave-out": "Left out", "edit": "Text edited of", "take-back": "Taken back",
         "forget": "Forgotten what was decided of", "limit": "Moved"}  # fmt: skip


@dataclass
class Triage:
    """One dataset's triage. What takes time at 100,000 clips is worked out once for a report."""

    inspected: Inspected
    folder: Path
    lengths_s: dict[int, float | None] = field(default_factory=dict)
    """Row -> seconds, None where unknown."""
    kinds: list[triage.Kind] = field(default_factory=list)
    at: int | None = None
    """The row that is looked at."""
    said: str = ""
    problem: str = ""
    _queues: dict[tuple[str, ...], list[triage.Queued]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lengths_s = {utterance.row: utterance.duration_s for utterance in self.inspected.report.utterances}
        self.kinds = triage.kinds(self.inspected.report.findings, self.lengths_s)

    @property
    def decided(self) -> Fitted:
        """The journal's decisions as they stand."""
        return journal_state.fitted(self.inspected.rows, self.folder)

    @property
    def was_decided(self) -> bool:
        """Whether there is anything to undo or redo."""
        journal = journal_state.of(self.folder)
        return journal.can_undo or journal.can_redo

    @property
    def queue(self) -> Sequence[triage.Queued]:
        """The clips that have what is asked for."""
        codes = tuple(sorted(st.session_state.get(CODES) or ()))
        if codes not in self._queues:
            self._queues[codes] = triage.ranked(self.inspected.report.findings, self.lengths_s, codes)
        return self._queues[codes]

    @property
    def kept_s(self) -> float:
        """Seconds of audio that would be exported now."""
        gone = exclusions(self.inspected.report.findings, self.decided)
        return sum(length_s or 0.0 for row, length_s in self.lengths_s.items() if row not in gone)

    def clip(self) -> triage.Queued | None:
        """The clip that is looked at: where the session stands, else the first that nobody decided on."""
        by_row = {clip.row: clip for clip in self.queue}
        if self.at not in by_row:
            self.at = triage.following(self.queue, self.decided.decided)
        return by_row[self.at] if self.at is not None else None

    def decide(self, row: int, action: Callable[[], Decision | None]) -> Decision | None:
        """Do `action` on the clip of `row` and go on to the next clip that nobody decided on.

        Nothing happens where the session has gone on to another clip meanwhile: the key was pressed twice.
        """
        if row != self.at:
            return None
        decision = self._done(action)
        if decision is not None:
            self.next()
        return decision

    def undo(self) -> Decision | None:
        """Take the last decision back, and go to the clip that it is about."""
        return self._back_or_forth(journal_state.of(self.folder).undo, undone=True)

    def redo(self) -> Decision | None:
        """Do again what was undone, and go to the clip that it is about."""
        return self._back_or_forth(journal_state.of(self.folder).redo)

    def next(self) -> None:
        """To the next clip that nobody decided on; None, where there is no other."""
        self.at = triage.following(self.queue, self.decided.decided, after=self.at)

    def back(self) -> None:
        """To the clip before this one in the queue, decided on or not."""
        before = triage.preceding(self.queue, self.at)
        self.at = self.at if before is None else before

    def _back_or_forth(self, action: Callable[[], Decision | None], *, undone: bool = False) -> Decision | None:
        decision = self._done(action, undone=undone)
        if decision and any(clip.row == decision.clips[0].row for clip in self.queue if decision.clips):
            self.at = decision.clips[0].row
        return decision

    def _done(self, action: Callable[[], Decision | None], *, undone: bool = False) -> Decision | None:
        self.said = self.problem = ""
        try:
            decision = action()
        except JournalError as error:
            self.problem = str(error)
            return None
        if decision is not None:
            clips = f"{len(decision.clips):,} clips" if len(decision.clips) != 1 else decision.clips[0].utterance_id
            limits = ", ".join(f"the limit {key}" for key, _ in decision.limits)
            sentence = f"{_DONE[decision.action]} {limits or clips}"
            self.said = f"Undone: {sentence[0].lower()}{sentence[1:]}" if undone else sentence
        return decision


def of(inspected: Inspected, folder: Path) -> Triage:
    """The session's triage of the dataset in `folder`; a new report begins a new queue at the same clip."""
    states: dict[str, Triage] = st.session_state.setdefault(_STATES, {})
    state = states.get(str(folder))
    if state is None or state.inspected is not inspected:
        states[str(folder)] = Triage(inspected, folder, at=state.at if state else None)
    return states[str(folder)]
