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
    index = (starts[:, None] + torch.arange(size, device=x.device))[:, None, :]
    # Out of range would stop a CUDA device for good, so what lies past the end is read somewhere and blanked.
    cut = x.gather(2, index.clamp(max=x.shape[2] - 1).expand(-1, x.shape[1], -1))
    return cut * (index < x.shape[2])
