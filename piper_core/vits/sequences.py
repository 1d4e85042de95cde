"""Padded sequences: masks from lengths, and segments cut out of them."""

from __future__ import annotations

import torch
from torch import Tensor


def length_mask(lengths: Tensor, size: int | Tensor) -> Tensor:
    """1 where a position lies inside its sequence, 0 in the padding.

    Shape: lengths [B] integer -> [B, 1, size] float32. `size` may be a traced scalar (ONNX).
    """
    positions = torch.arange(size, device=lengths.device)  # type: ignore[arg-type]
    return (positions[None, None, :] < lengths[:, None, None]).float()


def random_segment_starts(lengths: Tensor, size: int) -> Tensor:
    """Uniformly random starts of segments of `size` inside sequences of the given lengths.

    A sequence shorter than `size` starts at 0. Shape: lengths [B] -> [B] int64.
    """
    chance = torch.rand(lengths.shape, device=lengths.device)
    return (chance * (lengths - size + 1)).long().clamp(min=0)


def cut_segments(x: Tensor, starts: Tensor, size: int) -> Tensor:
    """Of each sequence the `size` positions from its start; zeros where x ends before.

    Shape: x [B, C, time], starts [B] int64 -> [B, C, size].
    """
    missing = size - x.shape[2]
    if missing > 0:
        x = torch.nn.functional.pad(x, (0, missing))
    # A start too near the end is moved back no further than the data goes.
    index = starts[:, None] + torch.arange(size, device=x.device)
    return x.gather(2, index[:, None, :].expand(-1, x.shape[1], -1))
