"""Random numbers of training: each step draws from a stream of its own, named by (seed, step, process).

So what a step draws depends on nothing that happened before it. A resumed run draws what the unbroken one would have,
on another device too; validation, samples and trials of the precision can't shift anything; and processes that train
together draw different noise, with one seed.
"""

from __future__ import annotations

import hashlib
from typing import Any

import pytorch_lightning as pl
import torch

from piper_core.training.module import VitsModule


def step_seed(seed: int, step: int, process: int = 0) -> int:
    """The seed of a step's random numbers, 0 to 2^63 - 1. A hash, for neighbouring seeds give kindred streams."""
    digest = hashlib.blake2b(f"{seed} {step} {process}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


class SeedSteps(pl.Callback):
    """Seeds torch anew before each step: the processor's generator, and the card's where the training is on one."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, VitsModule)
        seed = step_seed(self._seed, pl_module.steps_done, trainer.global_rank)
        # Not torch.manual_seed: it asks every kind of device that torch knows, 30 times as long.
        torch.default_generator.manual_seed(seed)
        if pl_module.device.type == "cuda":
            torch.cuda.default_generators[pl_module.device.index or 0].manual_seed(seed)
