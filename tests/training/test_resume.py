"""A run that was stopped and resumed equals the unbroken one, to the last bit: weights, rates, data, noise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor

from cache_utils.store import CacheStore
from piper_core.features import PreparedUtterance, pack
from piper_core.training.checkpoints import AtomicCheckpointIO
from piper_core.training.config import TrainingConfig
from piper_core.training.data import Batch, VitsDataModule
from piper_core.training.hyper_parameters import hyper_parameters
from piper_core.training.module import VitsModule
from piper_core.training.position import Position, loops_at, position_of
from piper_core.training.precision import former_choice, processor
from piper_core.training.randomness import SeedSteps, step_seed

CLIPS, BATCH, STEPS = 9, 2, 17
"""Five batches an epoch."""


class Quick(VitsModule):
    """The real loops, optimizers and checkpoints over gradients that cost nothing, of the batch and of the noise."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        config = TrainingConfig(name="t", dataset="/nowhere", preset="tiny", max_steps=1, lr_decay=0.9, lr_decay_d=0.8)
        super().__init__(hyper_parameters(config), discriminator_width=0.0625)
        self.seen: list[tuple[Any, ...]] = []

    def gradients(self, batch: Batch, *_: Any, **__: Any) -> dict[str, Tensor]:
        clips, noise = tuple(batch.audio[:, 0].tolist()), torch.rand(()).item()
        for parameter in self.parameters():
            parameter.grad = torch.full_like(parameter, noise * sum(clips))
        rates = tuple(optimizer.param_groups[0]["lr"] for optimizer in self.trainer.optimizers)
        self.seen.append((self.steps_done, self.current_epoch, self.batches_done_in_epoch, clips, noise, rates))
        return {"loss_g": torch.zeros(())}

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        torch.rand(3)  # what it draws must not be missed by the training


class Halt(Exception):
    pass


class Stop(pl.Callback):
    """Saves after `steps` steps in all, as the trainer's callbacks do, and ends the run there."""

    def __init__(self, steps: int, path: Path) -> None:
        self.steps, self.path = steps, path

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        if pl_module.steps_done == self.steps:  # type: ignore[union-attr]
            trainer.save_checkpoint(self.path)
            raise Halt


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., Quick]:
    store = CacheStore(tmp_path / "cache", 10**9)
    clips = []
    for i in range(CLIPS):
        store.put(f"aa{i:04d}", pack(np.full(i + 3, i), np.full(400, i, np.int16)))
        clips.append(PreparedUtterance(f"u{i}", f"aa{i:04d}", i + 3, 400, 0, "text"))

    def until(steps: int, resumed: Path | None = None, batch_size: int = BATCH) -> Quick:
        module = Quick()
        torch.manual_seed(int.from_bytes(str(resumed).encode()[-4:], "little"))  # whatever came before must not matter
        trainer = pl.Trainer(
            accelerator="cpu", max_epochs=-1, val_check_interval=3, check_val_every_n_epoch=None, logger=False,
            num_sanity_val_steps=0, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
            callbacks=[SeedSteps(7), Stop(steps, tmp_path / f"{steps}.ckpt")], plugins=[AtomicCheckpointIO()],
        )  # fmt: skip
        data = VitsDataModule(clips, clips[:2], store, batch_size=batch_size, seed=3)
        with pytest.raises(Halt):
            trainer.fit(module, datamodule=data, ckpt_path=resumed)
        return module

    return until


@pytest.mark.parametrize(
    "stops",
    [(1,), (3,), (4, 5), (5,), (5, 6), (5, 10), (6, 8, 9), (14, 15, 16)],
    ids=lambda stops: "-".join(map(str, stops)),
)
def test_a_resumed_run_equals_the_unbroken_one(
    train: Callable[..., Quick], tmp_path: Path, stops: tuple[int, ...]
) -> None:
    """Stopped inside an epoch, at its last batch, again inside the same, where a validation is due."""
    whole = train(STEPS)
    seen: list[tuple[Any, ...]] = []
    resumed = None
    for steps in (*stops, STEPS):
        part = train(steps, resumed)
        seen += part.seen
        resumed = tmp_path / f"{steps}.ckpt"
    assert seen == whole.seen
    epochs = [tuple(sorted(clip for step in whole.seen[at : at + 5] for clip in step[3])) for at in (0, 5, 10)]
    assert epochs == [tuple(range(CLIPS))] * 3
    assert whole.seen[-1][5] == pytest.approx((2e-4 * 0.9**3, 1e-4 * 0.8**3))
    for (name, ours), theirs in zip(part.state_dict().items(), whole.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs), name


def test_an_epoch_of_another_length_begins_at_the_next(train: Callable[..., Quick], tmp_path: Path) -> None:
    """Another batch size: the order is another, so what is left of the epoch can't be known."""
    train(7)
    part = train(12, tmp_path / "7.ckpt", batch_size=3)
    assert [step[:3] for step in part.seen] == [(7, 2, 0), (8, 2, 1), (9, 2, 2), (10, 3, 0), (11, 3, 1)]
    assert sorted(clip for step in part.seen[:3] for clip in step[3]) == list(range(CLIPS))


def test_a_checkpoint_of_pipers_goes_on_at_an_epochs_start(train: Callable[..., Quick], tmp_path: Path) -> None:
    """It has no key of ours, and its loops stand in the middle of an epoch of some other dataset."""
    train(8)
    content = torch.load(tmp_path / "8.ckpt", weights_only=True)
    del content["piper_studio"]
    content["loops"]["fit_loop"]["epoch_loop.batch_progress"]["current"]["ready"] = 700
    torch.save(content, tmp_path / "theirs.ckpt")
    part = train(14, tmp_path / "theirs.ckpt")
    assert [step[:3] for step in part.seen] == [(8, 2, 0), (9, 2, 1), (10, 2, 2), (11, 2, 3), (12, 2, 4), (13, 3, 0)]


def test_where_a_run_goes_on() -> None:
    def ours(**note: int) -> dict[str, Any]:
        return {"piper_studio": note}

    assert position_of(ours(step=12, epoch=2, batches_done_in_epoch=2, batches_per_epoch=5), 5) == Position(12, 2, 2)
    assert position_of(ours(step=15, epoch=2, batches_done_in_epoch=5, batches_per_epoch=5), 5) == Position(15, 3, 0)
    assert position_of(ours(step=12, epoch=2, batches_done_in_epoch=2, batches_per_epoch=5), 4) == Position(12, 3, 0)
    assert position_of({"global_step": 40, "epoch": 6}, 5) == Position(20, 6, 0)


def test_lightnings_counters_are_its_own() -> None:
    """Every name that is set is one that Lightning's loop reads: a new version with others fails here."""
    fresh = pl.Trainer(logger=False, enable_checkpointing=False, enable_progress_bar=False).fit_loop.state_dict()
    for position in (Position(12, 2, 2), Position(15, 3, 0)):
        made = loops_at(position, fresh)["fit_loop"]
        assert made.keys() == fresh.keys()
        assert made["epoch_progress"]["current"]["completed"] == position.epoch
        for name in ("epoch_progress", "epoch_loop.batch_progress"):
            assert made[name]["current"].keys() == fresh[name]["current"].keys()


def test_steps_and_processes_draw_from_streams_of_their_own() -> None:
    seeds = [step_seed(seed, step, process) for seed in (0, 1) for step in range(200) for process in range(3)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
    draws = torch.stack([torch.randn(500, generator=torch.Generator().manual_seed(seed)) for seed in seeds[:200]])
    kindred = torch.corrcoef(draws).fill_diagonal_(0).abs().max().item()
    assert kindred < 6 / 500**0.5  # six standard deviations, of 19,900 pairs
    assert step_seed(1234, 0) == step_seed(1234, 0)


def test_a_resumed_run_keeps_its_precision() -> None:
    cpu = torch.device("cpu")
    note = {"precision": "bf16-mixed", "processor": processor(cpu)}
    choice = former_choice(note, cpu)
    assert choice is not None
    assert choice.precision == "bf16-mixed"
    assert former_choice(note | {"processor": "another"}, cpu) is None
    assert former_choice({}, cpu) is None
    assert former_choice(note | {"precision": "64"}, cpu) is None
