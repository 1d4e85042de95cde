"""Text encoder: phoneme ids -> the prior's mean and log deviation (Kim et al. 2021, section 2.4)."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from piper_core.vits.convolution import Conv1d
from piper_core.vits.normalization import ChannelNorm, Dropout
from piper_core.vits.sequences import length_mask

RELATIVE_WINDOW = 4
"""Phonemes at most this far apart have an embedding of their distance (Glow-TTS, appendix A.1)."""

MASKED_SCORE = -1e4
"""Attention score of padding: its softmax weight underflows to 0, and the number fits half precision."""


class EncodedText(NamedTuple):
    """The prior p(z | text), a column a phoneme."""

    hidden: Tensor
    """What the duration predictor reads, [B, hidden_channels, T]."""
    mean: Tensor
    """[B, C, T]."""
    log_deviation: Tensor
    """Natural log of the standard deviation, [B, C, T]."""
    mask: Tensor
    """1 inside each utterance, [B, 1, T]."""


class RelativeAttention(nn.Module):
    """Multi-head self-attention with relative positions in keys and values (Shaw et al. 2018, eq. 3-5).

    Shape: x [B, channels, T], mask [B, 1, T] -> [B, channels, T].
    """

    def __init__(self, channels: int, n_heads: int, p_dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.head_channels = channels // n_heads
        distances = 2 * RELATIVE_WINDOW + 1
        deviation = self.head_channels**-0.5
        # Row r is the embedding of distance r - RELATIVE_WINDOW; all heads share it.
        self.emb_rel_k = nn.Parameter(torch.randn(1, distances, self.head_channels) * deviation)
        self.emb_rel_v = nn.Parameter(torch.randn(1, distances, self.head_channels) * deviation)
        self.conv_q = Conv1d(channels, channels, 1)
        self.conv_k = Conv1d(channels, channels, 1)
        self.conv_v = Conv1d(channels, channels, 1)
        self.conv_o = Conv1d(channels, channels, 1)
        self.drop = Dropout(p_dropout)
        for projection in (self.conv_q, self.conv_k, self.conv_v):
            nn.init.xavier_uniform_(projection.weight)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        query = self._heads(self.conv_q(x)) / math.sqrt(self.head_channels)  # [B, H, T, D]
        key = self._heads(self.conv_k(x))
        value = self._heads(self.conv_v(x))

        scores = query @ key.transpose(2, 3) + spread_distances(query @ self.emb_rel_k.transpose(1, 2))
        # Padding is masked as a key only: what padding gathers as a query is masked by whoever reads it.
        scores = scores.masked_fill(mask[:, None] == 0, MASKED_SCORE)
        weights = self.drop(F.softmax(scores, dim=-1))
        heard = weights @ value + gather_distances(weights) @ self.emb_rel_v
        return self.conv_o(heard.transpose(2, 3).reshape(x.shape))

    def _heads(self, x: Tensor) -> Tensor:
        """[B, H * D, T] -> [B, H, T, D]."""
        return x.view(x.shape[0], self.n_heads, self.head_channels, x.shape[2]).transpose(2, 3)


def spread_distances(by_distance: Tensor, window: int = RELATIVE_WINDOW) -> Tensor:
    """Lay numbers by distance onto the diagonals of a square: out[i, j] = in[i, j - i + window], else 0.

    With rows of length L = T + 2 window, cell (i, i + r) is element i (L + 1) + r of the flattened square: rows
    padded to L + 1 and read again as rows of L put each distance on its diagonal, with no index tensor.

    Shape: [..., T, 2 window + 1] -> [..., T, T].
    """
    batch, heads, size, distances = by_distance.shape
    row = size + 2 * window
    flat = F.pad(by_distance, (0, row + 1 - distances)).reshape(batch, heads, size * (row + 1))
    return flat[:, :, : size * row].reshape(batch, heads, size, row)[:, :, :, window : window + size]


def gather_distances(square: Tensor, window: int = RELATIVE_WINDOW) -> Tensor:
    """Read the diagonals of a square back as numbers by distance: out[i, r] = in[i, i + r - window], else 0.

    Shape: [B, H, T, T] -> [B, H, T, 2 window + 1].
    """
    batch, heads, size, _ = square.shape
    row = size + 2 * window
    flat = F.pad(square, (window, window)).reshape(batch, heads, size * row)
    return F.pad(flat, (0, size)).reshape(batch, heads, size, row + 1)[:, :, :, : 2 * window + 1]


class FeedForward(nn.Module):
    """Two convolutions over time with ReLU between, in place of the Transformer's dense layers.

    Shape: x [B, channels, T], mask [B, 1, T] -> [B, channels, T].
    """

    def __init__(self, channels: int, filter_channels: int, kernel_size: int, p_dropout: float) -> None:
        super().__init__()
        self.conv_1 = Conv1d(channels, filter_channels, kernel_size, padding=kernel_size // 2)
        self.conv_2 = Conv1d(filter_channels, channels, kernel_size, padding=kernel_size // 2)
        self.drop = Dropout(p_dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.drop(torch.relu(self.conv_1(x * mask)))
        return self.conv_2(x * mask) * mask


class Transformer(nn.Module):
    """Layers of relative attention and feed-forward, each added to its input and then normed.

    Shape: x [B, channels, T], mask [B, 1, T] -> [B, channels, T], 0 in the padding.
    """

    def __init__(
        self, channels: int, filter_channels: int, n_heads: int, n_layers: int, kernel_size: int, p_dropout: float
    ) -> None:
        super().__init__()
        self.drop = Dropout(p_dropout)
        layers = range(n_layers)
        self.attn_layers = nn.ModuleList(RelativeAttention(channels, n_heads, p_dropout) for _ in layers)
        self.norm_layers_1 = nn.ModuleList(ChannelNorm(channels) for _ in layers)
        self.ffn_layers = nn.ModuleList(FeedForward(channels, filter_channels, kernel_size, p_dropout) for _ in layers)
        self.norm_layers_2 = nn.ModuleList(ChannelNorm(channels) for _ in layers)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x * mask
        layers = zip(self.attn_layers, self.norm_layers_1, self.ffn_layers, self.norm_layers_2, strict=True)
        for attention, norm_1, feed_forward, norm_2 in layers:
            x = norm_1(x + self.drop(attention(x, mask)))
            x = norm_2(x + self.drop(feed_forward(x, mask)))
        return x * mask


class TextEncoder(nn.Module):
    """Embedding, Transformer, and a projection to the prior's mean and log deviation.

    Shape: phoneme_ids [B, T] int64, lengths [B] -> `EncodedText`.
    """

    def __init__(
        self,
        num_symbols: int,
        latent_channels: int,
        hidden_channels: int,
        filter_channels: int,
        n_heads: int,
        n_layers: int,
        kernel_size: int,
        p_dropout: float,
    ) -> None:
        super().__init__()
        self.scale = math.sqrt(hidden_channels)
        self.emb = nn.Embedding(num_symbols, hidden_channels)
        nn.init.normal_(self.emb.weight, 0.0, 1 / self.scale)
        self.encoder = Transformer(hidden_channels, filter_channels, n_heads, n_layers, kernel_size, p_dropout)
        self.proj = Conv1d(hidden_channels, 2 * latent_channels, 1)

    def forward(self, phoneme_ids: Tensor, lengths: Tensor) -> EncodedText:
        embedded = (self.emb(phoneme_ids) * self.scale).transpose(1, 2)
        mask = length_mask(lengths, phoneme_ids.shape[1])
        hidden = self.encoder(embedded, mask)
        mean, log_deviation = (self.proj(hidden) * mask).chunk(2, dim=1)
        return EncodedText(hidden, mean, log_deviation, mask)
