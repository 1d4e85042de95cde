"""The processes of one run: which of them this is, and starting and watching the others where nobody else does.

Rank 0 alone writes to the run folder. The variables that say who is who are torchrun's (RANK, WORLD_SIZE, LOCAL_RANK,
GROUP_RANK, MASTER_ADDR, MASTER_PORT), whoever started the processes: torchrun, Slurm's srun, or rank 0 itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from piper_core.runs.run import Run

POLL_S = 0.2
GRACE_S = 5.0
"""How long rank 0 may take to notice by itself that another process is gone. On cards it may not: it waits there."""
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


@dataclass(frozen=True)
class Place:
    """This process among those that train together."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    """Among those of this machine: the number of its card."""
    local_world: int = 1
    """Processes on this machine."""


def started_by_others(environment: Mapping[str, str]) -> Place | None:
    """This process's place where torchrun, srun or rank 0 started several; None where it is alone."""
    if int(environment.get("WORLD_SIZE", 1)) > 1 and "RANK" in environment:
        return _place(environment, "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    # Of a job step: a batch script of its own has SLURM_NTASKS and SLURM_PROCID too, and is one process.
    if int(environment.get("SLURM_STEP_NUM_TASKS", 1)) > 1:
        return _place(environment, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", "SLURM_NTASKS_PER_NODE")
    return None


def _place(environment: Mapping[str, str], *names: str) -> Place:
    rank, world, local_rank = (int(environment[name]) for name in names[:3])
    return Place(rank, world, local_rank, int(environment.get(names[3], world)))


class Others:
    """The processes that rank 0 started on this machine. They end when it does, whatever ends it."""

    def __init__(self, run: Run, world: int) -> None:
        """Starts ranks 1 to `world` - 1 with this process's own command, and names itself rank 0 of them."""
        self._run = run
        self._closing = threading.Event()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        shared = {
            "WORLD_SIZE": str(world), "LOCAL_WORLD_SIZE": str(world), "GROUP_RANK": "0",
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        }  # fmt: skip
        os.environ |= shared | {"RANK": "0", "LOCAL_RANK": "0"}
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-m", "piper_core.training.trainer", str(run.folder)],
                env=os.environ | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
                stdin=subprocess.DEVNULL,
                preexec_fn=_die_with_parent,
            )
            for rank in range(1, world)
        ]

    def watch(self, on_loss: Callable[[str], None]) -> None:
        """From now on, should one of them end, ends this process too: by then it may be waiting for it forever.

        `on_loss` gets a sentence, `GRACE_S` later, unless `close` comes first.
        """

        def look() -> None:
            while not self._closing.wait(POLL_S):
                if self._ended() is None:
                    continue
                if not self._closing.wait(GRACE_S):
                    on_loss(last_words(self._run, self) or "")
                    self.kill()
                    os._exit(1)
                return

        threading.Thread(target=look, name="watch-ranks", daemon=True).start()

    def lost(self) -> str | None:
        """Which of them has ended, and how; None while all are at work."""
        ended = self._ended()
        if ended is None:
            return None
        rank, status = ended
        how = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
        return f"Process {rank} of the {len(self.processes) + 1} that train together ended ({how})."

    def _ended(self) -> tuple[int, int] | None:
        for rank, process in enumerate(self.processes, start=1):
            if (status := process.poll()) is not None:
                return rank, status
        return None

    def close(self, wait_s: float = 0.0) -> None:
        """Stops watching, and ends those that do not end by themselves in `wait_s` seconds."""
        self._closing.set()
        deadline = time.monotonic() + wait_s
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
        self.kill()

    def kill(self) -> None:
        """Ends them at once."""
        for process in self.processes:
            process.kill()
            process.wait()


def _die_with_parent() -> None:
    prctl = getattr(ctypes.CDLL(None), "prctl", None)  # Linux only; elsewhere the lost connection ends it
    if prctl is not None:
        prctl(_DIE_WITH_PARENT, signal.SIGKILL)


def say_last_words(run: Run, rank: int, sentence: str) -> None:
    """Leaves why `rank` ends where rank 0 looks for it."""
    (run.folder / f"rank-{rank}.error").write_text(sentence, encoding="utf-8")


def forget_last_words(run: Run) -> None:
    """Removes what the processes of a former start left."""
    for path in run.folder.glob("rank-*.error"):
        path.unlink(missing_ok=True)


def last_words(run: Run, others: Others | None, wait_s: float = 2.0) -> str | None:
    """Why another process ended, as a sentence; None when none is known to have. Looks for `wait_s` seconds."""
    deadline = time.monotonic() + wait_s
    while True:
        which = others.lost() if others else None
        words = [path.read_text(encoding="utf-8") for path in sorted(run.folder.glob("rank-*.error"))]
        if which or words:
            return " ".join([*words[:1], *([which] if which else [])])
        if time.monotonic() > deadline:
            return None
        time.sleep(POLL_S)
