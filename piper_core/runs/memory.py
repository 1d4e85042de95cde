"""Asking live trainers to give back the memory that they only cache, and waiting for what came back."""

from __future__ import annotations

import time
from collections.abc import Iterable

from piper_core.runs.control import request_memory_release
from piper_core.runs.run import Run
from piper_core.runs.status import observe

POLL_S = 0.2


def release_memory(runs: Iterable[Run], timeout_s: float) -> dict[str, int | None]:
    """Bytes that each live run's trainer gave back, by the run's name.

    A run that is not alive is left out. None: it has not answered in `timeout_s` seconds; the request stands, and
    it answers between its next two steps.
    """
    asked: dict[Run, int] = {}
    for run in runs:
        status = observe(run, time.time())
        if status is not None and status.is_alive_state:
            asked[run] = request_memory_release(run)
    released: dict[str, int | None] = {run.name: None for run in asked}
    deadline = time.monotonic() + timeout_s
    while asked and time.monotonic() < deadline:
        time.sleep(POLL_S)
        for run, request in list(asked.items()):
            status = observe(run, time.time())
            if status is None or not status.is_alive_state:
                del asked[run]
            elif status.memory.release_request >= request:
                released[run.name] = status.memory.released_bytes
                del asked[run]
    return released
