"""Convolutions over time, on processors as matrix products; elsewhere torch's own.

On a processor torch's convolutions reach a fraction of the rate of its matrix product, most of all backwards and in
bfloat16 (figures: docs/performance.md). So a wide convolution is one product here: each output frame's taps are laid
out in a row, and rows times weights are the frames (im2col; Chellapilla et al. 2006). Its gradients are products too.

Tensors keep the paper's order [B, C, time]; in memory the channels of a frame lie side by side, so that rows are
copied whole. Elementwise layers keep that layout, and nothing is transposed in between.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from piper_core.vits.normalization import WeightNorm

LEAST_CHANNELS = 160
"""Narrower layers are quicker as torch's own convolution: what is copied outweighs what is multiplied."""


class Conv1d(WeightNorm, nn.Conv1d):
    """nn.Conv1d by products where they pay, its weight split where `weight_norm`.

    Shape: [B, in_channels, time] -> [B, out_channels, time'].
    """

    padding: tuple[int, ...]

    def __init__(self, *args: Any, weight_norm: bool = False, **kwargs: Any) -> None:
        nn.Conv1d.__init__(self, *args, **kwargs)
        if weight_norm:
            self.split_weight()

    def forward(self, x: Tensor) -> Tensor:
        if _by_products(x) and self.groups == 1 and max(self.in_channels, self.out_channels) >= LEAST_CHANNELS:
            return _as_product(self, x.mT).mT
        if _by_products(x) and self.groups == self.in_channels == self.out_channels:
            return _depthwise(x.mT, self.whole_weight(), self.bias, self.dilation[0], self.padding[0]).mT
        return self._conv_forward(x, self.whole_weight(), self.bias)


class ColumnConv2d(WeightNorm, nn.Conv2d):
    """nn.Conv2d whose kernels are one column wide, so that columns are sequences of their own; else as `Conv1d`.

    Shape: [B, in_channels, rows, columns] -> [B, out_channels, rows', columns].
    """

    padding: tuple[int, ...]

    def __init__(self, *args: Any, weight_norm: bool = False, **kwargs: Any) -> None:
        nn.Conv2d.__init__(self, *args, **kwargs)
        assert (self.kernel_size[1], self.stride[1], self.padding[1]) == (1, 1, 0)
        if weight_norm:
            self.split_weight()

    def forward(self, x: Tensor) -> Tensor:
        if not _by_products(x):
            return self._conv_forward(x, self.whole_weight(), self.bias)
        by_column = x.permute(0, 3, 2, 1)
        frames = _as_product(self, by_column.flatten(0, 1))
        return frames.unflatten(0, by_column.shape[:2]).permute(0, 3, 2, 1)


class Conv2d(WeightNorm, nn.Conv2d):
    """nn.Conv2d, its weight split where `weight_norm`."""

    def __init__(self, *args: Any, weight_norm: bool = False, **kwargs: Any) -> None:
        nn.Conv2d.__init__(self, *args, **kwargs)
        if weight_norm:
            self.split_weight()

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.whole_weight(), self.bias)


class ConvTranspose1d(WeightNorm, nn.ConvTranspose1d):
    """nn.ConvTranspose1d, its weight split where `weight_norm`."""

    def __init__(self, *args: Any, weight_norm: bool = False, **kwargs: Any) -> None:
        nn.ConvTranspose1d.__init__(self, *args, **kwargs)
        if weight_norm:
            self.split_weight()

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return F.conv_transpose1d(
            x,
            self.whole_weight(),
            self.bias,
            self.stride,
            self.padding,
            self.output_padding,
            self.groups,
            self.dilation,
        )


def join_channels(*parts: Tensor) -> Tensor:
    """torch.cat over channels, [B, C_i, time] -> [B, sum C_i, time], that keeps the channels of a frame together."""
    return torch.cat([part.mT for part in parts], dim=2).mT


def _by_products(x: Tensor) -> bool:
    """Whether convolutions are products here. Never in an exported voice, whose engine has convolutions of its own."""
    return x.device.type == "cpu" and not torch.jit.is_tracing()


def _as_product(layer: Conv1d | ColumnConv2d, frames: Tensor) -> Tensor:
    """`layer` over frames [N, L, in_channels] -> [N, M, out_channels], in autocast's number format."""
    autocast = torch.is_autocast_enabled("cpu")
    dtype = torch.get_autocast_dtype("cpu") if autocast else frames.dtype
    if layer.is_split:
        weight = TapMatrix.apply(layer.weight_v.flatten(2), layer.weight_g.flatten(2), dtype)
    else:
        weight = layer.whole_weight().flatten(2).mT.flatten(1).to(dtype)
    bias = None if layer.bias is None else layer.bias.to(dtype)
    shape = layer.kernel_size[0], layer.stride[0], layer.dilation[0], layer.padding[0]
    with torch.autocast("cpu", enabled=False):
        return Taps.apply(frames.to(dtype).contiguous(), weight, bias, *shape)


def _depthwise(frames: Tensor, weight: Tensor, bias: Tensor | None, dilation: int, pad: int) -> Tensor:
    """A convolution of each channel by itself, as a sum of shifted products: [B, L, C] -> [B, L, C]."""
    padded = F.pad(frames, (0, 0, pad, pad))
    length = padded.shape[1] - dilation * (weight.shape[2] - 1)
    out = padded[:, :length] * weight[:, 0, 0]
    for tap in range(1, weight.shape[2]):
        out = torch.addcmul(out, padded[:, tap * dilation : tap * dilation + length], weight[:, 0, tap])
    return out if bias is None else out + bias


class TapMatrix(torch.autograd.Function):
    """A split weight as `Taps` multiplies by it: normed, tap by tap, in the product's number format, in one pass.

    Shape: weight_v [O, C, taps], weight_g [O, 1, 1] -> [O, taps * C].
    """

    @staticmethod
    def forward(ctx: Any, weight_v: Tensor, weight_g: Tensor, dtype: torch.dtype) -> Tensor:
        norm = torch.linalg.vector_norm(weight_v, dim=(1, 2), keepdim=True)
        ctx.save_for_backward(weight_v, weight_g, norm)
        by_tap = weight_v.mT
        out = torch.empty(by_tap.shape, dtype=dtype)
        return torch.mul(by_tap, weight_g / norm, out=out).flatten(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        weight_v, weight_g, norm = ctx.saved_tensors
        gradient = gradient.view(weight_v.mT.shape).mT
        of_g = torch.einsum("oct,oct->o", gradient.to(weight_v.dtype), weight_v)[:, None, None] / norm
        of_v = torch.addcmul(gradient, weight_v, -of_g / norm).mul_(weight_g / norm)
        return of_v, of_g, None


class Taps(torch.autograd.Function):
    """Convolution of frames by a product.

    Shape: frames [N, L, C] contiguous, weight [O, taps * C] tap by tap, bias [O] or none -> [N, M, O] with
    M = (L + 2 padding - dilation (taps - 1) - 1) / stride + 1, rounded down.
    """

    @staticmethod
    def forward(
        ctx: Any, frames: Tensor, weight: Tensor, bias: Tensor | None, taps: int, stride: int, dilation: int, pad: int
    ) -> Tensor:
        ctx.save_for_backward(frames, weight)
        ctx.geometry = taps, stride, dilation, pad
        ctx.has_bias = bias is not None
        rows = _rows(frames, *ctx.geometry)
        flat = rows.flatten(0, 1)
        out = torch.mm(flat, weight.mT) if bias is None else torch.addmm(bias, flat, weight.mT)
        return out.view(rows.shape[0], rows.shape[1], weight.shape[0])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        frames, weight = ctx.saved_tensors
        flat = gradient.contiguous().flatten(0, 1)
        of_frames = of_weight = of_bias = None
        if ctx.needs_input_grad[1]:
            of_weight = flat.mT @ _rows(frames, *ctx.geometry).flatten(0, 1)
        if ctx.has_bias and ctx.needs_input_grad[2]:
            of_bias = flat.sum(0)
        if ctx.needs_input_grad[0]:
            of_rows = (flat @ weight).view(gradient.shape[0], gradient.shape[1], -1)
            of_frames = _fold(of_rows, frames.shape, *ctx.geometry)
        return of_frames, of_weight, of_bias, None, None, None, None


def _spans(length: int, out: int, tap: int, stride: int, dilation: int, pad: int) -> tuple[int, int, int]:
    """The output frames [first, last) whose `tap` lies inside the input, and the input frame of the first."""
    offset = tap * dilation - pad
    first = max(0, -(offset // stride))
    last = min(out, (length - 1 - offset) // stride + 1)
    return first, max(first, last), first * stride + offset


def _rows(frames: Tensor, taps: int, stride: int, dilation: int, pad: int) -> Tensor:
    """The taps of each output frame side by side, zeros outside: [N, L, C] -> [N, M, taps * C]."""
    batch, length, channels = frames.shape
    if taps == 1 and stride == 1 and pad == 0:
        return frames
    out = (length + 2 * pad - dilation * (taps - 1) - 1) // stride + 1
    rows = frames.new_empty(batch, out, taps, channels)
    for tap in range(taps):
        first, last, start = _spans(length, out, tap, stride, dilation, pad)
        rows[:, :first, tap] = 0
        rows[:, last:, tap] = 0
        rows[:, first:last, tap] = frames[:, start : start + (last - first - 1) * stride + 1 : stride]
    return rows.flatten(2)


def _fold(rows: Tensor, shape: torch.Size, taps: int, stride: int, dilation: int, pad: int) -> Tensor:
    """The transpose of `_rows`: what each input frame gets from every row that it is in, summed."""
    if taps == 1 and stride == 1 and pad == 0:
        return rows
    batch, length, channels = shape
    frames = rows.new_zeros(shape)
    rows = rows.view(batch, -1, taps, channels)
    for tap in range(taps):
        first, last, start = _spans(length, rows.shape[1], tap, stride, dilation, pad)
        frames[:, start : start + (last - first - 1) * stride + 1 : stride] += rows[:, first:last, tap]
    return frames
