"""Layer normalisation over channels, dropout, and weight normalisation as Piper's checkpoints store it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


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


class Dropout(nn.Dropout):
    """nn.Dropout that draws its random numbers in the order of the tensor's axes, however it lies in memory.

    So the same seed drops the same numbers, whether layers are laid out for a processor or not.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0 or x.is_contiguous():
            return super().forward(x)
        keep = 1 - self.p
        return x * torch.empty(x.shape, dtype=x.dtype, device=x.device).bernoulli_(keep).div_(keep)


class WeightNorm(nn.Module):
    """A layer whose weight may be split into length `weight_g` and direction `weight_v` (Salimans & Kingma 2016).

    The parameters' names, shapes and order are a contract with Piper's checkpoints. HiFi-GAN draws such weights from
    N(0, 0.01) *after* the split, which the split overwrites at the first pass: what really trains, there and in Piper,
    starts from torch's default. So does ours.
    """

    weight: Tensor

    def split_weight(self) -> None:
        """Splits the weight that the layer has, a row of its first dimension at a time."""
        weight = self.weight
        del self.weight
        self.weight_g = nn.Parameter(torch.norm_except_dim(weight.detach(), 2, 0))
        self.weight_v = nn.Parameter(weight.detach())

    def fold_weight(self) -> None:
        """Makes a split weight a plain one again, for inference. Folding twice does nothing."""
        if self.is_split:
            weight = nn.Parameter(self.whole_weight().detach())
            del self.weight_g, self.weight_v
            self.weight = weight

    @property
    def is_split(self) -> bool:
        """Whether the weight is split now."""
        return "weight_g" in self._parameters

    def whole_weight(self) -> Tensor:
        """The weight that the layer works with."""
        if self.is_split:
            return torch._weight_norm(self.weight_v, self.weight_g, 0)
        return self.weight


def remove_weight_norms(module: nn.Module) -> None:
    """Fold every split weight below `module` into a plain `weight`, for inference. Folding twice does nothing."""
    for layer in module.modules():
        if isinstance(layer, WeightNorm):
            layer.fold_weight()
