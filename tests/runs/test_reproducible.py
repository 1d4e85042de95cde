"""The real trainer, started as people start it: the same seed gives the same run, and 40 steps equal 20 + 20."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from piper_core.runs.launcher import Outcome, Started, launch, resume
from piper_core.runs.run import Run
from piper_core.runs.status import TrainingStatus, observe
from piper_core.settings import Settings
from piper_core.training.config import TrainingConfig

STEPS = 40

pytestmark = pytest.mark.slow


def wait_for(outcome: Outcome, wanted: Callable[[TrainingStatus], bool], within_s: float = 300) -> Started:
    assert isinstance(outcome, Started), outcome.sentence
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        status = observe(outcome.run, time.time())
        if status is not None and wanted(status):
            return outcome
        assert status is None or status.is_alive_state, status
        time.sleep(0.05)
    raise AssertionError(outcome.run.log_path.read_text()[-2000:])


def finished(status: TrainingStatus) -> bool:
    return status.state == "finished"


def losses(run: Run) -> dict[int, dict[str, Any]]:
    """By step, what was written last; times left out, and what depends on when a validation came."""
    rows = [json.loads(line) for line in run.metrics_path.read_text().splitlines()]
    return {row["step"]: {name: row[name] for name in row if name != "time"} for row in rows if "loss_g" in row}


def tensors(value: Any, name: str = "") -> dict[str, Any]:
    """Every leaf of a checkpoint's part by its path."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        return {name: value}
    return {path: leaf for key, part in items for path, leaf in tensors(part, f"{name}/{key}").items()}


def assert_same_end(run: Run, other: Run) -> None:
    ours, theirs = (torch.load(one.last_checkpoint, weights_only=True) for one in (run, other))
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "epoch", "global_step"):
        found, expected = tensors(ours[part]), tensors(theirs[part])
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            same = torch.equal(found[name], value) if isinstance(value, torch.Tensor) else found[name] == value
            assert same, (part, name)
    for name in ("step", "epoch", "batches_done_in_epoch", "batches_per_epoch", "precision"):
        assert ours["piper_studio"][name] == theirs["piper_studio"][name], name


@pytest.fixture
def config(demo_dataset: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., TrainingConfig]:
    """Twelve clips, one held out, four batches an epoch; a validation in the midst of epochs. Rates that decay fast."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def named(name: str, **changes: Any) -> TrainingConfig:
        given: dict[str, Any] = {
            "name": name, "dataset": str(demo_dataset), "preset": "tiny", "batch_size": 3, "num_workers": 1,
            "precision": "32", "checkpoint_every_steps": 6, "sample_every_steps": 9, "max_steps": STEPS,
            "lr_decay": 0.9, "lr_decay_d": 0.9, "validation_share": 0.1,
        }  # fmt: skip
        return TrainingConfig(**(given | changes))

    return named


def test_40_steps_equal_20_and_20_more(config: Callable[..., TrainingConfig], settings: Settings) -> None:
    whole = wait_for(launch(config("whole"), settings.runs_dir, settings=settings), finished).run
    assert sorted(losses(whole)) == list(range(1, STEPS + 1))

    # Twice the same: another process, stopped at its 20th step (in the midst of nothing that the whole run had there).
    half = launch(config("half", max_steps=20), settings.runs_dir, settings=settings)
    halves = wait_for(half, finished).run
    assert losses(halves) == {step: row for step, row in losses(whole).items() if step <= 20}
    wait_for(resume(halves, settings=settings, max_steps=STEPS), finished)
    assert losses(halves) == losses(whole)
    assert_same_end(halves, whole)

    # Killed where nothing was saved: the steps since the last checkpoint are taken again, and come out the same.
    killed = launch(config("killed"), settings.runs_dir, settings=settings)
    killed = wait_for(killed, lambda status: status.progress.step >= 14 and status.checkpoint is not None)
    os.kill(killed.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while observe(killed.run, time.time()).state != "crashed":  # type: ignore[union-attr]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    wait_for(resume(killed.run, settings=settings), finished)
    assert losses(killed.run) == losses(whole)
    assert_same_end(killed.run, whole)


def test_another_seed_is_another_run(config: Callable[..., TrainingConfig], settings: Settings) -> None:
    runs = [
        wait_for(
            launch(config(f"seed{seed}", seed=seed, max_steps=2), settings.runs_dir, settings=settings), finished
        ).run
        for seed in (1, 2)
    ]
    assert losses(runs[0])[1]["loss_g"] != losses(runs[1])[1]["loss_g"]
