"""An exponential moving average of the generator's weights: what a run with `ema_decay` listens to and exports.

Polyak & Juditsky 1992; for GANs Yazıcı et al. 2019 (arXiv 1806.04498): the adversarial game circles around a solution,
and the average of the weights lies nearer to it than any one of them. Training itself never sees the average.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """The average of a network's parameters, on their devices; begins as a copy of them.

    It takes memory of the parameters' size and, an update, one pass over both.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._decay = decay
        self._names, parameters = zip(*network.named_parameters(), strict=True)
        self._parameters: list[nn.Parameter] = list(parameters)
        self._averages: list[Tensor] = [parameter.detach().clone() for parameter in self._parameters]

    def update(self, step: int) -> None:
        """Takes in the parameters as they are after `step` steps."""
        torch._foreach_lerp_(self._averages, [p.detach() for p in self._parameters], 1 - decay_at(step, self._decay))

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The network has the averaged weights inside the `with`, and its own again after it, whatever happens."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def state_dict(self) -> dict[str, Tensor]:
        """The averages by the parameters' names: what a checkpoint holds under AVERAGE_KEY."""
        return dict(zip(self._names, self._averages, strict=True))

    def load_state_dict(self, averages: Mapping[str, Tensor]) -> None:
        """Takes up stored averages. Raises ValueError when they are of another network."""
        if averages.keys() != set(self._names):
            raise ValueError("The checkpoint's averaged weights are those of another network.")
        for name, average in zip(self._names, self._averages, strict=True):
            average.copy_(averages[name])

    def _exchange(self) -> None:
        for index, parameter in enumerate(self._parameters):
            self._averages[index], parameter.data = parameter.data, self._averages[index]


def decay_at(step: int, decay: float) -> float:
    """The decay at a step, counted from 1: at most `decay`, and less at first, so that random weights are forgotten.

    min(decay, (1 + n) / (10 + n)), as in TensorFlow's ExponentialMovingAverage.
    """
    return min(decay, (1 + step) / (10 + step))
