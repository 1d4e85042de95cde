"""How far something is, in a terminal or a log."""

from __future__ import annotations

import sys

POLL_S = 0.5
"""Between two lines, at least."""


def say(line: str) -> None:
    """One line of progress, on stderr: over the last one in a terminal, below it elsewhere."""
    print(line, file=sys.stderr, end="\r\033[K" if sys.stderr.isatty() else "\n", flush=True)
