"""A file of lines that several processes append to and read on from: under its lock, on the disk, never written over.

A process that dies while it writes leaves a last line that is cut off: the next one starts a line of its own. A link
in place of the file is not followed: a dataset comes from anywhere.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

MAX_BYTES = 512 * 1024**2
"""Nothing that people decide is as long; a file that claims it is not read."""
_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_APPENDING = os.O_APPEND | os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class TooLarge(Exception):
    """The file is no journal, for its size in bytes."""


class NewLines(NamedTuple):
    """What was appended since the last look."""

    lines: tuple[bytes, ...] = ()
    """Whole ones, without their ends."""
    is_cut_off: bool = False
    """Whether there is more behind them that has no end: half a line."""


class JournalLines:
    """The lines of the file at `path`, and how far they were read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: tuple[int, int] | None = None
        """Inode, and bytes that were read of it."""

    def forget(self) -> None:
        """Read from the beginning next time."""
        self._read = None

    def was_replaced(self) -> bool:
        """Whether another, or a shorter, file lies where some of one was read."""
        if self._read is None:
            return False
        status, (inode, offset) = self._status(), self._read
        return status is None or status.st_ino != inode or status.st_size < offset

    def read(self) -> NewLines:
        """What was appended since; nothing where there is no such file. Raises OSError and TooLarge."""
        status = self._status()
        if status is None or self._read == (status.st_ino, status.st_size):
            return NewLines()
        file = os.open(self.path, _READING)
        try:
            fcntl.flock(file, fcntl.LOCK_SH)
            return self._read_on(file)
        finally:
            os.close(file)

    @contextmanager
    def locked(self) -> Iterator[LockedLines]:
        """The file, made where there is none, and nobody else's for as long. Raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, _APPENDING, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield LockedLines(self, file)
        finally:
            os.close(file)

    def can_write(self) -> bool:
        """Whether lines may be appended, as far as can be told without trying."""
        path = self.path
        try:
            if path.is_symlink() or (path.exists() and not path.is_file()):
                return False
            return os.access(path, os.R_OK | os.W_OK) if path.exists() else os.access(path.parent, os.W_OK | os.X_OK)
        except PermissionError:  # of the folder
            return False

    def _status(self) -> os.stat_result | None:
        """Of the file itself; None where there is none, or a link or another thing that is no file."""
        try:
            status = self.path.stat(follow_symlinks=False)
        except OSError:
            return None
        return status if stat.S_ISREG(status.st_mode) else None

    def _read_on(self, file: int) -> NewLines:
        status = os.fstat(file)
        _, offset = self._read or (status.st_ino, 0)
        if status.st_size > MAX_BYTES:
            raise TooLarge(status.st_size)
        data = bytearray()
        while len(data) < status.st_size - offset:
            part = os.pread(file, status.st_size - offset - len(data), offset + len(data))
            if not part:
                break
            data += part
        whole = data.rfind(b"\n") + 1
        self._read = (status.st_ino, offset + whole)
        lines = tuple(line for line in bytes(data[:whole]).split(b"\n") if line.strip())
        return NewLines(lines, bool(data[whole:].strip()))


class LockedLines:
    """The open file of `JournalLines.locked`."""

    def __init__(self, lines: JournalLines, file: int) -> None:
        self._lines = lines
        self._file = file

    def read(self) -> NewLines:
        """What others appended before the lock was had. Raises OSError and TooLarge."""
        return self._lines._read_on(self._file)

    def append(self, line: bytes) -> None:
        """Write `line` at the end; on the disk when this returns. Raises OSError."""
        size_bytes = os.fstat(self._file).st_size
        is_cut_off = size_bytes > 0 and os.pread(self._file, 1, size_bytes - 1) != b"\n"
        whole = b"\n" * is_cut_off + line + b"\n"
        if os.write(self._file, whole) < len(whole):
            raise OSError(errno.ENOSPC, "no space left")
        os.fsync(self._file)
        if size_bytes == 0:
            _sync_folder(self._lines.path.parent)


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
