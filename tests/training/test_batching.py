"""Every clip once an epoch, in batches of like length, that any number of processes share the same way."""

from __future__ import annotations

import numpy as np
import pytest

from piper_core.dataset.audio import read_header
from piper_core.training.batching import LengthBatches, batch_count, batches_of_like_length, padding_share

LENGTHS = np.random.default_rng(0).integers(20_000, 200_000, 501)


def of(batches: list[np.ndarray]) -> list[list[int]]:
    return [batch.tolist() for batch in batches]


@pytest.mark.parametrize("batch_size", [1, 7, 8, 32, 500, 501, 502, 5000])
def test_every_clip_comes_once_and_batches_differ_by_one_at_most(batch_size: int) -> None:
    batches = batches_of_like_length(LENGTHS, batch_size, 1, 0)
    assert sorted(np.concatenate(batches).tolist()) == list(range(501))
    sizes = [len(batch) for batch in batches]
    assert len(batches) == batch_count(501, batch_size)
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1


def test_padding_is_little_and_far_less_than_without_buckets(kathleen) -> None:
    paths = sorted((kathleen / "wavs").iterdir())
    lengths = np.array([round(read_header(path).duration_s * 22050) for path in paths])
    for batch_size in (8, 32):
        shares = [padding_share(lengths, batches_of_like_length(lengths, batch_size, 1, epoch)) for epoch in range(10)]
        assert max(shares) < 0.10
        shuffled = np.array_split(np.random.default_rng(0).permutation(len(lengths)), len(lengths) // batch_size)
        assert padding_share(lengths, shuffled) > 2 * max(shares)


def test_padding_share_is_what_is_padded() -> None:
    assert padding_share(np.array([10, 5, 4]), [np.array([0, 1]), np.array([2])]) == pytest.approx(5 / 24)


def test_an_order_belongs_to_its_seed_and_epoch() -> None:
    first = of(batches_of_like_length(LENGTHS, 8, 1, 0))
    assert of(batches_of_like_length(LENGTHS, 8, 1, 0)) == first
    assert of(batches_of_like_length(LENGTHS, 8, 1, 1)) != first
    assert of(batches_of_like_length(LENGTHS, 8, 2, 0)) != first
    # Not only the order of the batches: who is in a batch changes too, in a set smaller than one pool.
    few = LENGTHS[:100]
    together = [{frozenset(b) for b in of(batches_of_like_length(few, 8, 1, epoch))} for epoch in (0, 1)]
    assert len(together[0] & together[1]) < len(together[0]) / 2


def test_long_and_short_batches_are_mixed_over_the_epoch() -> None:
    means = np.array([LENGTHS[batch].mean() for batch in batches_of_like_length(LENGTHS, 8, 1, 0)])
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.4


@pytest.mark.parametrize("processes", [2, 3, 4])
@pytest.mark.parametrize("clips", [501, 48, 49, 13, 5])
def test_processes_share_the_batches_of_one(processes: int, clips: int) -> None:
    """Two of batch B/2 see step for step the clips of one of batch B; every clip is seen, and none is without one."""
    lengths, size = LENGTHS[:clips], 4
    alone = LengthBatches(lengths, size * processes, seed=1)
    shares = [LengthBatches(lengths, size, seed=1, rank=rank, processes=processes) for rank in range(processes)]
    for epoch in range(2):
        for sampler in (alone, *shares):
            sampler.set_epoch(epoch)
        steps = list(zip(*shares, strict=True))
        assert len(steps) == len(shares[0]) == len(alone)
        for whole, parts in zip(alone, steps, strict=True):
            assert sorted(clip for part in parts for clip in part) == sorted(whole)
            assert all(0 < len(part) <= size for part in parts)
        assert sorted(clip for parts in steps for part in parts for clip in part) == list(range(clips))


def test_a_process_is_never_without_a_clip() -> None:
    """One clip a process: the batches are fewer and larger rather than one short."""
    shares = [list(LengthBatches(LENGTHS[:7], 1, seed=1, rank=rank, processes=3)) for rank in range(3)]
    assert [len(share) for share in shares] == [2, 2, 2]
    assert all(part for share in shares for part in share)
    assert sorted(clip for share in shares for part in share for clip in part) == list(range(7))
    with pytest.raises(ValueError, match="2 clips can't be spread over 3 processes"):
        LengthBatches(LENGTHS[:2], 1, seed=1, processes=3).__len__()


def test_a_resumed_epoch_goes_on_behind_its_batches() -> None:
    whole = LengthBatches(LENGTHS, 8, seed=3)
    whole.set_epoch(4)
    resumed = LengthBatches(LENGTHS, 8, seed=3, start_epoch=4, skip_batches=6)
    assert list(resumed) == list(whole)[6:]
    resumed.set_epoch(5)
    assert len(list(resumed)) == len(resumed) == 63
