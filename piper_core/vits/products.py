"""A convolution over time as one matrix product, for processors; and its two gradients, which are products too.

On a processor torch's convolutions reach a fraction of the rate of its matrix product, most of all backwards and in
bfloat16 (figures: docs/performance.md). Here each output frame's taps are laid out in a row, and rows times weights
are the frames (im2col; Chellapilla et al. 2006).

Shapes: N sequences, L frames in, M = (L + 2 padding - dilation (taps - 1) - 1) / stride + 1 frames out, C and O
channels. Frames are [N, L, C], contiguous; a kernel is [O, taps * C], tap by tap.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CACHED_NUMBERS = 1 << 17
"""Of a weight that are worked on together: with what is made of them they fit into half a MiB or so of cache."""


class Geometry(NamedTuple):
    """How a convolution's taps lie over its input."""

    taps: int
    stride: int = 1
    dilation: int = 1
    padding: int = 0

    @property
    def pointwise(self) -> bool:
        """Whether each frame is a row as it is."""
        return self.taps == self.stride == 1 and self.padding == 0

    def frames_out(self, frames_in: int) -> int:
        """M."""
        return (frames_in + 2 * self.padding - self.dilation * (self.taps - 1) - 1) // self.stride + 1

    def span(self, tap: int, frames_in: int) -> tuple[slice, slice]:
        """The output frames for which `tap` lies inside the input, and the input frames that it then lies on."""
        offset = tap * self.dilation - self.padding
        first = max(0, -(offset // self.stride))
        last = max(first, min(self.frames_out(frames_in), (frames_in - 1 - offset) // self.stride + 1))
        start = first * self.stride + offset
        return slice(first, last), slice(start, max(start, start + (last - first - 1) * self.stride + 1), self.stride)


def product(frames: Tensor, kernel: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """The convolution: [N, L, C] -> [N, M, O]."""
    rows = _rows(frames, geometry)
    flat = rows.flatten(0, 1)
    out = torch.mm(flat, kernel.mT) if bias is None else torch.addmm(bias, flat, kernel.mT)
    return out.view(rows.shape[0], rows.shape[1], kernel.shape[0])


def frames_gradient(gradient: Tensor, kernel: Tensor, frames_in: int, geometry: Geometry) -> Tensor:
    """What the frames get from the gradient [N, M, O] of what `product` gave: [N, L, C]."""
    rows = (gradient.flatten(0, 1) @ kernel).unflatten(0, gradient.shape[:2])
    if geometry.pointwise:
        return rows
    by_tap = rows.unflatten(2, (geometry.taps, -1))
    frames = rows.new_zeros(rows.shape[0], frames_in, by_tap.shape[3])
    for tap in range(geometry.taps):
        outside, inside = geometry.span(tap, frames_in)
        frames[:, inside] += by_tap[:, outside, tap]
    return frames


def kernel_gradient(frames: Tensor, gradient: Tensor, geometry: Geometry) -> Tensor:
    """What the kernel gets from the gradient [N, M, O] of what `product` gave: [O, taps * C]."""
    return gradient.flatten(0, 1).mT @ _rows(frames, geometry).flatten(0, 1)


def _rows(frames: Tensor, geometry: Geometry) -> Tensor:
    """The taps of each output frame side by side, zeros outside the input: [N, L, C] -> [N, M, taps * C]."""
    if geometry.pointwise:
        return frames
    batch, length, channels = frames.shape
    rows = frames.new_empty(batch, geometry.frames_out(length), geometry.taps, channels)
    for tap in range(geometry.taps):
        outside, inside = geometry.span(tap, length)
        rows[:, : outside.start, tap] = 0
        rows[:, outside.stop :, tap] = 0
        rows[:, outside, tap] = frames[:, inside]
    return rows.flatten(2)


class Product(torch.autograd.Function):
    """`product`, differentiable. Rows are laid out anew backwards: kept, they would be `taps` times the frames."""

    @staticmethod
    def forward(ctx: Any, frames: Tensor, kernel: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
        ctx.save_for_backward(frames, kernel)
        ctx.geometry = geometry
        return product(frames, kernel, bias, geometry)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        frames, kernel = ctx.saved_tensors
        gradient = gradient.contiguous()
        return (
            frames_gradient(gradient, kernel, frames.shape[1], ctx.geometry) if ctx.needs_input_grad[0] else None,
            kernel_gradient(frames, gradient, ctx.geometry) if ctx.needs_input_grad[1] else None,
            gradient.sum((0, 1)) if ctx.needs_input_grad[2] else None,
            None,
        )


class SplitKernel(torch.autograd.Function):
    """A split weight as a kernel: normed, tap by tap, in the product's number format.

    A few rows at a time, so that they are still in the processor's cache for the next operation on them.

    Shape: weight_v [O, C, taps], weight_g [O, 1, 1] -> [O, taps * C].
    """

    @staticmethod
    def forward(ctx: Any, weight_v: Tensor, weight_g: Tensor, dtype: torch.dtype) -> Tensor:
        norm = torch.empty_like(weight_g)
        kernel = torch.empty(weight_v.mT.shape, dtype=dtype, device=weight_v.device)
        for rows in _few_rows(weight_v):
            v = weight_v[rows]
            torch.linalg.vector_norm(v, dim=(1, 2), keepdim=True, out=norm[rows])
            torch.mul(v.mT, weight_g[rows] / norm[rows], out=kernel[rows])
        ctx.save_for_backward(weight_v, weight_g, norm)
        return kernel.flatten(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        weight_v, weight_g, norm = ctx.saved_tensors
        gradient = gradient.view(weight_v.mT.shape).mT
        of_v, of_g = torch.empty_like(weight_v), torch.empty_like(weight_g)
        for rows in _few_rows(weight_v):
            v, part, length = weight_v[rows], of_v[rows], norm[rows]
            part.copy_(gradient[rows])
            torch.sum(part * v, (1, 2), keepdim=True, out=of_g[rows]).div_(length)
            part.addcmul_(v, of_g[rows] / -length).mul_(weight_g[rows] / length)
        return of_v, of_g, None


def _few_rows(weight: Tensor) -> list[slice]:
    step = max(1, CACHED_NUMBERS * weight.shape[0] // weight.numel())
    return [slice(start, start + step) for start in range(0, weight.shape[0], step)]
