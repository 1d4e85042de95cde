"""Files of an upload that come one request each, thousands of them: they wait in a folder until all are in.

A page opens an arrival and hands its ticket to the browser; each file is then sent to the server with that ticket,
which nobody else knows. When all are in, `take` makes a dataset of them. What was never taken goes after a day.
"""

from __future__ import annotations

import re
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from piper_core.dataset.intake import MAX_FILES, IntakeError, safe_name, save_files

MAX_FILE_BYTES = 4 * 1024**3
KEPT_S = 24 * 3600.0
"""An upload that was broken off is removed after this many seconds."""
_TICKET = re.compile(r"[\w-]{20,64}", flags=re.ASCII)
_PART = ".part"


def open_arrival(root: Path, now: float | None = None) -> str:
    """A new ticket; `root` is the folder of all arrivals, from which those older than a day are removed."""
    now = time.time() if now is None else now
    root.mkdir(parents=True, exist_ok=True)
    for old in root.iterdir():
        if now - old.stat().st_mtime > KEPT_S:
            shutil.rmtree(old)
    ticket = secrets.token_urlsafe(24)
    (root / ticket).mkdir()
    return ticket


async def receive(root: Path, ticket: str, name: str, chunks: AsyncIterable[bytes]) -> int:
    """Write one file of the upload and return its size in bytes; a file that comes twice replaces itself.

    A file that breaks off leaves nothing. Raises IntakeError for an unknown ticket, a name that leads outside the
    dataset or that no dataset needs, and a file that is too large.
    """
    folder = _folder(root, ticket)
    safe = safe_name(name)
    if safe is None:
        raise IntakeError(f"{name} is neither a recording nor metadata, so it is not taken.")
    target = folder / safe
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise IntakeError(f"{safe} needs a folder where another uploaded file stands; rename one.") from None
    size_bytes = 0
    with tempfile.NamedTemporaryFile(dir=folder, suffix=_PART, delete=False) as file:
        part = Path(file.name)
        try:
            async for chunk in chunks:
                size_bytes += len(chunk)
                if size_bytes > MAX_FILE_BYTES:
                    raise IntakeError(f"{name} has more than {MAX_FILE_BYTES / 1024**3:.0f} GB; cut it into clips.")
                file.write(chunk)
        except BaseException:
            part.unlink()
            raise
    part.replace(target)
    return size_bytes


def take(root: Path, ticket: str, folder: Path) -> Path:
    """Make the new dataset `folder` of what has arrived, and close the arrival. Raises IntakeError."""
    waiting = _folder(root, ticket)
    files = sorted(path for path in waiting.rglob("*") if path.is_file() and path.suffix != _PART)
    if len(files) > MAX_FILES:
        raise IntakeError(f"The upload holds more than {MAX_FILES:,} files; open the folder by its path instead.")
    try:
        return save_files(_opened(files, waiting), folder)
    finally:
        shutil.rmtree(waiting)


def _opened(files: list[Path], waiting: Path) -> Iterator[tuple[str, IO[bytes]]]:
    for path in files:
        with ExitStack() as stack:
            yield path.relative_to(waiting).as_posix(), stack.enter_context(path.open("rb"))


def _folder(root: Path, ticket: str) -> Path:
    folder = root / ticket
    if not _TICKET.fullmatch(ticket) or not folder.is_dir():
        raise IntakeError("This upload is not known here, or has been closed; load the page again.")
    return folder
