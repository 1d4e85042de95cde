"""The checkpoints of all runs, by file names and status alone: nothing is opened, nothing imports torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from piper_core.runs.run import Run, RunError, list_runs
from piper_core.runs.status import read_status

_STEP = re.compile(r"step=(\d+)")
_VAL_MEL = re.compile(r"val_mel=(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class CheckpointFile:
    """A checkpoint of a run."""

    run: str
    """The run's name."""
    path: Path
    step: int | None
    """Batches trained; None when neither the name nor the status says it."""
    size_bytes: int
    saved_at: float
    """Unix time, seconds."""
    val_mel: float | None
    """Validation mel loss, of the best few."""
    is_last: bool
    """Whether it is last.ckpt, which a resume goes on from."""

    @property
    def label(self) -> str:
        """A line to choose it by."""
        parts = [self.run, "latest" if self.is_last else "best" if self.val_mel is not None else self.path.name]
        if self.step is not None:
            parts.append(f"step {self.step:,}")
        if self.val_mel is not None:
            parts.append(f"mel {self.val_mel:.3f}")
        return " · ".join(parts)


def list_checkpoints(runs_dir: Path) -> list[CheckpointFile]:
    """Of every run in `runs_dir`, the newest run first; in a run the last checkpoint, then the others by step."""
    return [checkpoint for run in list_runs(runs_dir) for checkpoint in checkpoints_of(run)]


def checkpoints_of(run: Run) -> list[CheckpointFile]:
    """A run's checkpoints: last.ckpt first, then the highest step."""
    found = [entry for path in run.checkpoints_dir.glob("*.ckpt") if (entry := _entry(run, path)) is not None]
    return sorted(found, key=lambda entry: (not entry.is_last, -(entry.step or 0), entry.path.name))


def _entry(run: Run, path: Path) -> CheckpointFile | None:
    if path.name.startswith("."):
        return None
    try:
        stat = path.stat()
    except FileNotFoundError:  # replaced or dropped by the trainer since it was listed
        return None
    step, val_mel = _STEP.search(path.name), _VAL_MEL.search(path.name)
    return CheckpointFile(
        run=run.name,
        path=path,
        step=int(step[1]) if step else _step_by_status(run, path),
        size_bytes=stat.st_size,
        saved_at=stat.st_mtime,
        val_mel=float(val_mel[1]) if val_mel else None,
        is_last=path == run.last_checkpoint,
    )


def _step_by_status(run: Run, path: Path) -> int | None:
    try:
        status = read_status(run)
    except RunError:
        return None
    if status is None or status.checkpoint is None or run.folder / status.checkpoint.path != path:
        return None
    return status.checkpoint.step
