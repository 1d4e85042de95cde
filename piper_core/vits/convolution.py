"""The convolutions of every network: torch's, or matrix products where those are quicker, their weights split or not.

Tensors keep the paper's order [B, C, time]. A product works on frames whose channels lie side by side in memory, and
gives such frames; elementwise layers keep that layout, so that nothing is transposed in between.

Each layer can also be run and gone back through by hand (`kernel`, `run`, `input_gradient`, `kernel_gradient`), which
is how one pass through the discriminators serves two losses (judging.py).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from piper_core.vits.normalization import WeightNorm
from piper_core.vits.products import (
    Geometry,
    Product,
    SplitKernel,
    frames_gradient,
    kernel_gradient,
    product,
)

LEAST_CHANNELS = 160
"""Narrower 1-d layers are quicker as torch's own convolution: what is copied outweighs what is multiplied."""


class Convolution(WeightNorm):
    """What the convolutions below have in common. `kernel` is a weight as the layer uses it for inputs like `x`."""

    in_channels: int
    out_channels: int
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    bias: Tensor | None

    def is_product(self, x: Tensor) -> bool:
        """Whether the layer is a matrix product for `x`. Never in an exported voice: its engine has convolutions."""
        return False

    def frames(self, x: Tensor) -> Tensor:
        """[B, C, time] -> [N, L, C], contiguous."""
        return x.mT.contiguous()

    def unframed(self, frames: Tensor, like: Tensor) -> Tensor:
        """The inverse of `frames`, for inputs of the shape of `like` but for its time."""
        return frames.mT

    @property
    def geometry(self) -> Geometry:
        """As a product sees it; a 2-d layer's rows are its time."""
        return Geometry(self.kernel_size[0], self.stride[0], self.dilation[0], self.padding[0])  # type: ignore

    def kernel(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """The weight for inputs like `x`, differentiable."""
        if not self.is_product(x):
            return self.whole_weight().to(dtype)
        if self.is_split:
            return SplitKernel.apply(self.weight_v.flatten(2), self.weight_g.flatten(2), dtype)
        return self.whole_weight().flatten(2).mT.flatten(1).to(dtype)

    def forward(self, x: Tensor) -> Tensor:
        if not self.is_product(x):
            return self._conv_forward(x, self.whole_weight(), self.bias)  # type: ignore[operator]
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
        kernel = self.kernel(x, dtype)
        bias = None if self.bias is None else self.bias.to(dtype)
        with torch.autocast("cpu", enabled=False):
            return self.unframed(Product.apply(self.frames(x.to(dtype)), kernel, bias, self.geometry), x)

    def run(self, x: Tensor, kernel: Tensor) -> Tensor:
        """The layer's output, without a graph."""
        bias = None if self.bias is None else self.bias.detach().to(kernel.dtype)
        if self.is_product(x):
            return self.unframed(product(self.frames(x), kernel, bias, self.geometry), x)
        return self._conv_forward(x, kernel, bias)  # type: ignore[operator]

    def input_gradient(self, x: Tensor, kernel: Tensor, gradient: Tensor) -> Tensor:
        """What inputs shaped as `x`, in any number, get from the gradient of their outputs."""
        if self.is_product(x):
            frames = self.frames(gradient)
            length = x.shape[2]
            return self.unframed(frames_gradient(frames, kernel, length, self.geometry), gradient)
        shape_alone = x.new_empty((gradient.shape[0], *x.shape[1:]))
        return self._gradients(shape_alone, kernel, gradient, (True, False, False))[0]

    def kernel_gradient(self, x: Tensor, kernel: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor | None]:
        """What the kernel and the bias get from the gradient of the output of `x`."""
        if self.is_product(x):
            frames = self.frames(gradient)
            of_bias = None if self.bias is None else frames.sum((0, 1), dtype=torch.float32)
            return kernel_gradient(self.frames(x), frames, self.geometry), of_bias
        _, of_kernel, of_bias = self._gradients(x, kernel, gradient, (False, True, self.bias is not None))
        return of_kernel, of_bias

    def _gradients(self, x: Tensor, kernel: Tensor, gradient: Tensor, wanted: tuple[bool, ...]) -> Any:
        return torch.ops.aten.convolution_backward(
            gradient, x, kernel, [self.out_channels], self.stride, self.padding, self.dilation, False,
            [0] * len(self.stride), self.groups, wanted,
        )  # fmt: skip


class Conv1d(Convolution, nn.Conv1d):
    """nn.Conv1d, a product where that pays; its weight is split where `weight_norm`.

    Shape: [B, in_channels, time] -> [B, out_channels, time'].
    """

    def __init__(self, *args: Any, weight_norm: bool = False, **kwargs: Any) -> None:
        nn.Conv1d.__init__(self, *args, **kwargs)
        if weight_norm:
            self.split_weight()

    def is_product(self, x: Tensor) -> bool:
        wide = self.groups == 1 and max(self.in_channels, self.out_channels) >= LEAST_CHANNELS
        return wide and on_processor(x)


class DepthwiseConv1d(nn.Conv1d):
    """nn.Conv1d of each channel by itself; on a processor a sum of shifted products, elsewhere torch's.

    Shape: [B, channels, time] -> the same.
    """

    def __init__(self, channels: int, kernel_size: int, dilation: int) -> None:
        padding = dilation * (kernel_size - 1) // 2
        super().__init__(channels, channels, kernel_size, groups=channels, dilation=dilation, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        if not on_processor(x):
            return super().forward(x)
        taps, step, reach = self.kernel_size[0], self.dilation[0], int(self.padding[0])
        padded = F.pad(x.mT, (0, 0, reach, reach))
        out = self.bias
        assert out is not None
        for tap in range(taps):
            out = torch.addcmul(out, padded[:, tap * step : tap * step + x.shape[2]], self.weight[:, 0, tap])
        return out.mT


class Conv2d(Convolution, nn.Conv2d):
    """nn.Conv2d, its weight split where `weight_norm`."""

    def __init__(self, *args: Any, weight_norm: bool = False, **kwargs: Any) -> None:
        nn.Conv2d.__init__(self, *args, **kwargs)
        if weight_norm:
            self.split_weight()


class ColumnConv2d(Conv2d):
    """`Conv2d` with kernels one column wide, so that each column is a sequence by itself; a product on a processor.

    Shape: [B, in_channels, rows, columns] -> [B, out_channels, rows', columns].
    """

    def is_product(self, x: Tensor) -> bool:
        return on_processor(x)

    def frames(self, x: Tensor) -> Tensor:
        return x.permute(0, 3, 2, 1).flatten(0, 1).contiguous()

    def unframed(self, frames: Tensor, like: Tensor) -> Tensor:
        return frames.unflatten(0, (-1, like.shape[3])).permute(0, 3, 2, 1)


class ConvTranspose1d(WeightNorm, nn.ConvTranspose1d):
    """nn.ConvTranspose1d, its weight split where `weight_norm`."""

    def __init__(self, *args: Any, weight_norm: bool = False, **kwargs: Any) -> None:
        nn.ConvTranspose1d.__init__(self, *args, **kwargs)
        if weight_norm:
            self.split_weight()

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return F.conv_transpose1d(
            x, self.whole_weight(), self.bias, self.stride, self.padding,  # type: ignore[arg-type]
            self.output_padding, self.groups, self.dilation,
        )  # fmt: skip


def on_processor(x: Tensor) -> bool:
    """Whether layers should be laid out for a processor: not on a card, not in an exported voice."""
    return x.device.type == "cpu" and not torch.jit.is_tracing()


def join_channels(*parts: Tensor) -> Tensor:
    """torch.cat over channels, [B, C_i, time] -> [B, sum C_i, time], that keeps the channels of a frame together."""
    if not on_processor(parts[0]):
        return torch.cat(parts, dim=1)
    return torch.cat([part.mT for part in parts], dim=2).mT
