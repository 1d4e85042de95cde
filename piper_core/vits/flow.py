"""The normalizing flow that gives the prior its shape (Kim et al. 2021, section 2.1.3 and 2.4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from piper_core.vits.convolution import Conv1d, join_channels
from piper_core.vits.wavenet import WaveNet


class Flip(nn.Module):
    """Reverse the channels, so that the next coupling changes the half that this one kept. Its own inverse.

    Shape: [B, C, time] -> the same. Volume preserving.
    """

    def forward(self, x: Tensor) -> Tensor:
        return torch.flip(x, [1])


class Coupling(nn.Module):
    """Shift the second half of the channels by a function of the first (NICE, Dinh et al. 2015).

    The scale is fixed at 1, so the Jacobian's determinant is 1 (VITS: "volume-preserving").

    Shape: x [B, channels, F], mask [B, 1, F], speaker [B, gin_channels, 1] or none -> [B, channels, F].
    """

    def __init__(self, channels: int, hidden_channels: int, gin_channels: int = 0) -> None:
        super().__init__()
        self.pre = Conv1d(channels // 2, hidden_channels, 1)
        self.enc = WaveNet(hidden_channels, kernel_size=5, n_layers=4, gin_channels=gin_channels)
        self.post = Conv1d(hidden_channels, channels // 2, 1)
        # An untrained coupling is the identity.
        nn.init.zeros_(self.post.weight)
        assert self.post.bias is not None
        nn.init.zeros_(self.post.bias)

    def forward(self, x: Tensor, mask: Tensor, speaker: Tensor | None = None) -> Tensor:
        kept, moved = x.chunk(2, dim=1)
        return join_channels(kept, self._shift(kept, mask, speaker) + moved * mask)

    def inverse(self, x: Tensor, mask: Tensor, speaker: Tensor | None = None) -> Tensor:
        """The x whose `forward` is the given one, inside the mask. Shapes as `forward`'s."""
        kept, moved = x.chunk(2, dim=1)
        return join_channels(kept, (moved - self._shift(kept, mask, speaker)) * mask)

    def _shift(self, kept: Tensor, mask: Tensor, speaker: Tensor | None) -> Tensor:
        hidden = self.enc(self.pre(kept) * mask, mask, speaker)
        return self.post(hidden) * mask


class ResidualCouplingFlow(nn.Module):
    """Four couplings, a flip after each: posterior's z -> prior's z_p, and back.

    Args:
        channels: of z, even.
        hidden_channels: of the couplings' WaveNets.
        gin_channels: width of the speaker vector; 0: none.

    Shape: x [B, channels, F], mask [B, 1, F], speaker [B, gin_channels, 1] or none -> [B, channels, F].
    """

    def __init__(self, channels: int, hidden_channels: int, gin_channels: int = 0, n_flows: int = 4) -> None:
        super().__init__()
        self.flows = nn.ModuleList()
        for _ in range(n_flows):
            self.flows.append(Coupling(channels, hidden_channels, gin_channels))
            self.flows.append(Flip())

    def forward(self, x: Tensor, mask: Tensor, speaker: Tensor | None = None) -> Tensor:
        for layer in self.flows:
            x = layer(x) if isinstance(layer, Flip) else layer(x, mask, speaker)
        return x

    def inverse(self, x: Tensor, mask: Tensor, speaker: Tensor | None = None) -> Tensor:
        """From the prior's space to the decoder's. Shapes as `forward`'s."""
        for layer in reversed(self.flows):
            x = layer.inverse(x, mask, speaker) if isinstance(layer, Coupling) else layer(x)
        return x
