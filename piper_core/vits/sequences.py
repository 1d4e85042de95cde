"""Padded sequences: masks from lengths, segments cut out of them, and all of them in one row without padding."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


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


def pack(x: Tensor, lengths: Sequence[int], gap: int) -> Tensor:
    """Sequences one behind the other, `gap` zeros after each: [B, C, time] -> [1, C, sum(lengths) + B gap]."""
    frames = x.mT
    zeros = x.new_zeros(gap, x.shape[1])
    parts = [part for row, length in enumerate(lengths) for part in (frames[row, :length], zeros)]
    return torch.cat(parts)[None].mT


def unpack(x: Tensor, lengths: Sequence[int], gap: int, size: int) -> Tensor:
    """The inverse of `pack`, padded with zeros to `size`: [1, C, packed] -> [B, C, size]."""
    parts = x[0].mT.split([length + gap for length in lengths])
    real = [part[:length] for part, length in zip(parts, lengths, strict=True)]
    return torch.stack([F.pad(frames, (0, 0, 0, size - len(frames))) for frames in real]).mT
