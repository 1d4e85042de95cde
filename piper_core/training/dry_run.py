"""A dry run: real steps on the longest clips in a process of its own, before a run is started. Torch-free.

The process is `python -m piper_core.training.trial`: what it needs of memory is then its own, and goes when it ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any

from piper_core.runs.launcher import ALLOCATOR, PROJECT_ROOT, settings_environment
from piper_core.settings import GIGABYTE, Settings
from piper_core.training.config import TrainingConfig

PATIENCE_S = 180.0
"""For its last word to come. The trial ends by itself in under a minute, unless the machine is overloaded."""
NAMED = 5
"""Clips that are named one by one."""


@dataclass(frozen=True)
class Measured:
    """Real steps of both optimizers on the longest clips of the dataset."""

    batch_size: int
    peak_bytes: int
    """What the process held at most: resident memory, or on a card what torch reserved."""
    seconds: float
    """A step."""


@dataclass(frozen=True)
class TrialReport:
    """What a dry run measured, and what follows for the configured run."""

    device: str
    precision: str
    clips: int
    """Of the dataset, that have their audio and are not too long."""
    longest_s: float
    """The longest of them, before its silent edges are cut."""
    too_long: tuple[str, ...]
    """Clips that are left out, being longer than `limit_s`."""
    limit_s: float
    batch_size: int
    """That the figures below are for: as configured, or the one that was chosen."""
    peak_bytes: int
    peak_is_measured: bool
    """False: extrapolated linearly from the two largest batches in `measured`."""
    room_bytes: int
    """What the device can give this process."""
    steps_per_second: float
    """On clips of usual length."""
    speed_is_measured: bool
    """False: scaled from a smaller batch."""
    steps_an_epoch: int
    total_steps: int
    safe_batch_size: int
    """The largest power of two that fits with some room left, of those up to the configured and the useful; 0: none."""
    useful_batch_size: int
    """More would not pay: few steps an epoch, or steps that only get longer."""
    measured: tuple[Measured, ...]
    took_s: float

    @property
    def fits(self) -> bool:
        """Whether the configured batch is expected to fit."""
        return self.safe_batch_size > 0 and self.peak_bytes < self.room_bytes

    @property
    def epoch_minutes(self) -> float:
        """One pass over the dataset, without checkpoints and samples."""
        return self.steps_an_epoch / self.steps_per_second / 60

    @property
    def eta_minutes(self) -> float:
        """The whole run, without checkpoints and samples."""
        return self.total_steps / self.steps_per_second / 60

    def lines(self) -> dict[str, str]:
        """For people: a label and a value a line."""
        sizes = " and ".join(str(step.batch_size) for step in self.measured[-2:])
        how = "measured" if self.peak_is_measured else f"extrapolated from batches of {sizes}"
        speed = "measured" if self.speed_is_measured else "scaled from a smaller batch"
        safe = str(self.safe_batch_size) if self.safe_batch_size else "none: not even one of the longest clips fits"
        lines = {
            "Batch size": f"{self.batch_size}, in {self.precision} on {self.device}",
            "Peak memory": f"{self.peak_bytes / GIGABYTE:.1f} of {self.room_bytes / GIGABYTE:.1f} GB, {how}",
            "Steps a second": f"{self.steps_per_second:.2f}, {speed}",
            "An epoch": f"{duration(self.epoch_minutes)}, {self.steps_an_epoch:,} steps",
            "The whole run": f"{duration(self.eta_minutes)}, {self.total_steps:,} steps",
            "Safe batch size": safe,
            "Longest clip": f"{self.longest_s:.1f} s",
        }
        if self.too_long:
            lines["Left out"] = too_long_sentence(self.too_long, self.limit_s)
        return lines

    def to_dict(self) -> dict[str, Any]:
        """As JSON, with what follows from the fields."""
        derived = {"fits": self.fits, "epoch_minutes": self.epoch_minutes, "eta_minutes": self.eta_minutes}
        return {"schema_version": 1} | asdict(self) | derived

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrialReport:
        """The inverse of `to_dict`."""
        given = {field.name: values[field.name] for field in fields(cls)}
        given["too_long"] = tuple(given["too_long"])
        given["measured"] = tuple(Measured(**step) for step in given["measured"])
        return cls(**given)


@dataclass(frozen=True)
class TrialFailed:
    """A dry run without a report."""

    reason: str
    """A sentence: what is wrong and what to do."""


def too_long_sentence(clips: tuple[str, ...], limit_s: float) -> str:
    """How many clips are too long and which, as a sentence."""
    named = ", ".join(clips[:NAMED]) + (f" and {len(clips) - NAMED} more" if len(clips) > NAMED else "")
    which = "1 clip is" if len(clips) == 1 else f"{len(clips):,} clips are"
    return f"{which} longer than {limit_s:g} s and left out: {named}."


def duration(minutes: float) -> str:
    """As `40 s`, `12 min`, `5.3 h` or `4.2 days`."""
    if minutes < 2:
        return f"{minutes * 60:.0f} s"
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / 1440:.1f} days"


def dry_run(
    config: TrainingConfig,
    settings: Settings,
    *,
    choose_batch: bool = False,
    on_progress: Callable[[str], None] = lambda _: None,
) -> TrialReport | TrialFailed:
    """Tries `config` out, saying what it does line by line. `choose_batch`: for the batch size that suits best."""
    asked = json.dumps({"config": config.to_dict(), "choose_batch": choose_batch})
    process = subprocess.Popen(
        [sys.executable, "-m", "piper_core.training.trial"],
        cwd=PROJECT_ROOT,
        env=ALLOCATOR | os.environ | settings_environment(settings) | {"PYTHONPATH": str(PROJECT_ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    last = ""
    try:
        process.stdin.write(asked)
        process.stdin.close()
        for line in process.stderr:
            last = line.strip() or last
            on_progress(last)
        answer = process.stdout.read()
        status = process.wait(PATIENCE_S)
    finally:
        process.kill()
        process.wait()
    if status == 0:
        return TrialReport.from_dict(json.loads(answer))
    if status < 0:
        return TrialFailed(
            f"The dry run was killed (signal {-status}) while it was at: {last.rstrip('.')}. The machine has too little"
            " memory for that; choose a smaller batch or preset."
        )
    return TrialFailed(last or f"The dry run ended without a word (exit status {status}).")


def too_long_clips(lengths_s: dict[str, float], limit_s: float) -> tuple[str, ...]:
    """The utterances that are longer than `limit_s`, the longest first."""
    long = [(length_s, name) for name, length_s in lengths_s.items() if length_s > limit_s]
    return tuple(name for _, name in sorted(long, reverse=True))
