"""The launcher with the real trainer: launched, killed, seen as crashed, resumed from its checkpoint, stopped."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from piper_core.runs.control import request_stop
from piper_core.runs.launcher import Started, launch, resume
from piper_core.runs.metrics import MetricsReader
from piper_core.runs.run import Run
from piper_core.runs.status import TrainingStatus, observe
from piper_core.settings import Settings
from piper_core.training.config import TrainingConfig


def wait_until(run: Run, wanted: Callable[[TrainingStatus], bool], within_s: float = 180.0) -> TrainingStatus:
    deadline = time.monotonic() + within_s
    status = None
    while time.monotonic() < deadline:
        status = observe(run, time.time())
        if status is not None and wanted(status):
            return status
        assert status is None or status.state != "failed", status
        time.sleep(0.1)
    raise AssertionError(f"still {status}; the log: {run.log_path.read_text()[-2000:]}")


@pytest.mark.slow
def test_a_killed_run_goes_on_from_its_last_checkpoint(
    demo_dataset: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    config = TrainingConfig(
        name="real", dataset=str(demo_dataset), preset="tiny", max_steps=1000, batch_size=2, num_workers=0,
        precision="32", checkpoint_every_steps=2, sample_every_steps=1000,
    )  # fmt: skip
    outcome = launch(config, settings.runs_dir, settings=settings)
    assert isinstance(outcome, Started), outcome.sentence
    run = outcome.run
    status = wait_until(run, lambda status: status.checkpoint is not None and status.checkpoint.step >= 2)
    assert status.pid == outcome.pid
    os.kill(outcome.pid, signal.SIGKILL)
    crashed = wait_until(run, lambda status: status.state == "crashed", within_s=5)
    assert "Resume goes on from step" in crashed.message
    assert crashed.checkpoint is not None
    saved_step = crashed.checkpoint.step

    outcome = resume(run, settings=settings)
    assert isinstance(outcome, Started), outcome.sentence
    status = wait_until(run, lambda status: status.state == "training" and status.progress.step > saved_step)
    request_stop(run)
    status = wait_until(run, lambda status: status.state == "stopped")
    steps, values = MetricsReader(run.metrics_path).read().points("mel")
    assert steps.tolist() == list(range(1, status.progress.step + 1))  # once each, with none lost at the seam
    assert (values > 0).all()
