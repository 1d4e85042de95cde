"""Cached features -> padded batches on the device: Dataset, collate, and the LightningDataModule.

Batches carry int16 audio; the spectrogram is computed from it on the device (see module.py).
"""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from cache_utils.store import CacheStore
from piper_core.features import PreparedUtterance, load_features


class Batch(NamedTuple):
    """B utterances, padded with zeros."""

    phoneme_ids: Tensor
    """int64 [B, T]"""
    phoneme_lengths: Tensor
    """int64 [B]"""
    audio: Tensor
    """int16 [B, N]"""
    audio_lengths: Tensor
    """int64 [B], samples"""
    speaker_ids: Tensor
    """int64 [B]; zeros for a single speaker"""


Item = tuple[np.ndarray, np.ndarray, int]  # phoneme ids int64 [T], audio int16 [N], speaker id


class FeatureDataset(Dataset[Item]):
    """Prepared utterances, read from the cache one at a time."""

    def __init__(self, utterances: Sequence[PreparedUtterance], store: CacheStore) -> None:
        self.utterances = utterances
        self.store = store

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, index: int) -> Item:
        utterance = self.utterances[index]
        ids, audio = load_features(self.store, utterance.key)
        return ids, audio, utterance.speaker_id


def collate(items: Sequence[Item]) -> Batch:
    """Pads a list of clips into one Batch."""
    phoneme_ids = torch.zeros(len(items), max(len(ids) for ids, _, _ in items), dtype=torch.int64)
    audio = torch.zeros(len(items), max(len(samples) for _, samples, _ in items), dtype=torch.int16)
    for row, (ids, samples, _) in enumerate(items):
        phoneme_ids[row, : len(ids)] = torch.as_tensor(ids)
        audio[row, : len(samples)] = torch.as_tensor(samples.copy())  # a blob's memory is read-only
    return Batch(
        phoneme_ids,
        torch.tensor([len(ids) for ids, _, _ in items]),
        audio,
        torch.tensor([len(samples) for _, samples, _ in items]),
        torch.tensor([speaker for _, _, speaker in items]),
    )


class EpochSampler(Sampler[int]):
    """A permutation of `length` items drawn from (seed, epoch), so that a resumed run goes on where it was.

    `start_epoch` and `skip_items` place the first pass: the items already seen of that epoch are left out.
    """

    def __init__(self, length: int, seed: int, start_epoch: int = 0, skip_items: int = 0) -> None:
        self.length = length
        self.seed = seed
        self.epoch = start_epoch
        self._skip = (start_epoch, skip_items)

    def __len__(self) -> int:
        return self.length

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning at the start of each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        order = torch.randperm(self.length, generator=torch.Generator().manual_seed(self.seed + 100_003 * self.epoch))
        first_epoch, skip = self._skip
        return iter(order[skip if self.epoch == first_epoch else 0 :].tolist())


def split(
    utterances: Sequence[PreparedUtterance], validation_share: float, seed: int
) -> tuple[tuple[PreparedUtterance, ...], tuple[PreparedUtterance, ...]]:
    """Training and held-out utterances: the same split for the same ids and seed, whatever their order.

    At least one is held out where the share is above 0 and there are two or more; at most half.
    """
    count = len(utterances)
    held_out = 0
    if validation_share > 0 and count > 1:
        held_out = min(max(1, round(count * validation_share)), count // 2)
    ids = sorted(utterance.utterance_id for utterance in utterances)
    chosen = set(random.Random(seed).sample(ids, held_out))
    training = tuple(utterance for utterance in utterances if utterance.utterance_id not in chosen)
    return training, tuple(utterance for utterance in utterances if utterance.utterance_id in chosen)


def _start_worker(_: int) -> None:
    # Ctrl-C and the trainer's own handlers are the trainer's business; a worker ends when it is told to.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


class VitsDataModule(pl.LightningDataModule):
    """Loaders for training (shuffled anew each epoch) and validation (in order)."""

    def __init__(
        self,
        training: Sequence[PreparedUtterance],
        held_out: Sequence[PreparedUtterance],
        store: CacheStore,
        *,
        batch_size: int,
        num_workers: int = 0,
        seed: int = 1234,
        pin_memory: bool = False,
    ) -> None:
        super().__init__()
        self.training = FeatureDataset(training, store)
        self.held_out = FeatureDataset(held_out, store)
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.seed = seed
        self.pin_memory = pin_memory

    @property
    def batches_per_epoch(self) -> int:
        """Steps in one pass over the training utterances."""
        return -(-len(self.training) // self.batch_size)

    def train_dataloader(self) -> DataLoader[Item]:
        """Placed, after a resume, behind the batches of the present epoch that were already trained on."""
        batches_done = getattr(self.trainer.lightning_module, "batches_done_in_epoch", 0) if self.trainer else 0
        start_epoch = self.trainer.current_epoch if self.trainer else 0
        start_epoch += batches_done // self.batches_per_epoch
        skip = (batches_done % self.batches_per_epoch) * self.batch_size
        return self._loader(self.training, EpochSampler(len(self.training), self.seed, start_epoch, skip))

    def val_dataloader(self) -> DataLoader[Item]:
        """Empty where nothing is held out."""
        return self._loader(self.held_out, None)

    def _loader(self, dataset: FeatureDataset, sampler: EpochSampler | None) -> DataLoader[Item]:
        # Validation reads few clips now and then: processes of its own would cost more than they bring.
        workers = self.num_workers if sampler is not None else 0
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            sampler=sampler,
            collate_fn=collate,
            num_workers=workers,
            persistent_workers=workers > 0,
            prefetch_factor=4 if workers > 0 else None,
            pin_memory=self.pin_memory,
            worker_init_fn=_start_worker,
        )
