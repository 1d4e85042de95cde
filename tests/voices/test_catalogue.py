"""Checkpoints of runs, listed from names and status alone."""

from __future__ import annotations

import json
from pathlib import Path

from piper_core.runs.run import Run
from piper_core.runs.status import CheckpointRef, TrainingStatus, write_status
from piper_core.training.config import TrainingConfig
from piper_core.voices.catalogue import checkpoints_of, list_checkpoints


def a_run(runs_dir: Path, name: str, *files: str) -> Run:
    run = Run(runs_dir / name)
    run.checkpoints_dir.mkdir(parents=True)
    run.config_path.write_text(json.dumps(TrainingConfig(name=name, dataset="/data", max_steps=1).to_dict()))
    for file in files:
        (run.checkpoints_dir / file).write_bytes(b"x" * 10)
    return run


def test_steps_and_losses_come_from_names_and_status(tmp_path: Path) -> None:
    run = a_run(
        tmp_path, "kath", "last.ckpt", "step=000400-val_mel=0.5123.ckpt", "step=001000-val_mel=0.4000.ckpt",
        ".last.ckpt.77.tmp", ".hidden.ckpt", "epoch=3.ckpt",
    )  # fmt: skip
    write_status(run, TrainingStatus(state="training", checkpoint=CheckpointRef("checkpoints/last.ckpt", 1200)))
    found = checkpoints_of(run)
    assert [(entry.step, entry.val_mel, entry.is_last) for entry in found] == [
        (1200, None, True),
        (1000, 0.4, False),
        (400, 0.5123, False),
        (None, None, False),
    ]
    assert found[0].label == "kath · latest · step 1,200"
    assert found[1].label == "kath · best · step 1,000 · mel 0.400"
    assert found[0].size_bytes == 10


def test_runs_without_checkpoints_or_with_broken_status_do_no_harm(tmp_path: Path) -> None:
    a_run(tmp_path, "new")
    broken = a_run(tmp_path, "broken", "last.ckpt")
    broken.status_path.write_text("{half")
    (tmp_path / "notes").mkdir()
    (entry,) = list_checkpoints(tmp_path)
    assert (entry.run, entry.step) == ("broken", None)
    assert list_checkpoints(tmp_path / "nowhere") == []
