"""What the trainer says of itself: status.json, about once a second and at every change of state. Torch-free."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import replace
from typing import Any

import psutil

from piper_core.runs.process import process_start_time
from piper_core.runs.run import Run
from piper_core.runs.status import ALIVE_STATES, Memory, Progress, State, TrainingStatus, write_status

_LOGGER = logging.getLogger(__name__)

WRITE_EVERY_S = 1.0


class Reporter:
    """The one writer of a run's status.json. Keeps the status; `update` changes parts of it.

    A status that can't be written (disk full) is logged, and never ends the training.
    """

    def __init__(self, run: Run, former: TrainingStatus | None = None) -> None:
        """`former` is the status of the run that is resumed: its step, losses and checkpoint stand until newer ones."""
        self._run = run
        self._process = psutil.Process()
        now = time.time()
        self.status = TrainingStatus(
            state="preparing",
            message="The trainer is starting.",
            pid=os.getpid(),
            process_start_time=process_start_time(os.getpid()) or now,
            started_at=now,
            updated_at=now,
        )
        if former is not None:
            known = Progress(former.progress.epoch, former.progress.step, former.progress.total_steps)
            self.status = replace(self.status, progress=known, losses=former.losses, checkpoint=former.checkpoint)
        self._notes: dict[str, str] = {}
        self._written_at = float("-inf")
        self._could_write = True
        self.update(force=True)

    def update(self, *, force: bool = False, **changes: Any) -> None:
        """Takes over `changes` (fields of TrainingStatus); writes once a second, at a new state, or when forced."""
        changed_state = changes.get("state", self.status.state) != self.status.state
        self.status = replace(self.status, **changes)
        if force or changed_state or time.monotonic() - self._written_at >= WRITE_EVERY_S:
            self._write()

    def progress(self, *, force: bool = False, **changes: Any) -> None:
        """Takes over `changes` (fields of Progress)."""
        self.update(force=force, progress=replace(self.status.progress, **changes))

    def note(self, topic: str, sentence: str | None) -> None:
        """A sentence that stands behind every message until it is taken back with None, as that saving failed."""
        if sentence is None:
            self._notes.pop(topic, None)
        else:
            self._notes[topic] = sentence

    def memory(self, **changes: Any) -> Memory:
        """Takes over `changes` (fields of Memory), and returns the whole; written with the next update."""
        self.status = replace(self.status, memory=replace(self.status.memory, **changes))
        return self.status.memory

    def end(self, state: State, message: str, error: str | None = None) -> None:
        """The last word: finished, stopped or failed."""
        changes: dict[str, Any] = {"eta_minutes": None, "eta_low_minutes": None, "eta_high_minutes": None}
        if state == "finished":
            changes |= {"eta_minutes": 0.0, "eta_low_minutes": 0.0, "eta_high_minutes": 0.0, "progress_percent": 100.0}
        progress = replace(self.status.progress, **changes)
        self.update(force=True, state=state, message=message, error=error, progress=progress)

    @property
    def alive(self) -> bool:
        """Whether `end` is still to come."""
        return self.status.state in ALIVE_STATES

    def _write(self) -> None:
        self.memory(rss_bytes=self._process.memory_info().rss)
        self.status = replace(self.status, updated_at=time.time())
        told = replace(self.status, message=" ".join([self.status.message, *self._notes.values()]).strip())
        self._written_at = time.monotonic()
        try:
            write_status(self._run, told)
        except OSError as error:
            if self._could_write:
                _LOGGER.error("status.json could not be written: %s", error)
            self._could_write = False
        else:
            self._could_write = True


def preparing_message(done: int, total: int, remaining_s: float | None) -> str:
    """As `Preparing clips: 120 of 500, about 8 s left.`"""
    left = "" if remaining_s is None or done >= total else f", about {_duration(remaining_s)} left"
    return f"Preparing clips: {done} of {total}{left}."


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
