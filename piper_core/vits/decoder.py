"""Decoder: latent z -> audio, the HiFi-GAN generator (Kong et al. 2020, section 2.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from piper_core.vits.convolution import Conv1d, ConvTranspose1d
from piper_core.vits.normalization import remove_weight_norms

SLOPE = 0.1
"""Of LeakyReLU below 0."""
LAST_SLOPE = 0.01
"""Of the last LeakyReLU: HiFi-GAN leaves it at torch's default, and trained voices rely on it."""


class PairedResidualBlock(nn.Module):
    """HiFi-GAN's residual block "1": a dilated convolution and an undilated one, added to the input, a pair a dilation.

    Shape: [B, channels, time] -> the same.
    """

    def __init__(self, channels: int, kernel_size: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(_same_conv(channels, kernel_size, dilation) for dilation in dilations)
        self.convs2 = nn.ModuleList(_same_conv(channels, kernel_size, 1) for _ in dilations)

    def forward(self, x: Tensor) -> Tensor:
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            x = x + plain(F.leaky_relu(dilated(F.leaky_relu(x, SLOPE)), SLOPE))
        return x


class ResidualBlock(nn.Module):
    """HiFi-GAN's residual block "2": one dilated convolution added to the input, for each dilation.

    Shape: [B, channels, time] -> the same.
    """

    def __init__(self, channels: int, kernel_size: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(_same_conv(channels, kernel_size, dilation) for dilation in dilations)

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = x + conv(F.leaky_relu(x, SLOPE))
        return x


def _same_conv(channels: int, kernel_size: int, dilation: int) -> Conv1d:
    padding = dilation * (kernel_size - 1) // 2
    return Conv1d(channels, channels, kernel_size, dilation=dilation, padding=padding, weight_norm=True)


class Decoder(nn.Module):
    """Transposed convolutions that raise the rate, each followed by residual blocks of several receptive fields.

    Args:
        latent_channels: of z.
        resblock: "1" (pairs) or "2".
        resblock_kernel_sizes, resblock_dilation_sizes: one block each, all averaged ("multi-receptive field fusion").
        upsample_rates, upsample_kernel_sizes: one stage each; the rates' product is the hop length.
        upsample_initial_channel: width before the first stage; each stage halves it.
        gin_channels: width of the speaker vector; 0: none.

    Shape: z [B, latent_channels, F], speaker [B, gin_channels, 1] or none -> audio [B, 1, F * hop], within -1 .. 1.
    """

    def __init__(
        self,
        latent_channels: int,
        resblock: str,
        resblock_kernel_sizes: tuple[int, ...],
        resblock_dilation_sizes: tuple[tuple[int, ...], ...],
        upsample_rates: tuple[int, ...],
        upsample_initial_channel: int,
        upsample_kernel_sizes: tuple[int, ...],
        gin_channels: int = 0,
    ) -> None:
        super().__init__()
        block = PairedResidualBlock if resblock == "1" else ResidualBlock
        self.conv_pre = Conv1d(latent_channels, upsample_initial_channel, 7, padding=3)
        self.ups = nn.ModuleList()
        self.resblocks = nn.ModuleList()
        channels = upsample_initial_channel
        for rate, kernel_size in zip(upsample_rates, upsample_kernel_sizes, strict=True):
            padding = (kernel_size - rate) // 2
            self.ups.append(
                ConvTranspose1d(channels, channels // 2, kernel_size, rate, padding=padding, weight_norm=True)
            )
            channels //= 2
            for size, dilations in zip(resblock_kernel_sizes, resblock_dilation_sizes, strict=True):
                self.resblocks.append(block(channels, size, tuple(dilations)))
        self.conv_post = Conv1d(channels, 1, 7, padding=3, bias=False)
        if gin_channels:
            self.cond = Conv1d(gin_channels, upsample_initial_channel, 1)

    def forward(self, z: Tensor, speaker: Tensor | None = None) -> Tensor:
        x = self.conv_pre(z)
        if speaker is not None:
            x = x + self.cond(speaker)
        blocks_per_stage = len(self.resblocks) // len(self.ups)
        for stage, up in enumerate(self.ups):
            x = up(F.leaky_relu(x, SLOPE))
            first, *others = self.resblocks[stage * blocks_per_stage : (stage + 1) * blocks_per_stage]
            fused = first(x)
            for block in others:
                fused = fused + block(x)
            x = fused / blocks_per_stage
        return torch.tanh(self.conv_post(F.leaky_relu(x, LAST_SLOPE)))

    def remove_weight_norm(self) -> None:
        """Fold the split weights into plain ones, for inference."""
        remove_weight_norms(self)
