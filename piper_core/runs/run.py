"""The run folder: one file a concern, each with one writer.

`config.json`, `launch.json` and `control.json` are written by whoever starts and steers the run;
`status.json`, `metrics.jsonl`, `trainer.log`, `checkpoints/`, `samples/` by its trainer.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cache_utils.atomic import TEMPORARY_SUFFIX, write_atomically, writer_of
from piper_core.runs.process import process_start_time
from piper_core.training.config import ConfigError, TrainingConfig


class RunError(ValueError):
    """A run folder, or a file in it, that can't be used. The message says which, why, and what to do."""


@dataclass(frozen=True)
class Run:
    """A run by its folder. Making one reads nothing; `open_run` looks whether it is one."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def config_path(self) -> Path:
        """The TrainingConfig."""
        return self.folder / "config.json"

    @property
    def launch_path(self) -> Path:
        """Which process was started last: pid, its start time, when."""
        return self.folder / "launch.json"

    @property
    def status_path(self) -> Path:
        """The TrainingStatus."""
        return self.folder / "status.json"

    @property
    def control_path(self) -> Path:
        """The Control."""
        return self.folder / "control.json"

    @property
    def metrics_path(self) -> Path:
        """The losses, one JSON object a line."""
        return self.folder / "metrics.jsonl"

    @property
    def log_path(self) -> Path:
        """All that the trainer prints."""
        return self.folder / "trainer.log"

    @property
    def lock_path(self) -> Path:
        """Held while a trainer is being started and while control.json is being changed."""
        return self.folder / ".lock"

    @property
    def checkpoints_dir(self) -> Path:
        """`last.ckpt` and the best few."""
        return self.folder / "checkpoints"

    @property
    def last_checkpoint(self) -> Path:
        """What a resume goes on from."""
        return self.checkpoints_dir / "last.ckpt"

    @property
    def samples_dir(self) -> Path:
        """What the voice said, by step."""
        return self.folder / "samples"

    @property
    def voice_dir(self) -> Path:
        """The exported voice."""
        return self.folder / "voice"

    def config(self) -> TrainingConfig:
        """The run's configuration. Raises RunError when it is missing or can't be used."""
        values = read_json(self.config_path)
        if values is None:
            raise RunError(f"{self.folder} holds no run: it has no config.json.")
        try:
            return TrainingConfig.from_dict(values)
        except (ConfigError, TypeError) as error:
            raise RunError(f"{self.config_path} can't be used: {error}") from error


def open_run(folder: Path) -> Run:
    """The run in `folder`. Raises RunError when there is none."""
    run = Run(folder)
    if not folder.is_dir():
        raise RunError(f"There is no run {folder}.")
    if not run.config_path.is_file():
        raise RunError(f"{folder} holds no run: it has no config.json.")
    return run


def list_runs(runs_dir: Path) -> list[Run]:
    """The runs in `runs_dir`, the one started last first; folders that hold none are passed over."""
    dated = []
    for config in runs_dir.glob("*/config.json"):
        try:
            dated.append((config.stat().st_mtime, config.parent.name, Run(config.parent)))
        except FileNotFoundError:  # removed since it was listed
            continue
    return [run for _, _, run in sorted(dated, key=lambda item: item[:2], reverse=True)]


def write_json(path: Path, value: object) -> None:
    """Replace `path` whole by `value` as JSON. ValueError for NaN or infinity, which JSON has not."""
    write_atomically(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())


def remove_leftovers(run: Run) -> int:
    """Removes what killed processes left half written in the run folder; returns how many files that were.

    The temporary file of a process that still runs stays: a page may be about to replace control.json.
    """
    removed = 0
    for folder in (run.folder, run.samples_dir):
        for path in folder.glob(f".*{TEMPORARY_SUFFIX}"):
            pid = writer_of(path)
            if pid is not None and process_start_time(pid) is None:
                path.unlink(missing_ok=True)
                removed += 1
    return removed


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object in `path`, None when there is no such file. Raises RunError when it is something else."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError(f"{path} can't be read: {error.strerror}.") from error
    except ValueError as error:
        raise RunError(f"{path} is not JSON ({error}); it was changed by hand or by a failing disk.") from error
    if not isinstance(value, dict):
        raise RunError(f"{path} holds no JSON object.")
    return value


def last_line(log: Path, offset: int = 0) -> str | None:
    """The last line of `log` that is not empty, looking at bytes from `offset` and at most the last 8192; else None."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(offset, size - 8192))
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else None
