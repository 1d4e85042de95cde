"""Relative attention's bookkeeping of distances, against two plain loops."""

from __future__ import annotations

import pytest
import torch

from piper_core.vits.text_encoder import gather_distances, spread_distances


@pytest.mark.parametrize("size", [1, 2, 4, 5, 12])
def test_distances_are_spread_onto_their_diagonals(size: int) -> None:
    by_distance = torch.randn(2, 3, size, 9)
    square = spread_distances(by_distance)
    for i in range(size):
        for j in range(size):
            expected = by_distance[:, :, i, j - i + 4] if abs(j - i) <= 4 else torch.zeros(2, 3)
            assert torch.equal(square[:, :, i, j], expected)


@pytest.mark.parametrize("size", [1, 2, 4, 5, 12])
def test_diagonals_are_gathered_by_distance(size: int) -> None:
    square = torch.randn(2, 3, size, size)
    by_distance = gather_distances(square)
    for i in range(size):
        for r in range(9):
            j = i + r - 4
            expected = square[:, :, i, j] if 0 <= j < size else torch.zeros(2, 3)
            assert torch.equal(by_distance[:, :, i, r], expected)
