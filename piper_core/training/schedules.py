"""Learning rates over the steps: warmup. The decay an epoch is torch's ExponentialLR, as in Piper's checkpoints.

Warmup is a factor on the decayed rate while a step is taken, worked out from the step alone: optimizers and schedules
in a checkpoint are what they would be without it, so that either trainer resumes from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch


def warmup_factor(steps_done: int, warmup_steps: int) -> float:
    """The share of the learning rate at the step after `steps_done`: rises evenly to 1 at step `warmup_steps`.

    >>> [warmup_factor(done, 4) for done in range(6)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    >>> warmup_factor(0, 0)
    1.0
    """
    return min(1.0, (steps_done + 1) / warmup_steps) if warmup_steps > 0 else 1.0


@contextmanager
def scaled_rates(optimizers: Sequence[torch.optim.Optimizer], factor: float) -> Iterator[None]:
    """Every learning rate times `factor` inside the `with`, exactly as before after it."""
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    rates = [group["lr"] for group in groups]
    for group, rate in zip(groups, rates, strict=True):
        group["lr"] = rate * factor
    try:
        yield
    finally:
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate
