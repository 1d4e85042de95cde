"""A convolution as a product is torch's convolution, and so are its gradients."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from piper_core.vits.convolution import ColumnConv2d, Conv1d, DepthwiseConv1d
from piper_core.vits.normalization import WeightNorm


def gradients(layer: nn.Module, x: torch.Tensor, direction: torch.Tensor) -> list[torch.Tensor]:
    x = x.clone().requires_grad_()
    layer.zero_grad()
    (layer(x) * direction).sum().backward()
    assert x.grad is not None
    return [x.grad, *(parameter.grad.clone() for parameter in layer.parameters() if parameter.grad is not None)]


def assert_alike(ours: Conv1d | ColumnConv2d, x: torch.Tensor) -> None:
    """`ours`, a product, against the same layer as torch's convolution."""
    assert ours.is_product(x)
    y = ours(x)
    direction = torch.randn(y.shape, dtype=x.dtype)
    mine = gradients(ours, x, direction)
    ours.is_product = lambda _: False  # type: ignore[method-assign]
    torch.testing.assert_close(y, ours(x), rtol=1e-10, atol=1e-10)
    theirs = gradients(ours, x, direction)
    assert len(mine) == len(theirs)
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize(
    ("taps", "stride", "dilation", "padding", "length"),
    [(1, 1, 1, 0, 9), (5, 1, 1, 2, 9), (3, 1, 4, 4, 9), (7, 1, 12, 36, 20), (5, 3, 1, 2, 11), (4, 2, 3, 1, 30),
     (5, 1, 1, 2, 1), (5, 1, 1, 2, 2), (3, 3, 1, 0, 3), (1, 2, 1, 0, 7), (3, 1, 1, 5, 2)],
)  # fmt: skip
def test_every_geometry(taps: int, stride: int, dilation: int, padding: int, length: int, split: bool) -> None:
    torch.manual_seed(0)
    layer = Conv1d(3, 160, taps, stride, padding, dilation, weight_norm=split).double()
    assert_alike(layer, torch.randn(2, 3, length, dtype=torch.float64))


def test_columns_are_sequences_of_their_own() -> None:
    torch.manual_seed(0)
    layer = ColumnConv2d(4, 6, (5, 1), (3, 1), padding=(2, 0), weight_norm=True).double()
    assert_alike(layer, torch.randn(2, 4, 11, 3, dtype=torch.float64))


@pytest.mark.parametrize("dilation", [1, 3, 9])
def test_depthwise_is_torchs(dilation: int) -> None:
    torch.manual_seed(0)
    layer = DepthwiseConv1d(5, 3, dilation).double()
    x = torch.randn(2, 5, 12, dtype=torch.float64)
    expected = nn.functional.conv1d(x, layer.weight, layer.bias, 1, dilation, dilation, 5)
    torch.testing.assert_close(layer(x), expected)


def test_bfloat16_is_multiplied_as_autocast_asks() -> None:
    layer = Conv1d(200, 200, 3, padding=1, weight_norm=True)
    x = torch.randn(2, 200, 8)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), layer(x), rtol=0.05, atol=0.05)
    (y.float() ** 2).sum().backward()
    assert layer.weight_v.grad.dtype == torch.float32


def test_a_folded_weight_gives_the_same_sound() -> None:
    layer = Conv1d(4, 200, 3, weight_norm=True)
    x = torch.randn(1, 4, 9)
    before = layer(x)
    layer.fold_weight()
    assert isinstance(layer, WeightNorm)
    assert [name for name, _ in layer.named_parameters()] == ["bias", "weight"]
    torch.testing.assert_close(layer(x), before)
