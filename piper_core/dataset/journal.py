"""The journal of a dataset: `metadata.journal.jsonl`, a line a decision, appended and never written over.

Nothing of the dataset itself is changed. A decision is on the disk (fsync) before the page shows it. Several sessions
may append at once: each takes the file's lock (flock), reads what others wrote since, decides, and appends one line
(O_APPEND). A process that dies while it writes leaves a last line that is cut off: the next one starts a line of its
own, and a note says so. A link in place of the journal is not followed: a dataset comes from anywhere.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import math
import os
import stat
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from piper_core.dataset.decisions import Action, ClipName, Decision, Decisions, Fitted, Reason

JOURNAL_NAME = "metadata.journal.jsonl"
MAX_JOURNAL_BYTES = 512 * 1024**2
_CUT_OFF = "An entry of {} was cut off while it was written, or is none of ours: it is not applied, all others are."
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP, errno.EISDIR, errno.ENOENT, errno.ENXIO)
_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_APPENDING = os.O_APPEND | os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


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
        self._beside = folder / JOURNAL_NAME
        name = hashlib.blake2b(str(folder.absolute()).encode(errors="surrogateescape"), digest_size=8).hexdigest()
        self._fallback = fallback_dir / f"{folder.name[:60]}-{name}" / JOURNAL_NAME
        self.path = self._beside if _can_write(self._beside) else self._fallback
        """The file that is appended to."""
        self._read: dict[Path, tuple[int, int]] = {}
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
    def is_beside(self) -> bool:
        """Whether it lies beside the dataset, where it travels along."""
        return self.path == self._beside

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

    def undo(self) -> Decision | None:
        """Take the last decision back, whoever made it, before a restart too; None where there is none."""
        return self._back_or_forth("undo")

    def redo(self) -> Decision | None:
        """Do what was undone last again; None where there is none, or something was decided since."""
        return self._back_or_forth("redo")

    def limit(self, name: str, value: float | None) -> None:
        """Move the threshold called `name`, or put it back (None)."""
        with self._locked() as file:
            self._append(file, {"do": "limit", "name": name, "value": value})

    def refresh(self) -> bool:
        """Read what was appended since, here or elsewhere. Whether there was anything. Raises JournalError."""
        before = self.version
        paths = (self._beside, self._fallback)
        if any(self._was_replaced(path) for path in paths):
            self._forget()
        for path in paths:
            status = _status(path)
            if status is None or self._read.get(path) == (status.st_ino, status.st_size):
                continue
            try:
                file = os.open(path, _READING)
            except OSError as error:
                self._note(f"The journal {path} can't be read ({error.strerror}), so what it says is not applied.")
                continue
            try:
                fcntl.flock(file, fcntl.LOCK_SH)
                self._read_on(path, file)
            finally:
                os.close(file)
        return self.version != before

    def _decide(
        self, action: Action, clips: Sequence[ClipName], *, text: str = "", reasons: Sequence[Reason] = ()
    ) -> Decision:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        clean = tuple(replace(reason, value=_finite(reason.value)) for reason in reasons)
        decision = Decision(uuid.uuid4().hex, at, action, tuple(clips), text, clean)
        with self._locked() as file:
            self._append(file, decision.to_dict())
        return decision

    def _back_or_forth(self, do: str) -> Decision | None:
        with self._locked() as file:
            # Others may have decided since: the last decision is known only under the lock.
            known = self.decisions.done if do == "undo" else self.decisions.undone
            if not known:
                return None
            decision = known[-1]
            self._append(file, {"do": do, "of": decision.key})
            return decision

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """The open file under its lock, read to its end; the fallback where the dataset's folder can't be written."""
        self.refresh()
        file = self._opened()
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._read_on(self.path, file)
            yield file
        finally:
            os.close(file)

    def _opened(self) -> int:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(self.path, _APPENDING, 0o644)
        except OSError as error:
            if not self.is_beside or error.errno not in _READ_ONLY:
                raise JournalError(
                    f"The decision could not be kept: {self.path} can't be written ({error.strerror});"
                    " make room on the disk, or make its folder writable."
                ) from error
            self.path = self._fallback
            return self._opened()

    def _append(self, file: int, entry: dict[str, object]) -> None:
        entry = {"version": 1, "key": uuid.uuid4().hex, "at": datetime.now(UTC).isoformat(timespec="seconds")} | entry
        size_bytes = os.fstat(file).st_size
        torn = size_bytes > 0 and os.pread(file, 1, size_bytes - 1) != b"\n"
        line = b"\n" * torn + json.dumps(entry, ensure_ascii=False, allow_nan=False).encode(errors="surrogatepass")
        line += b"\n"
        try:
            written = os.write(file, line)
            if written < len(line):
                raise OSError(errno.ENOSPC, "no space left")
            os.fsync(file)
            if size_bytes == 0:
                _sync_folder(self.path.parent)
        except OSError as error:
            reason = error.strerror or error
            raise JournalError(
                f"The decision could not be kept in {self.path} ({reason}); make room on the disk."
            ) from error
        self._read_on(self.path, file)

    def _read_on(self, path: Path, file: int) -> None:
        """Apply the whole lines after what was read of `path` before. The caller holds the file's lock."""
        status = os.fstat(file)
        _, offset = self._read.get(path, (status.st_ino, 0))
        if status.st_size > MAX_JOURNAL_BYTES:
            raise JournalError(f"{path} has {status.st_size / 1e6:,.0f} MB: that is no journal; move it away.")
        data = bytearray()
        while len(data) < status.st_size - offset:
            part = os.pread(file, status.st_size - offset - len(data), offset + len(data))
            if not part:
                break
            data += part
        whole = data.rfind(b"\n") + 1
        for line in bytes(data[:whole]).split(b"\n"):
            if line.strip():
                self._take(line, path)
        if data[whole:].strip():
            self._note(_CUT_OFF.format(path.name))
        self._read[path] = (status.st_ino, offset + whole)

    def _take(self, line: bytes, path: Path) -> None:
        try:
            entry = json.loads(line)
            key, do = str(entry["key"]), entry["do"]
            if key in self._keys:
                return
            if do == "undo":
                self.decisions.undo(str(entry["of"]))
            elif do == "redo":
                self.decisions.redo(str(entry["of"]))
            elif do == "limit":
                value = entry["value"]
                self.decisions.limit(str(entry["name"]), None if value is None else _finite(float(value)))
            else:
                self.decisions.decide(Decision.from_dict(entry))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
            self._note(_CUT_OFF.format(path.name))
            return
        self._keys.add(key)
        self.version += 1

    def _was_replaced(self, path: Path) -> bool:
        """Whether another, or a shorter, file lies where some of one was read."""
        if path not in self._read:
            return False
        status, (inode, offset) = _status(path), self._read[path]
        return status is None or status.st_ino != inode or status.st_size < offset

    def _forget(self) -> None:
        self.decisions, self.notes, self._read, self._keys = Decisions(), (), {}, set()
        self.version += 1

    def _note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes = (*self.notes, sentence)


def _status(path: Path) -> os.stat_result | None:
    """Of the file itself; None where there is none, or a link or another thing that is no file."""
    try:
        status = path.stat(follow_symlinks=False)
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _can_write(path: Path) -> bool:
    if path.is_symlink() or (path.exists() and not path.is_file()):
        return False
    return os.access(path, os.R_OK | os.W_OK) if path.exists() else os.access(path.parent, os.W_OK | os.X_OK)


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
