"""A folder of runs, a dataset that is small and sound, and the end of every trainer that a test started."""

from __future__ import annotations

import contextlib
import os
import signal
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from piper_core.runs.process import process_alive
from piper_core.runs.run import list_runs
from piper_core.runs.status import read_launch
from piper_core.settings import Settings


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Three clips of silence, one second each: enough for everything that looks at files alone."""
    folder = tmp_path / "clips"
    (folder / "wavs").mkdir(parents=True)
    for name in ("one", "two", "three"):
        with wave.open(str(folder / "wavs" / f"{name}.wav"), "wb") as clip:
            clip.setnchannels(1)
            clip.setsampwidth(2)
            clip.setframerate(22050)
            clip.writeframes(bytes(2 * 22050))
    (folder / "metadata.csv").write_text("one|The first.\ntwo|The second.\nthree|The third.\n", encoding="utf-8")
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """With a workspace of its own; its trainers are killed at the end."""
    settings = Settings(workspace_dir=tmp_path / "workspace", tensorboard_log_dir=tmp_path / "events")
    yield settings
    for run in list_runs(settings.runs_dir):
        launch = read_launch(run)
        if launch is not None and process_alive(launch.pid, launch.process_start_time):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(launch.pid, signal.SIGKILL)
