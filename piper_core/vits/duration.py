"""Stochastic duration predictor: how many frames each phoneme lasts (Kim et al. 2021, sections 2.2.2 and A.1)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from piper_core.vits.convolution import Conv1d, DepthwiseConv1d
from piper_core.vits.flow import Flip
from piper_core.vits.normalization import ChannelNorm
from piper_core.vits.spline import inverse_spline, spline

KERNEL_SIZE = 3
N_BINS = 10
SPLINE_BOUND = 5.0
MIN_DURATION = 1e-5
"""Least number of frames that the logarithm is taken of."""


class SeparableConvolutions(nn.Module):
    """Dilated depthwise and pointwise convolutions with residual connections (VITS, appendix, figure 5b).

    Layer i is dilated by kernel_size^i. Shape: x [B, channels, T], mask [B, 1, T] -> [B, channels, T].
    """

    def __init__(self, channels: int, n_layers: int = 3, p_dropout: float = 0.0) -> None:
        super().__init__()
        self.drop = nn.Dropout(p_dropout)
        dilations = [KERNEL_SIZE**i for i in range(n_layers)]
        self.convs_sep = nn.ModuleList(DepthwiseConv1d(channels, KERNEL_SIZE, dilation) for dilation in dilations)
        self.convs_1x1 = nn.ModuleList(Conv1d(channels, channels, 1) for _ in dilations)
        self.norms_1 = nn.ModuleList(ChannelNorm(channels) for _ in dilations)
        self.norms_2 = nn.ModuleList(ChannelNorm(channels) for _ in dilations)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        for depthwise, pointwise, norm_1, norm_2 in zip(
            self.convs_sep, self.convs_1x1, self.norms_1, self.norms_2, strict=True
        ):
            y = F.gelu(norm_1(depthwise(x * mask)))
            y = F.gelu(norm_2(pointwise(y)))
            x = x + self.drop(y)
        return x * mask


class ElementwiseAffine(nn.Module):
    """Scale and shift each channel. Shape: x [B, channels, T], mask [B, 1, T] -> the same, log determinant [B]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.m = nn.Parameter(torch.zeros(channels, 1))
        self.logs = nn.Parameter(torch.zeros(channels, 1))

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return (self.m + torch.exp(self.logs) * x) * mask, (self.logs * mask).sum(dim=(1, 2))

    def inverse(self, x: Tensor, mask: Tensor) -> Tensor:
        """Undo `forward`, inside the mask."""
        return (x - self.m) * torch.exp(-self.logs) * mask


class SplineCoupling(nn.Module):
    """Pass the second of two channels through a spline shaped by the first (neural spline flow, Durkan et al. 2019).

    Shape: x [B, 2, T], mask [B, 1, T], condition [B, channels, T] -> x [B, 2, T], log determinant [B].
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = 1 / math.sqrt(channels)
        self.pre = Conv1d(1, channels, 1)
        self.convs = SeparableConvolutions(channels)
        # K widths, K heights and K - 1 inner slopes.
        self.proj = Conv1d(channels, 3 * N_BINS - 1, 1)
        nn.init.zeros_(self.proj.weight)
        assert self.proj.bias is not None
        nn.init.zeros_(self.proj.bias)

    def forward(self, x: Tensor, mask: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        kept, moved = x.chunk(2, dim=1)
        moved, log_slope = spline(moved, *self._shape(kept, mask, condition), SPLINE_BOUND)
        return torch.cat([kept, moved], dim=1) * mask, (log_slope * mask).sum(dim=(1, 2))

    def inverse(self, x: Tensor, mask: Tensor, condition: Tensor) -> Tensor:
        """Undo `forward`, inside the mask."""
        kept, moved = x.chunk(2, dim=1)
        moved = inverse_spline(moved, *self._shape(kept, mask, condition), SPLINE_BOUND)
        return torch.cat([kept, moved], dim=1) * mask

    def _shape(self, kept: Tensor, mask: Tensor, condition: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Widths, heights and slopes: [B, 1, T, K], [B, 1, T, K], [B, 1, T, K - 1]."""
        hidden = self.convs(self.pre(kept) + condition, mask)
        # Single precision from here on: bins of a half-precision spline can have no width.
        shape = (self.proj(hidden) * mask).float().transpose(1, 2)[:, None]
        widths, heights, slopes = shape.split([N_BINS, N_BINS, N_BINS - 1], dim=-1)
        return widths * self.scale, heights * self.scale, slopes


class StochasticDurationPredictor(nn.Module):
    """A flow over log durations, trained by a variational bound with dequantization and data augmentation.

    Phoneme durations are whole numbers of frames: u in [0, 1) makes them continuous (Ho et al. 2019), and a second,
    invented channel widens the flow (Chen et al. 2020). Both are drawn from the posterior flow q(u, v | d, text).
    Gradients stop at the inputs: the text encoder learns nothing from durations.

    Args:
        channels: of the text encoder's hidden output.
        gin_channels: width of the speaker vector; 0: none.
    """

    def __init__(self, channels: int, p_dropout: float = 0.5, gin_channels: int = 0, n_flows: int = 4) -> None:
        super().__init__()
        self.flows = _spline_flow(channels, n_flows)
        self.post_pre = Conv1d(1, channels, 1)
        self.post_proj = Conv1d(channels, channels, 1)
        self.post_convs = SeparableConvolutions(channels, p_dropout=p_dropout)
        self.post_flows = _spline_flow(channels, 4)
        self.pre = Conv1d(channels, channels, 1)
        self.proj = Conv1d(channels, channels, 1)
        self.convs = SeparableConvolutions(channels, p_dropout=p_dropout)
        if gin_channels:
            self.cond = Conv1d(gin_channels, channels, 1)

    def forward(self, hidden: Tensor, mask: Tensor, durations: Tensor, speaker: Tensor | None = None) -> Tensor:
        """Upper bound of -log p(durations | text), in nats, summed over each utterance's phonemes (eq. 7).

        Shape: hidden [B, channels, T], mask [B, 1, T], durations [B, 1, T] in frames, speaker [B, gin_channels, 1]
        or none -> [B]. Draws B * 2 * T normal numbers.
        """
        condition = self._condition(hidden, mask, speaker)
        of_durations = self.post_proj(self.post_convs(self.post_pre(durations), mask)) * mask

        noise = torch.randn(durations.shape[0], 2, durations.shape[2], device=durations.device) * mask
        z_q, log_det_q = _through(self.post_flows, noise, mask, condition + of_durations)
        before_u, v = z_q.chunk(2, dim=1)
        u = torch.sigmoid(before_u) * mask
        log_det_q = log_det_q + ((F.logsigmoid(before_u) + F.logsigmoid(-before_u)) * mask).sum(dim=(1, 2))
        log_q = _log_normal(noise, mask) - log_det_q

        log_continuous = torch.log(((durations - u) * mask).clamp(min=MIN_DURATION)) * mask
        z, log_det = _through(self.flows, torch.cat([log_continuous, v], dim=1), mask, condition)
        # d log(x) / dx = 1 / x, so the logarithm's own log determinant is minus its result.
        log_p = _log_normal(z, mask) + log_det - log_continuous.sum(dim=(1, 2))
        return log_q - log_p

    def sample(
        self, hidden: Tensor, mask: Tensor, speaker: Tensor | None = None, noise_scale: float | Tensor = 1.0
    ) -> Tensor:
        """Draw log durations. Shape: hidden [B, channels, T], mask [B, 1, T] -> [B, 1, T], log of frames.

        Draws B * 2 * T normal numbers, times `noise_scale`.
        """
        condition = self._condition(hidden, mask, speaker)
        z = torch.randn(hidden.shape[0], 2, hidden.shape[2], device=hidden.device) * noise_scale
        # flows[1], the coupling nearest the durations, would move the invented channel only, which is dropped below.
        for layer in reversed(self.flows[2:]):
            z = layer.inverse(z, mask, condition) if isinstance(layer, SplineCoupling) else layer(z)
        affine = self.flows[0]
        assert isinstance(affine, ElementwiseAffine)
        return affine.inverse(z, mask)[:, :1]

    def _condition(self, hidden: Tensor, mask: Tensor, speaker: Tensor | None) -> Tensor:
        x = self.pre(hidden.detach())
        if speaker is not None:
            x = x + self.cond(speaker.detach())
        return self.proj(self.convs(x, mask)) * mask


def _spline_flow(channels: int, n_flows: int) -> nn.ModuleList:
    layers: list[nn.Module] = [ElementwiseAffine(2)]
    for _ in range(n_flows):
        layers += [SplineCoupling(channels), Flip()]
    return nn.ModuleList(layers)


def _through(flow: nn.ModuleList, x: Tensor, mask: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
    """x [B, 2, T] through the layers, and the sum of their log determinants [B]."""
    total = torch.zeros(x.shape[0], device=x.device)
    for layer in flow:
        if isinstance(layer, Flip):
            x = layer(x)
            continue
        x, log_det = layer(x, mask) if isinstance(layer, ElementwiseAffine) else layer(x, mask, condition)
        total = total + log_det
    return x, total


def _log_normal(x: Tensor, mask: Tensor) -> Tensor:
    """Log density of independent standard normals, summed inside the mask: [B, C, T] -> [B]."""
    return (-0.5 * (math.log(2 * math.pi) + x**2) * mask).sum(dim=(1, 2))
