"""Masks, segments cut out of padded sequences, and sequences in one row."""

from __future__ import annotations

import torch

from piper_core.vits.sequences import cut_segments, length_mask, pack, random_segment_starts, unpack


def test_mask_marks_what_lies_inside() -> None:
    assert length_mask(torch.tensor([3, 0, 1]), 3).tolist() == [[[1, 1, 1]], [[0, 0, 0]], [[1, 0, 0]]]


def test_segments_are_cut_where_they_start_and_filled_with_zeros_past_the_end() -> None:
    x = torch.arange(1.0, 11.0).repeat(2, 1, 1)
    assert cut_segments(x, torch.tensor([0, 7]), 5)[:, 0].tolist() == [[1, 2, 3, 4, 5], [8, 9, 10, 0, 0]]
    assert cut_segments(x, torch.tensor([0, 0]), 12)[0, 0].tolist() == [*range(1, 11), 0, 0]


def test_starts_cover_every_place_and_no_other() -> None:
    torch.manual_seed(0)
    starts = random_segment_starts(torch.tensor([10, 4, 2]).repeat(500), 4).view(500, 3)
    assert set(starts[:, 0].tolist()) == set(range(7))
    assert set(starts[:, 1].tolist()) == {0}
    assert set(starts[:, 2].tolist()) == {0}


def test_packed_sequences_come_back() -> None:
    x = torch.randn(3, 2, 7) * length_mask(torch.tensor([7, 1, 4]), 7)
    row = pack(x, [7, 1, 4], gap=2)
    assert row.shape == (1, 2, 18)
    assert torch.equal(row[0, :, 9:10], x[1, :, :1])
    assert not row[0, :, 7:9].any()
    assert torch.equal(unpack(row, [7, 1, 4], 2, 7), x)
