"""Whether a process is the one that was meant: pids are used again, and an unreaped child still has one."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

CLOCK_TOLERANCE_S = 2.0
"""How far two readings of one process's start time may differ: the kernel counts from boot, and clocks are set."""


def process_start_time(pid: int) -> float | None:
    """Unix time in seconds at which process `pid` began; None when there is none, or only a zombie."""
    if pid <= 0:
        return None
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def process_alive(pid: int, start_time: float) -> bool:
    """Whether the process that had `pid` and began at `start_time` still runs. A zombie does not."""
    found = process_start_time(pid)
    return found is not None and abs(found - start_time) <= CLOCK_TOLERANCE_S


def spawn_detached(
    command: Sequence[str], *, folder: Path, environment: Mapping[str, str], log: Path
) -> subprocess.Popen[bytes]:
    """Start `command` in `folder`, in a session of its own, printing to the end of `log`.

    It outlives this process and its terminal. As long as this process lives it reaps the child,
    so that a killed one leaves no zombie. Raises OSError when it can't be started.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    threading.Thread(target=process.wait, name=f"reaper-{process.pid}", daemon=True).start()
    return process
