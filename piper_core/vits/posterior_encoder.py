"""Posterior encoder: linear spectrogram -> latent z (Kim et al. 2021, section 2.4)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from piper_core.vits.convolution import Conv1d
from piper_core.vits.sequences import length_mask
from piper_core.vits.wavenet import WaveNet


class Posterior(NamedTuple):
    """q(z | x): a sample and the normal distribution that it came from."""

    z: Tensor
    """Sample, 0 in the padding, [B, C, F]."""
    mean: Tensor
    """[B, C, F]."""
    log_deviation: Tensor
    """Natural log of the standard deviation, [B, C, F]."""
    mask: Tensor
    """1 inside each utterance, [B, 1, F]."""


class PosteriorEncoder(nn.Module):
    """16 non-causal WaveNet layers, and a projection to the posterior's mean and log deviation.

    Shape: spectrogram [B, spec_channels, F], lengths [B] in frames, speaker [B, gin_channels, 1] or none
    -> `Posterior`. Draws one normal number per latent value.
    """

    def __init__(self, spec_channels: int, latent_channels: int, hidden_channels: int, gin_channels: int = 0) -> None:
        super().__init__()
        self.pre = Conv1d(spec_channels, hidden_channels, 1)
        self.enc = WaveNet(hidden_channels, kernel_size=5, n_layers=16, gin_channels=gin_channels)
        self.proj = Conv1d(hidden_channels, 2 * latent_channels, 1)

    def forward(self, spectrogram: Tensor, lengths: Tensor, speaker: Tensor | None = None) -> Posterior:
        mask = length_mask(lengths, spectrogram.shape[2])
        hidden = self.enc(self.pre(spectrogram) * mask, mask, speaker)
        mean, log_deviation = (self.proj(hidden) * mask).chunk(2, dim=1)
        z = (mean + torch.randn(mean.shape, device=mean.device) * torch.exp(log_deviation)) * mask
        return Posterior(z, mean, log_deviation, mask)
