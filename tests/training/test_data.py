"""Batches hold what was prepared, every clip once an epoch, and a resumed epoch goes on where it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from cache_utils.store import CacheStore
from piper_core.features import PreparedUtterance, pack
from piper_core.training.data import EpochSampler, VitsDataModule, collate, split

Make = Callable[[int], tuple[tuple[PreparedUtterance, ...], CacheStore]]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """n utterances; the i-th has i + 3 phonemes, 10 i + 100 samples of value i, and speaker i % 2."""

    def prepared(count: int) -> tuple[tuple[PreparedUtterance, ...], CacheStore]:
        store = CacheStore(tmp_path / "cache", 10**9)
        utterances = []
        for i in range(count):
            ids, audio = np.full(i + 3, i), np.full(10 * i + 100, i, np.int16)
            store.put(f"aa{i:04d}", pack(ids, audio))
            utterances.append(PreparedUtterance(f"u{i}", f"aa{i:04d}", len(ids), len(audio), i % 2, f"text {i}"))
        return tuple(utterances), store

    return prepared


def test_collate_pads_with_zeros() -> None:
    batch = collate([(np.array([1, 2]), np.array([5, 6, 7], np.int16), 0), (np.array([3]), np.array([8], np.int16), 1)])
    assert batch.phoneme_ids.tolist() == [[1, 2], [3, 0]]
    assert batch.phoneme_lengths.tolist() == [2, 1]
    assert batch.audio.dtype == torch.int16
    assert batch.audio.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert batch.audio_lengths.tolist() == [3, 1]
    assert batch.speaker_ids.tolist() == [0, 1]


@pytest.mark.parametrize("workers", [0, 1])
def test_an_epoch_holds_every_clip_once(make: Make, workers: int) -> None:
    utterances, store = make(7)
    data = VitsDataModule(utterances[:5], utterances[5:], store, batch_size=2, num_workers=workers)
    loader = data.train_dataloader()
    assert loader.persistent_workers == (workers > 0)
    for _ in range(2):
        batches = list(loader)
        assert len(batches) == data.batches_per_epoch == 3
        # The value of the samples says which clip it is.
        assert sorted(row[0].item() for batch in batches for row in batch.audio) == [0, 1, 2, 3, 4]
    assert [batch.audio[:, 0].tolist() for batch in data.val_dataloader()] == [[5, 6]]


def test_each_epoch_has_its_own_order_the_same_in_every_process() -> None:
    sampler, twin = EpochSampler(50, seed=1), EpochSampler(50, seed=1)
    first = list(sampler)
    sampler.set_epoch(1)
    assert sorted(first) == sorted(sampler) == list(range(50))
    assert list(sampler) != first
    assert list(twin) == first
    assert list(EpochSampler(50, seed=2)) != first


def test_a_resumed_epoch_leaves_out_what_was_trained_on() -> None:
    whole = EpochSampler(10, seed=3)
    whole.set_epoch(4)
    resumed = EpochSampler(10, seed=3, start_epoch=4, skip_items=6)
    assert list(resumed) == list(whole)[6:]
    resumed.set_epoch(5)
    assert len(list(resumed)) == 10


def test_the_split_is_stable(make: Make) -> None:
    utterances, _ = make(40)
    training, held_out = split(utterances, 0.1, seed=5)
    assert (len(training), len(held_out)) == (36, 4)
    assert not set(training) & set(held_out)
    again_training, again_held_out = split(utterances[::-1], 0.1, seed=5)
    assert set(again_training) == set(training)
    assert set(again_held_out) == set(held_out)
    assert set(split(utterances, 0.1, seed=6)[1]) != set(held_out)


def test_small_splits(make: Make) -> None:
    utterances, _ = make(3)
    assert [len(part) for part in split(utterances, 0.0, 1)] == [3, 0]
    assert [len(part) for part in split(utterances, 0.01, 1)] == [2, 1]
    assert [len(part) for part in split(utterances, 0.9, 1)] == [2, 1]
    assert [len(part) for part in split(utterances[:1], 0.5, 1)] == [1, 0]
