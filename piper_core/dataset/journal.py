"""The journal of a dataset: `metadata.journal.jsonl`, a line a decision, appended and never written over.

Nothing of the dataset itself is changed. A decision is on the disk (fsync) before the page shows it. Several sessions
may append at once: each takes the file's lock, reads what others wrote since, decides, and appends one line
(`journal_lines`). Of a line that was cut off, since its process died, a note says so.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from piper_core.dataset.decisions import Action, ClipName, Decision, Decisions, Fitted, Reason
from piper_core.dataset.journal_lines import JournalLines, LockedLines, NewLines, TooLarge

JOURNAL_NAME = "metadata.journal.jsonl"
_CUT_OFF = "An entry of {} was cut off while it was written, or is none of ours: it is not applied, all others are."
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP, errno.EISDIR, errno.ENOENT, errno.ENXIO)


class JournalError(RuntimeError):
    """The journal can't be kept or read. The message says why and what to do."""


class Journal:
    """A dataset's decisions, and the file that keeps them. Make one with `open`; call `refresh` to see others'."""

    def __init__(self, folder: Path, fallback_dir: Path) -> None:
        self.folder = folder
        self.decisions = Decisions()
        self.notes: tuple[str, ...] = ()
        """Sentences about what could not be read."""
        self.version = 0
        """Rises with every change, so that what was worked out from the decisions can be kept."""
        self._beside = JournalLines(folder / JOURNAL_NAME)
        name = hashlib.blake2b(str(folder.absolute()).encode(errors="surrogateescape"), digest_size=8).hexdigest()
        self._elsewhere = JournalLines(fallback_dir / f"{folder.name[:60]}-{name}" / JOURNAL_NAME)
        self._lines = self._beside if self._beside.can_write() else self._elsewhere
        self._keys: set[str] = set()

    @classmethod
    def open(cls, folder: Path, fallback_dir: Path) -> Journal:
        """The journal of the dataset in `folder`, in `fallback_dir` where that can't be written.

        Writes nothing yet. Raises JournalError for a journal that can't be read or is no journal for its size.
        """
        journal = cls(folder, fallback_dir)
        journal.refresh()
        return journal

    @property
    def path(self) -> Path:
        """The file that is appended to."""
        return self._lines.path

    @property
    def is_beside(self) -> bool:
        """Whether it lies beside the dataset, where it travels along."""
        return self._lines is self._beside

    @property
    def texts(self) -> dict[str, str]:
        """Id -> edited text. Of two rows with one id the later stands: `fit` tells them apart."""
        return {name.utterance_id: text for name, text in self.decisions.texts.items()}

    @property
    def left_out(self) -> dict[str, Reason]:
        """Id -> why it was left out; see `texts`."""
        return {name.utterance_id: reason for name, reason in self.decisions.left_out.items()}

    @property
    def kept(self) -> set[str]:
        """Ids of the clips that somebody looked at and kept; see `texts`."""
        return {name.utterance_id for name in self.decisions.kept}

    @property
    def limits(self) -> dict[str, float]:
        """Moved thresholds, by their name."""
        return dict(self.decisions.limits)

    @property
    def can_undo(self) -> bool:
        """Whether a decision is in force."""
        return bool(self.decisions.done)

    @property
    def can_redo(self) -> bool:
        """Whether the last thing was an undo."""
        return bool(self.decisions.undone)

    def fit(self, rows: Iterable[tuple[str, int, str, str]]) -> Fitted:
        """The decisions as they apply to `rows` of (id, row, path, text), as the dataset holds them now."""
        return self.decisions.fit(rows)

    def edit(self, clip: ClipName, text: str) -> Decision:
        """Give `clip` another text; its own text again takes the edit away."""
        return self._decide("edit", [clip], text=" ".join(text.split()))

    def leave_out(
        self, clips: ClipName | Sequence[ClipName], reasons: Reason | Sequence[Reason] | None = None
    ) -> Decision:
        """Leave clips out, for one reason (a person's ear, unless given) or for one each; undone as a whole."""
        several = [clips] if isinstance(clips, ClipName) else list(clips)
        one = reasons or Reason()
        each = [one] * len(several) if isinstance(one, Reason) else list(one)
        return self._decide("leave-out", several, reasons=each)

    def keep(self, clips: ClipName | Sequence[ClipName]) -> Decision:
        """Say that clips were looked at and stay."""
        return self._decide("keep", [clips] if isinstance(clips, ClipName) else list(clips))

    def take_back(self, clips: ClipName | Sequence[ClipName]) -> Decision:
        """Clips are neither left out nor kept any more."""
        return self._decide("take-back", [clips] if isinstance(clips, ClipName) else list(clips))

    def forget(self, clips: ClipName | Sequence[ClipName]) -> Decision:
        """Nothing is decided of clips any more, their edited texts among it."""
        return self._decide("forget", [clips] if isinstance(clips, ClipName) else list(clips))

    def undo(self) -> Decision | None:
        """Take the last decision back, whoever made it, before a restart too; None where there is none."""
        return self._back_or_forth("undo")

    def redo(self) -> Decision | None:
        """Do what was undone last again; None where there is none, or something was decided since."""
        return self._back_or_forth("redo")

    def limit(self, name: str, value: float | None) -> Decision:
        """Move the threshold called `name`, or put it back (None)."""
        return self._decide("limit", (), limits={name: value})

    def put_limits_back(self) -> Decision:
        """Every threshold back to where the table has it."""
        return self._decide("limit", (), limits=dict.fromkeys(self.decisions.limits))

    def refresh(self) -> bool:
        """Read what was appended since, here or elsewhere. Whether there was anything. Raises JournalError."""
        before, files = self.version, (self._beside, self._elsewhere)
        if any(file.was_replaced() for file in files):
            self._forget()
        for file in files:
            try:
                self._take(self._whole(file.path, file.read), file.path)
            except OSError as error:
                self._note(f"The journal {file.path} can't be read ({error.strerror}), so what it says is not applied.")
        return self.version != before

    def _decide(
        self,
        action: Action,
        clips: Sequence[ClipName],
        *,
        text: str = "",
        reasons: Sequence[Reason] = (),
        limits: Mapping[str, float | None] | None = None,
    ) -> Decision:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        clean = tuple(replace(reason, value=_finite(reason.value)) for reason in reasons)
        moved = tuple((name, _finite(value)) for name, value in (limits or {}).items())
        decision = Decision(uuid.uuid4().hex, at, action, tuple(clips), text, clean, moved)
        with self._locked() as lines:
            self._append(lines, decision.to_dict())
        return decision

    def _back_or_forth(self, do: str) -> Decision | None:
        with self._locked() as lines:
            # Others may have decided since: the last decision is known only under the lock.
            known = self.decisions.done if do == "undo" else self.decisions.undone
            if not known:
                return None
            decision = known[-1]
            self._append(lines, {"do": do, "of": decision.key})
            return decision

    @contextmanager
    def _locked(self) -> Iterator[LockedLines]:
        """The file under its lock, read to its end; the fallback where the dataset's folder can't be written."""
        self.refresh()
        with ExitStack() as opened:
            lines = self._opened(opened)
            self._take(self._whole(self.path, lines.read), self.path)
            yield lines

    def _opened(self, opened: ExitStack) -> LockedLines:
        try:
            return opened.enter_context(self._lines.locked())
        except OSError as error:
            if not self.is_beside or error.errno not in _READ_ONLY:
                raise JournalError(
                    f"The decision could not be kept: {self.path} can't be written ({error.strerror});"
                    " make room on the disk, or make its folder writable."
                ) from error
            self._lines = self._elsewhere
            return self._opened(opened)

    def _append(self, lines: LockedLines, entry: dict[str, object]) -> None:
        entry = {"version": 1, "key": uuid.uuid4().hex, "at": datetime.now(UTC).isoformat(timespec="seconds")} | entry
        try:
            lines.append(json.dumps(entry, ensure_ascii=False, allow_nan=False).encode(errors="surrogatepass"))
        except OSError as error:
            reason = error.strerror or error
            raise JournalError(
                f"The decision could not be kept in {self.path} ({reason}); make room on the disk."
            ) from error
        self._take(self._whole(self.path, lines.read), self.path)

    def _whole(self, path: Path, read: Callable[[], NewLines]) -> NewLines:
        try:
            return read()
        except TooLarge as error:
            megabytes = error.args[0] / 1e6
            raise JournalError(f"{path} has {megabytes:,.0f} MB: that is no journal; move it away.") from error

    def _take(self, new: NewLines, path: Path) -> None:
        applied = [self._applies(line) for line in new.lines]
        if new.is_cut_off or not all(applied):
            self._note(_CUT_OFF.format(path.name))

    def _applies(self, line: bytes) -> bool:
        """Apply a line; whether it is one of ours. One that was read before, from the other file, changes nothing."""
        try:
            entry = json.loads(line)
            key, do = str(entry["key"]), entry["do"]
            if key in self._keys:
                return True
            if do == "undo":
                self.decisions.undo(str(entry["of"]))
            elif do == "redo":
                self.decisions.redo(str(entry["of"]))
            else:
                self.decisions.decide(Decision.from_dict(entry))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
            return False
        self._keys.add(key)
        self.version += 1
        return True

    def _forget(self) -> None:
        self.decisions, self.notes, self._keys = Decisions(), (), set()
        for file in (self._beside, self._elsewhere):
            file.forget()
        self.version += 1

    def _note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes = (*self.notes, sentence)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
