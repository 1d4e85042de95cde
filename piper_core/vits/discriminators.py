"""Discriminators: multi-period and scale (Kong et al. 2020, section 2.3), multi-resolution (Jang et al. 2021)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from piper_core.vits.convolution import ColumnConv2d, Conv1d, Conv2d

SLOPE = 0.1
PERIODS = (2, 3, 5, 7, 11)
RESOLUTIONS = ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240))
"""n_fft, hop and window of each spectrogram, in samples (UnivNet, section 2.3)."""

FeatureMaps = list[list[Tensor]]
"""For each discriminator, the output of each layer."""


def _scaled(channels: int, width: float) -> int:
    return max(1, round(channels * width))


class Discriminator(nn.Module):
    """Convolutions with LeakyReLU between them, over audio as the discriminator hears it."""

    convs: nn.ModuleList
    conv_post: nn.Module

    def hear(self, audio: Tensor) -> Tensor:
        """Audio [B, 1, N] -> the first convolution's input."""
        return audio

    @property
    def layers(self) -> list[Any]:
        """Every convolution, in order; LeakyReLU follows each but the last."""
        return [*self.convs, self.conv_post]

    def forward(self, audio: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Audio [B, 1, N] -> scores [B, n] and the feature maps, the unrectified last one included."""
        x, features = self.hear(audio), []
        for conv in self.convs:
            x = F.leaky_relu(conv(x), SLOPE)
            features.append(x)
        x = self.conv_post(x)
        features.append(x)
        return x.flatten(1), features


class ScaleDiscriminator(Discriminator):
    """Grouped, strided 1-d convolutions on the raw audio (MelGAN, Kumar et al. 2019, section 2.2).

    With `width` below 1, channels and groups shrink alike, so that a group keeps its size; where a group would
    then not divide the channels, the largest number of groups that does is taken.

    Shape: [B, 1, N] -> scores [B, n], 7 feature maps [B, C, n].
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        layers = (
            # in, out, kernel, stride, groups
            (1, 16, 15, 1, 1),
            (16, 64, 41, 4, 4),
            (64, 256, 41, 4, 16),
            (256, 1024, 41, 4, 64),
            (1024, 1024, 41, 4, 256),
            (1024, 1024, 5, 1, 1),
        )
        self.convs = nn.ModuleList()
        for index, (inputs, outputs, kernel_size, stride, groups) in enumerate(layers):
            inputs = _scaled(inputs, width) if index else 1
            outputs = _scaled(outputs, width)
            groups = math.gcd(_scaled(groups, width), inputs, outputs)
            padding = kernel_size // 2
            self.convs.append(
                Conv1d(inputs, outputs, kernel_size, stride, groups=groups, padding=padding, weight_norm=True)
            )
        self.conv_post = Conv1d(_scaled(1024, width), 1, 3, padding=1, weight_norm=True)


class PeriodDiscriminator(Discriminator):
    """2-d convolutions over audio folded into rows of `period` samples, columns kept apart.

    Shape: [B, 1, N] -> scores [B, n], 6 feature maps [B, C, rows, period].
    """

    def __init__(self, period: int, width: float = 1.0) -> None:
        super().__init__()
        self.period = period
        channels = [1, *(_scaled(c, width) for c in (32, 128, 512, 1024, 1024))]
        self.convs = nn.ModuleList()
        for index, (inputs, outputs) in enumerate(pairwise(channels)):
            stride = 1 if index == 4 else 3
            self.convs.append(ColumnConv2d(inputs, outputs, (5, 1), (stride, 1), padding=(2, 0), weight_norm=True))
        self.conv_post = ColumnConv2d(channels[-1], 1, (3, 1), padding=(1, 0), weight_norm=True)

    def hear(self, audio: Tensor) -> Tensor:
        missing = -audio.shape[2] % self.period
        if missing:
            audio = F.pad(audio, (0, missing), mode="reflect")
        return audio.view(audio.shape[0], 1, -1, self.period)


class ResolutionDiscriminator(Discriminator):
    """2-d convolutions over the magnitude spectrogram of one resolution, in single precision up to there.

    Shape: [B, 1, N] -> scores [B, n], 6 feature maps [B, C, bins, frames].
    """

    def __init__(self, n_fft: int, hop: int, win: int, width: float = 1.0) -> None:
        super().__init__()
        self.n_fft, self.hop, self.win = n_fft, hop, win
        channels = _scaled(32, width)
        self.convs = nn.ModuleList([Conv2d(1, channels, (3, 9), padding=(1, 4), weight_norm=True)])
        for _ in range(3):
            self.convs.append(Conv2d(channels, channels, (3, 9), (1, 2), padding=(1, 4), weight_norm=True))
        self.convs.append(Conv2d(channels, channels, 3, padding=1, weight_norm=True))
        self.conv_post = Conv2d(channels, 1, 3, padding=1, weight_norm=True)

    def hear(self, audio: Tensor) -> Tensor:
        padding = (self.n_fft - self.hop) // 2
        padded = F.pad(
            audio.to(torch.promote_types(audio.dtype, torch.float32)), (padding, padding), mode="reflect"
        ).squeeze(1)
        window = torch.hann_window(self.win, dtype=padded.dtype, device=audio.device)
        spectrum = torch.stft(padded, self.n_fft, self.hop, self.win, window, center=False, return_complex=True)
        return spectrum.abs()[:, None]


class Discriminators(nn.Module):
    """Several discriminators that hear the same audio."""

    def __init__(self, discriminators: Sequence[Discriminator]) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList(discriminators)

    @property
    def parts(self) -> list[Discriminator]:
        """Each by itself."""
        return list(self.discriminators)  # type: ignore[arg-type]

    def forward(self, audio: Tensor) -> tuple[list[Tensor], FeatureMaps]:
        """Audio [B, 1, N] -> for each discriminator its scores [B, n] and its feature maps."""
        scores, features = [], []
        for discriminator in self.discriminators:
            score, maps = discriminator(audio)
            scores.append(score)
            features.append(maps)
        return scores, features


class MultiPeriodDiscriminator(Discriminators):
    """VITS's discriminators: one on the raw audio, and one for each of five periods.

    Args:
        width: share of the paper's channels; 1 is Piper's, and what its checkpoints hold.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__([ScaleDiscriminator(width), *(PeriodDiscriminator(period, width) for period in PERIODS)])


class MultiResolutionDiscriminator(Discriminators):
    """Piper's optional discriminators on spectrograms of three resolutions (UnivNet, Jang et al. 2021).

    Args:
        width: share of the paper's channels.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__([ResolutionDiscriminator(*resolution, width) for resolution in RESOLUTIONS])
