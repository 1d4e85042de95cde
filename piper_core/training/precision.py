"""The number format of the networks' arithmetic, where `precision` is auto."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from piper_core.training.config import PRECISIONS, Precision
from piper_core.training.data import Batch
from piper_core.training.module import VitsModule

TRIAL_CLIPS = 1
"""Of the batch: enough to tell a format that pays, and a run waits for it."""
TRIAL_PAYS_FROM_STEPS = 30
"""A run of fewer steps is done before a trial has paid for itself."""
WORTH_IT = 1.1
"""bfloat16 has to be this many times faster to be taken on a processor: its eight bits of mantissa cost something."""
CLEAR = 1.1
"""A second step this many times off WORTH_IT decides alone."""
AGREES = 0.95
"""Least cosine between the generator's gradients in both formats; sound arithmetic gives 0.99 and more.

Some processors' kernels are wrong for some shapes: on AMX, torch 2.13 gives a ConvTranspose1d of 24 to 12 channels,
kernel 8, stride 4, an input gradient with a cosine of 0.24, and a run on it diverges within 40 steps.
"""


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


@dataclass(frozen=True)
class Tried:
    """What a trial of one format showed."""

    seconds: float
    """The quicker of two steps."""
    gradient: Tensor
    """Of the generator's parameters, float32 [P]."""


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
        float32, bfloat16 = trial(module, clips)
    return decide(float32, bfloat16)


def former_choice(note: Mapping[str, Any], device: torch.device) -> Choice | None:
    """What a run that is resumed has computed in, from its checkpoint's `note`, if this is the same kind of machine.

    A second trial could end otherwise where both formats are nearly as fast, and the run would go on in another.
    """
    precision = note.get("precision")
    if precision == "auto" or precision not in PRECISIONS or note.get("processor") != processor(device):
        return None
    return Choice(precision, "As the run that is resumed; it was tried on this kind of machine.")


def processor(device: torch.device) -> str:
    """What kind of card or processor computes: its name, and which bfloat16 instructions a processor has."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    about = torch.backends.cpu.get_cpu_capability()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return about
    told: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        told.setdefault(name.strip(), value.strip())
    flags = [flag for flag in told.get("flags", "").split() if flag in ("amx_bf16", "avx512_bf16")]
    return " ".join([told.get("model name", ""), about, *sorted(flags)]).strip()


def decide(float32: Tried, bfloat16: Tried) -> Choice:
    """bfloat16 where it is clearly faster and its gradients are sound."""
    said = f"In a trial a step took {float32.seconds:.2f} s in float32 and {bfloat16.seconds:.2f} s in bfloat16."
    if float32.seconds / bfloat16.seconds < WORTH_IT:
        return Choice("32", said)
    agreement = float(torch.nn.functional.cosine_similarity(float32.gradient, bfloat16.gradient, dim=0))
    if not agreement >= AGREES:  # NaN is no agreement
        return Choice("32", f"{said} But bfloat16's gradients point elsewhere (cosine {agreement:.2f}): not taken.")
    return Choice("bf16-mixed", said)


def trial(module: VitsModule, batch: Batch) -> tuple[Tried, Tried]:
    """float32 and bfloat16 in turn on the same noise, so that a busy moment hits both; the first of each warms up.

    A third round only where the second is near the mark: a run waits for this before its first step.
    """
    took: dict[bool, list[float]] = {False: [], True: []}
    gradients: dict[bool, Tensor] = {}
    for round_number in range(3):
        if round_number == 2 and not 1 / CLEAR <= took[False][1] / took[True][1] / WORTH_IT <= CLEAR:
            break
        for bf16 in (False, True):
            torch.manual_seed(0)
            started = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                module.gradients(batch)
            took[bf16].append(time.perf_counter() - started)
            grads = [p.grad.flatten() for p in module.model_g.parameters() if p.grad is not None]
            gradients[bf16] = torch.cat(grads).float()
            module.zero_grad(set_to_none=True)
    float32, bfloat16 = (Tried(min(took[bf16][1:]), gradients[bf16]) for bf16 in (False, True))
    return float32, bfloat16
