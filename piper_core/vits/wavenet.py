"""The WaveNet residual stack shared by the posterior encoder and the flow."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from piper_core.vits.convolution import Conv1d, on_processor
from piper_core.vits.sequences import pack, unpack


class WaveNet(nn.Module):
    """Gated convolutions with residual and skip paths (van den Oord et al. 2016), as WaveGlow stacks them (2019).

    Args:
        channels: width of the residual path.
        kernel_size: odd.
        n_layers: number of gated convolutions.
        dilation_rate: layer i is dilated by dilation_rate^i.
        gin_channels: width of the speaker vector; 0: none.

    Shape: x [B, channels, F], 0 in the padding, mask [B, 1, F], speaker [B, gin_channels, 1] or none
    -> [B, channels, F].
    """

    def __init__(
        self, channels: int, kernel_size: int, n_layers: int, dilation_rate: int = 1, gin_channels: int = 0
    ) -> None:
        super().__init__()
        self.channels = channels
        self.reach = dilation_rate ** (n_layers - 1) * (kernel_size - 1) // 2
        """Frames that the widest layer looks to each side."""
        self.in_layers = nn.ModuleList()
        self.res_skip_layers = nn.ModuleList()
        if gin_channels:
            # One projection serves all layers: layer i reads its own 2 * channels of it.
            self.cond_layer = Conv1d(gin_channels, 2 * channels * n_layers, 1, weight_norm=True)
        for i in range(n_layers):
            dilation = dilation_rate**i
            padding = dilation * (kernel_size - 1) // 2
            self.in_layers.append(
                Conv1d(channels, 2 * channels, kernel_size, dilation=dilation, padding=padding, weight_norm=True)
            )
            # The last layer feeds the skip path only.
            outputs = channels if i == n_layers - 1 else 2 * channels
            self.res_skip_layers.append(Conv1d(channels, outputs, 1, weight_norm=True))

    def forward(self, x: Tensor, mask: Tensor, speaker: Tensor | None = None) -> Tensor:
        condition = None if speaker is None else self.cond_layer(speaker)
        if not on_processor(x) or x.shape[0] == 1:
            return self._stack(x, mask, condition)
        # Padding is a third of a batch of unlike clips. One behind the other, with zeros between, nothing is padded.
        lengths = mask.sum((1, 2)).int().tolist()
        if condition is not None:
            sizes = torch.tensor(lengths) + self.reach
            condition = condition.mT.flatten(0, 1).repeat_interleave(sizes, dim=0).mT[None]
        row = self._stack(pack(x, lengths, self.reach), pack(mask, lengths, self.reach), condition)
        return unpack(row, lengths, self.reach, x.shape[2])

    def _stack(self, x: Tensor, mask: Tensor, condition: Tensor | None) -> Tensor:
        conditions = None if condition is None else condition.split(2 * self.channels, dim=1)
        skipped: Tensor | None = None
        last = len(self.in_layers) - 1
        for i, (in_layer, res_skip_layer) in enumerate(zip(self.in_layers, self.res_skip_layers, strict=True)):
            gates = in_layer(x)
            if conditions is not None:
                gates = gates + conditions[i]
            out = res_skip_layer(_gated(gates))
            if i < last:
                residual, out = _halves(out)
                x = (x + residual) * mask
            skipped = out if skipped is None else skipped + out
        assert skipped is not None
        return skipped * mask


def _gated(gates: Tensor) -> Tensor:
    """tanh of one half of the channels times the sigmoid of the other, [B, 2 C, F] -> [B, C, F]."""
    if on_processor(gates):
        return GatedFrames.apply(gates.mT).mT
    filtered, gate = gates.chunk(2, dim=1)
    return torch.tanh(filtered) * torch.sigmoid(gate)


class GatedFrames(torch.autograd.Function):
    """The gate over frames, [B, F, 2 C] -> [B, F, C]; its gradient is written into one tensor, not joined from two."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor) -> Tensor:
        filtered, gate = gates.chunk(2, dim=2)
        filtered, gate = torch.tanh(filtered), torch.sigmoid(gate)
        ctx.save_for_backward(filtered, gate)
        return filtered * gate

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        filtered, gate = ctx.saved_tensors
        out = filtered.new_empty(*filtered.shape[:2], 2 * filtered.shape[2])
        of_filtered, of_gate = out.chunk(2, dim=2)
        torch.ops.aten.tanh_backward.grad_input(gradient * gate, filtered, grad_input=of_filtered)
        torch.ops.aten.sigmoid_backward.grad_input(gradient * filtered, gate, grad_input=of_gate)
        return out


def _halves(x: Tensor) -> tuple[Tensor, Tensor]:
    """Both halves of the channels, [B, 2 C, F] -> twice [B, C, F]."""
    if not on_processor(x):
        first, second = x.chunk(2, dim=1)
        return first, second
    # Taken from the frames, so that their gradients are joined to frames again (convolution.py).
    first, second = x.mT.chunk(2, dim=2)
    return first.mT, second.mT
