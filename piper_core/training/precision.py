"""The number format of the networks' arithmetic, where `precision` is auto."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

import torch

from piper_core.training.config import Precision
from piper_core.training.data import Batch
from piper_core.training.module import VitsModule

TRIAL_CLIPS = 4
TRIAL_PAYS_FROM_STEPS = 30
"""A run of fewer steps is done before a trial has paid for itself."""
WORTH_IT = 1.1
"""bfloat16 has to be this many times faster to be taken on a processor: its eight bits of mantissa cost something."""


@dataclass(frozen=True)
class Choice:
    """The precision taken (never auto), and why, as a sentence for the log."""

    precision: Precision
    reason: str

    @property
    def lightning(self) -> Literal["32-true", "bf16-mixed", "16-mixed"]:
        """Lightning's word for it."""
        if self.precision == "bf16-mixed" or self.precision == "16-mixed":
            return self.precision
        return "32-true"


def choose_precision(module: VitsModule, batch: Batch, total_steps: int, device: torch.device) -> Choice:
    """For `auto`: bf16 on cards that have it; on a processor, whichever a short trial on `batch` shows faster.

    The trial computes gradients and drops them: weights and random numbers are left as they were.
    """
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return Choice("bf16-mixed", "The card computes in bfloat16.")
        return Choice("32", "The card does not compute in bfloat16.")
    if total_steps < TRIAL_PAYS_FROM_STEPS:
        return Choice("32", "The run is too short for a trial of bfloat16.")
    clips = Batch(*(values[:TRIAL_CLIPS] for values in batch))
    with torch.random.fork_rng(devices=[]):
        seconds = {bf16: _seconds_a_step(module, clips, bf16) for bf16 in (False, True)}
    ratio = seconds[False] / seconds[True]
    said = f"float32 took {seconds[False]:.2f} s and bfloat16 {seconds[True]:.2f} s for {len(clips.audio)} clips."
    return Choice("bf16-mixed" if ratio >= WORTH_IT else "32", f"In a trial {said}")


def _seconds_a_step(module: VitsModule, batch: Batch, bf16: bool) -> float:
    """The quicker of two, after one that warms up."""
    took = []
    for _ in range(3):
        started = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            module.gradients(batch)
        took.append(time.perf_counter() - started)
        module.zero_grad(set_to_none=True)
    return min(took[1:])
