"""What a person decided about a dataset's clips, one decision after the other. Pure; `journal` keeps them in a file.

An entry names its clips by id, row, path and a hash of the text, so that two rows with the same id are told apart and a
dataset that was changed since still finds its decisions, or says which of them no longer fit.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

VERSION = 1
Action = Literal["edit", "leave-out", "keep", "take-back", "forget", "limit"]
ACTIONS: tuple[Action, ...] = ("edit", "leave-out", "keep", "take-back", "forget", "limit")
BY_HAND = "by hand"
"""The code of a reason that is a person's ear and no rule."""


@dataclass(frozen=True, slots=True)
class ClipName:
    """Which clip is meant, whatever happens to the metadata later."""

    utterance_id: str
    row: int
    """Of the metadata file, from 1."""
    path: str
    """Of the audio, relative to the dataset's folder."""
    text_hash: str
    """`text_hash` of the text that the dataset holds, not of an edited one."""

    @classmethod
    def of(cls, utterance_id: str, row: int, path: str, text: str) -> ClipName:
        """The name of the clip in `row`, whose text is `text` as the dataset holds it."""
        return cls(utterance_id, row, path, text_hash(text))


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a clip was left out: a rule's code with value and threshold, or a person's word."""

    code: str = BY_HAND
    value: float | None = None
    threshold: float | None = None
    unit: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """One action on one clip or many, or on thresholds; undone as a whole."""

    key: str
    """No two entries share it."""
    at: str
    """ISO 8601, UTC."""
    action: Action
    clips: tuple[ClipName, ...]
    text: str = ""
    """What an edit makes of the text."""
    reasons: tuple[Reason, ...] = ()
    """A clip each, where the action leaves out."""
    limits: tuple[tuple[str, float | None], ...] = ()
    """Thresholds by their name and where they are moved to; None: back to where the table has them."""

    def to_dict(self) -> dict[str, Any]:
        """As a line of the journal holds it: the reason's rule once, values with the clips."""
        clips: list[dict[str, Any]] = [
            {"id": name.utterance_id, "row": name.row, "path": name.path, "text_hash": name.text_hash}
            for name in self.clips
        ]
        entry: dict[str, Any] = {"version": VERSION, "key": self.key, "at": self.at, "do": self.action, "clips": clips}
        if self.action == "edit":
            entry["text"] = self.text
        if self.action == "limit":
            entry["limits"] = dict(self.limits)
        for clip, reason in zip(clips, self.reasons, strict=False):
            clip["reason"] = {"code": reason.code, "value": reason.value, "threshold": reason.threshold,
                              "unit": reason.unit, "words": reason.words}  # fmt: skip
        return entry

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> Decision:
        """The decision of a journal's line. Raises ValueError, TypeError, KeyError or AttributeError for another."""
        action = entry["do"]
        if action not in ACTIONS:
            raise ValueError(f"{action!r} is no action")
        limits: Mapping[str, Any] = {}
        if action == "limit":
            limits = entry["limits"] if "limits" in entry else {entry["name"]: entry["value"]}
        moved = tuple((_text(name), _number(value)) for name, value in limits.items())
        clips, reasons = [], []
        for clip in entry.get("clips", ()) if action == "limit" else entry["clips"]:
            name = ClipName(_text(clip["id"]), int(clip["row"]), _text(clip["path"]), _text(clip["text_hash"]))
            clips.append(name)
            given = clip.get("reason", {})
            reasons.append(
                Reason(
                    _text(given.get("code", BY_HAND)), _number(given.get("value")), _number(given.get("threshold")),
                    _text(given.get("unit", "")), _text(given.get("words", "")),
                )
            )  # fmt: skip
        text = _text(entry["text"]) if action == "edit" else ""
        kept_reasons = tuple(reasons) if action == "leave-out" else ()
        return cls(_text(entry["key"]), _text(entry.get("at", "")), action, tuple(clips), text, kept_reasons, moved)


@dataclass(frozen=True)
class Fitted:
    """Decisions as they apply to the rows of a dataset as it is now."""

    texts: dict[int, str]
    """Row -> the edited text."""
    left_out: dict[int, Reason]
    kept: frozenset[int]
    stale: tuple[ClipName, ...]
    """Clips that decisions name and that the dataset no longer holds, or holds with another text."""

    @property
    def decided(self) -> set[int]:
        """Rows that somebody has looked at and decided on."""
        return {*self.texts, *self.left_out, *self.kept}


@dataclass
class Decisions:
    """All decisions that are in force, in their order, and those that were undone and can be done again."""

    done: list[Decision] = field(default_factory=list)
    undone: list[Decision] = field(default_factory=list)
    limits: dict[str, float] = field(default_factory=dict)
    """Moved thresholds, by their name."""
    texts: dict[ClipName, str] = field(default_factory=dict)
    left_out: dict[ClipName, Reason] = field(default_factory=dict)
    kept: set[ClipName] = field(default_factory=set)

    def decide(self, decision: Decision) -> None:
        """Add a new decision: what was undone before it can't be done again."""
        self.done.append(decision)
        self.undone.clear()
        self._apply(decision)

    def undo(self, key: str) -> Decision | None:
        """Take the decision of that key back; None where it is not in force (another session was quicker)."""
        return self._move(key, self.done, self.undone)

    def redo(self, key: str) -> Decision | None:
        """Bring an undone decision back; None where there is none of that key."""
        return self._move(key, self.undone, self.done)

    def fit(self, rows: Iterable[tuple[str, int, str, str]]) -> Fitted:
        """As they apply to `rows` of (id, row, path, text).

        A clip fits by id and text hash; where several do, by path and then by row.
        """
        named = self.left_out.keys() | self.texts.keys() | self.kept
        if not named:
            return Fitted({}, {}, frozenset(), ())
        wanted = {name.utterance_id for name in named}
        there: dict[tuple[str, str], list[tuple[int, str]]] = {}
        for utterance_id, row, path, text in rows:
            if utterance_id in wanted:
                there.setdefault((utterance_id, text_hash(text)), []).append((row, path))
        rows_found = {name: _row(name, there) for name in named}
        found = {name: row for name, row in rows_found.items() if row is not None}
        stale = sorted((name for name in named if name not in found), key=lambda name: (name.row, name.utterance_id))
        return Fitted(
            {found[name]: text for name, text in self.texts.items() if name in found},
            {found[name]: reason for name, reason in self.left_out.items() if name in found},
            frozenset(found[name] for name in self.kept if name in found),
            tuple(stale),
        )

    def _move(self, key: str, source: list[Decision], target: list[Decision]) -> Decision | None:
        for index in range(len(source) - 1, -1, -1):
            if source[index].key == key:
                target.append(source.pop(index))
                self._replay()
                return target[-1]
        return None

    def _replay(self) -> None:
        self.limits, self.texts, self.left_out, self.kept = {}, {}, {}, set()
        for decision in self.done:
            self._apply(decision)

    def _apply(self, decision: Decision) -> None:
        for key, value in decision.limits:
            self.limits.pop(key, None)
            if value is not None:
                self.limits[key] = value
        for index, name in enumerate(decision.clips):
            if decision.action == "edit":
                self.texts.pop(name, None)
                if text_hash(decision.text) != name.text_hash:
                    self.texts[name] = decision.text
                continue
            self.left_out.pop(name, None)
            self.kept.discard(name)
            if decision.action == "forget":
                self.texts.pop(name, None)
            if decision.action == "leave-out":
                self.left_out[name] = decision.reasons[index] if index < len(decision.reasons) else Reason()
            elif decision.action == "keep":
                self.kept.add(name)


def text_hash(text: str) -> str:
    """16 hex digits that stand for `text`."""
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def _row(name: ClipName, there: Mapping[tuple[str, str], list[tuple[int, str]]]) -> int | None:
    candidates = there.get((name.utterance_id, name.text_hash), [])
    if not candidates:
        return None
    # The same id and text twice: the same file first, then the same row, then the nearest.
    return min(candidates, key=lambda each: (each[1] != name.path, abs(each[0] - name.row)))[0]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _number(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)
