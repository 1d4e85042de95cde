"""A checkpoint is whole or it is the one before; the best are kept and the rest goes."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from piper_core.training.checkpoints import (
    AtomicCheckpointIO,
    CheckpointNotSaved,
    best_checkpoints,
    best_name,
    keep_best,
    remove_leftovers,
)


def save(last: Path, text: str) -> None:
    """As the trainer does: a new file in the place of the old."""
    new = last.with_suffix(".new")
    new.write_text(text)
    new.replace(last)


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may pass 100 kB: writing fails in the middle, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_failed_save_keeps_the_one_before(tmp_path: Path, small_files: None) -> None:
    io = AtomicCheckpointIO()
    last = tmp_path / "checkpoints" / "last.ckpt"
    io.save_checkpoint({"weights": torch.zeros(10)}, last)
    before = last.read_bytes()
    with pytest.raises(CheckpointNotSaved, match=r"disk is full.*saved before is kept"):
        io.save_checkpoint({"weights": torch.zeros(100_000)}, last)
    assert last.read_bytes() == before
    assert list(last.parent.iterdir()) == [last]


def test_the_best_are_kept(tmp_path: Path) -> None:
    last = tmp_path / "last.ckpt"
    for step, val_mel in ((100, 0.9), (200, 0.5), (300, 0.7), (400, 0.95), (500, 0.6)):
        save(last, f"weights of step {step}")
        keep_best(last, step, val_mel, keep=2)
    kept = best_checkpoints(tmp_path)
    assert [(val_mel, step) for val_mel, step, _ in kept] == [(0.5, 200), (0.6, 500)]
    assert [path.read_text() for *_, path in kept] == ["weights of step 200", "weights of step 500"]
    assert last.read_text() == "weights of step 500"


def test_a_step_trained_again_takes_its_own_place(tmp_path: Path) -> None:
    last = tmp_path / "last.ckpt"
    for val_mel in (0.5, 0.8):
        save(last, f"{val_mel}")
        keep_best(last, 100, val_mel, keep=3)
    assert [path.name for path in tmp_path.glob("step=*")] == ["step=000100-val_mel=0.8000.ckpt"]


def test_none_are_kept_when_none_are_wanted(tmp_path: Path) -> None:
    last = tmp_path / "last.ckpt"
    last.write_text("w")
    assert keep_best(last, 1, 0.5, keep=0) is None
    assert list(tmp_path.iterdir()) == [last]


def test_names_sort_by_step() -> None:
    assert best_name(200, 0.8123) == "step=000200-val_mel=0.8123.ckpt"


def test_leftovers_of_a_killed_trainer_go(tmp_path: Path) -> None:
    (tmp_path / ".last.ckpt.123.tmp").write_text("half")
    (tmp_path / "last.ckpt").write_text("whole")
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]
