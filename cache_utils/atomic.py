"""A file replaced whole or not at all."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

TEMPORARY_SUFFIX = ".tmp"


def write_atomically(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write `data` to `path` so that a reader, or a power cut, sees the old file or the new one, never a half.

    Without `durable` readers still see all or nothing, but a power cut in the seconds after may leave a damaged file:
    for what can be made again, and whose reader knows a damaged one.

    The temporary file beside it is named `.PID.RANDOM.tmp`: whose process is gone is a stray.
    Raises OSError (disk full, no permission); the temporary file is then gone and `path` untouched.
    """
    temporary = path.parent / f".{os.getpid()}.{uuid.uuid4().hex}{TEMPORARY_SUFFIX}"
    try:
        with temporary.open("xb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def writer_of(temporary: Path) -> int | None:
    """The process id in a temporary file's name; None when the name is not one of ours."""
    parts = temporary.name.split(".")
    if len(parts) == 4 and parts[0] == "" and parts[1].isdigit() and f".{parts[3]}" == TEMPORARY_SUFFIX:
        return int(parts[1])
    return None
