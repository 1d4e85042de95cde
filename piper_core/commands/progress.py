"""How far something is, in a terminal or a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from piper_core.dataset.progress import InspectionProgress

POLL_S = 0.5
"""Between two lines, at least."""
INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it: 128 and the number of SIGINT."""


def say(line: str) -> None:
    """One line of progress, on stderr: over the last one in a terminal, below it elsewhere."""
    print(line, file=sys.stderr, end="\r\033[K" if sys.stderr.isatty() else "\n", flush=True)


def say_progress() -> Callable[[InspectionProgress], None]:
    """What an inspection calls to have its progress said."""
    last = 0.0

    def on_progress(progress: InspectionProgress) -> None:
        nonlocal last
        if time.monotonic() - last > POLL_S or progress.done == progress.total:
            last = time.monotonic()
            say(f"{progress.stage}: {progress.done} of {progress.total} clips, {progress.remaining_s:.0f} s left")

    return on_progress
