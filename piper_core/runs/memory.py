"""Asking live trainers to give back the memory that they only cache, and waiting for what came back."""

from __future__ import annotations

import time
from collections.abc import Iterable

from piper_core.runs.control import request_memory_release
from piper_core.runs.run import Run
from piper_core.runs.status import live_runs

POLL_S = 0.2


def release_memory(runs: Iterable[Run], timeout_s: float) -> dict[str, int | None]:
    """Bytes that each live run's trainer gave back, by the run's name.

    A run that is not alive is left out. None: it has not answered in `timeout_s` seconds; the request stands, and
    it answers between its next two steps.
    """
    asked = {run: request_memory_release(run) for run, _ in live_runs(runs, time.time())}
    released: dict[str, int | None] = {run.name: None for run in asked}
    deadline = time.monotonic() + timeout_s
    while asked and time.monotonic() < deadline:
        time.sleep(POLL_S)
        alive = dict(live_runs(asked, time.time()))
        for run, request in list(asked.items()):
            if run not in alive:
                del asked[run]
            elif alive[run].memory.release_request >= request:
                released[run.name] = alive[run].memory.released_bytes
                del asked[run]
    return released
