"""The WaveNet residual stack shared by the posterior encoder and the flow."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from piper_core.vits.convolution import Conv1d


class WaveNet(nn.Module):
    """Gated convolutions with residual and skip paths (van den Oord et al. 2016), as WaveGlow stacks them (2019).

    Args:
        channels: width of the residual path.
        kernel_size: odd.
        n_layers: number of gated convolutions.
        dilation_rate: layer i is dilated by dilation_rate^i.
        gin_channels: width of the speaker vector; 0: none.

    Shape: x [B, channels, F], mask [B, 1, F], speaker [B, gin_channels, 1] or none -> [B, channels, F].
    """

    def __init__(
        self, channels: int, kernel_size: int, n_layers: int, dilation_rate: int = 1, gin_channels: int = 0
    ) -> None:
        super().__init__()
        self.channels = channels
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
        conditions: tuple[Tensor, ...] | None = None
        if speaker is not None:
            conditions = self.cond_layer(speaker).split(2 * self.channels, dim=1)

        skipped: Tensor | None = None
        last = len(self.in_layers) - 1
        for i, (in_layer, res_skip_layer) in enumerate(zip(self.in_layers, self.res_skip_layers, strict=True)):
            gates = in_layer(x)
            if conditions is not None:
                gates = gates + conditions[i]
            filtered, gate = gates.chunk(2, dim=1)
            out = res_skip_layer(torch.tanh(filtered) * torch.sigmoid(gate))
            if i < last:
                residual, out = out.chunk(2, dim=1)
                x = (x + residual) * mask
            skipped = out if skipped is None else skipped + out
        assert skipped is not None
        return skipped * mask
