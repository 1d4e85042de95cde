"""Layer normalisation over channels, and weight normalisation as Piper's checkpoints store it."""

from __future__ import annotations

import warnings
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Conv = TypeVar("Conv", bound=nn.Module)


class ChannelNorm(nn.Module):
    """Layer normalisation (Ba et al. 2016) of each time step over its channels.

    Shape: [B, channels, time] -> the same.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x.transpose(1, 2), self.gamma.shape, self.gamma, self.beta, self.eps).transpose(1, 2)


def weight_normed(conv: Conv) -> Conv:
    """`conv` with its weight split into length `weight_g` and direction `weight_v` (Salimans & Kingma 2016).

    The parameters' names are a contract with Piper's checkpoints, and only torch's older weight norm writes
    them; its advice to move on is therefore silenced here.

    HiFi-GAN draws such weights from N(0, 0.01) *after* the split, which the split overwrites at the first pass:
    what really trains, there and in Piper, starts from torch's default. So does ours.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return nn.utils.weight_norm(conv)


def remove_weight_norms(module: nn.Module) -> None:
    """Fold every split weight below `module` into a plain `weight`, for inference. Folding twice does nothing."""
    for layer in module.modules():
        if hasattr(layer, "weight_g"):
            nn.utils.remove_weight_norm(layer)
