"""Batches hold what was prepared, every clip once an epoch, and a resumed epoch goes on where it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from cache_utils.store import CacheStore
from piper_core.features import PreparedUtterance, pack
from piper_core.training.batching import batches_of_like_length
from piper_core.training.data import Batch, VitsDataModule, collate, split

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


def test_a_resumed_epoch_leaves_out_what_was_trained_on(make: Make) -> None:
    """As the trainer places it: behind the batches of the epoch that the checkpoint counts, then whole epochs."""
    utterances, store = make(20)
    data = VitsDataModule(utterances, (), store, batch_size=3, seed=3)
    whole = data.train_dataloader()
    whole.batch_sampler.set_epoch(4)
    expected = [batch.audio.tolist() for batch in whole]

    module = SimpleNamespace(batches_done_in_epoch=5)
    data.trainer = SimpleNamespace(lightning_module=module, current_epoch=4, world_size=1, global_rank=0)
    resumed = data.train_dataloader()
    assert [batch.audio.tolist() for batch in resumed] == expected[5:]
    resumed.batch_sampler.set_epoch(5)
    assert len(list(resumed)) == data.batches_per_epoch == 7


def test_the_longest_batch_holds_the_longest_clips(make: Make) -> None:
    utterances, store = make(9)
    data = VitsDataModule(utterances[::2] + utterances[1::2], (), store, batch_size=3)
    assert data.longest_batch().audio_lengths.tolist() == [180, 170, 160]
    most = max(batch.audio.numel() for batch in data.train_dataloader())
    assert data.longest_batch().audio.numel() >= most
    assert VitsDataModule(utterances[:2], (), store, batch_size=3).longest_batch().audio.shape[0] == 2


def test_lightning_starts_each_epoch_with_its_own_order(make: Make) -> None:
    """It calls `set_epoch` for us, though the order is made by a batch sampler."""
    utterances, store = make(12)
    seen: list[list[list[int]]] = []

    class Counts(pl.LightningModule):
        def on_train_epoch_start(self) -> None:
            seen.append([])

        def training_step(self, batch: Batch) -> None:
            seen[-1].append(batch.audio[:, 0].tolist())

        def configure_optimizers(self) -> None:
            return None

    data = VitsDataModule(utterances, (), store, batch_size=3, seed=7)
    pl.Trainer(
        max_epochs=3, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False,
    ).fit(Counts(), datamodule=data)  # fmt: skip
    lengths = [utterance.sample_count for utterance in utterances]
    expected = [[batch.tolist() for batch in batches_of_like_length(np.array(lengths), 3, 7, e)] for e in range(3)]
    assert seen == expected
    assert expected[0] != expected[1]


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
