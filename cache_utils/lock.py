"""One process at a time, by a lock file."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def file_lock(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock file `path` (made when missing) inside the `with` block; the lock dies with its process.

    Not reentrant: a thread that asks again for a lock it holds waits forever.
    Raises BlockingIOError at once when `wait` is false and another holds it.
    """
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        try:
            yield
        finally:
            # Said outright: a child forked meanwhile shares the open file, and closing ours alone would not unlock it.
            fcntl.flock(file, fcntl.LOCK_UN)
