"""Cached features -> padded batches on the device: Dataset, collate, and the LightningDataModule.

Batches carry int16 audio; the spectrogram is computed from it on the device (see module.py).
"""

from __future__ import annotations

import random
import signal
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from cache_utils.store import CacheStore
from piper_core.features import PreparedUtterance, load_features
from piper_core.training.batching import LengthBatches, batch_count


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


PREFETCHED = 4
"""Batches that a worker reads ahead."""

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
    phoneme_ids = np.zeros((len(items), max(len(ids) for ids, _, _ in items)), np.int64)
    audio = np.zeros((len(items), max(len(samples) for _, samples, _ in items)), np.int16)
    for row, (ids, samples, _) in enumerate(items):
        phoneme_ids[row, : len(ids)] = ids
        audio[row, : len(samples)] = samples
    return Batch(
        torch.from_numpy(phoneme_ids),
        torch.tensor([len(ids) for ids, _, _ in items]),
        torch.from_numpy(audio),
        torch.tensor([len(samples) for _, samples, _ in items]),
        torch.tensor([speaker for _, _, speaker in items]),
    )


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
    """Loaders for training (batches of clips of like length, shuffled anew each epoch) and validation (in order).

    Several processes share each batch; Lightning has to leave the sampler alone then (use_distributed_sampler=False).
    """

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
        processes: int = 1,
    ) -> None:
        """`batch_size` is one process's. `processes` counts until a trainer is attached, which knows better."""
        super().__init__()
        self.training = FeatureDataset(training, store)
        self.held_out = FeatureDataset(held_out, store)
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.seed = seed
        self.pin_memory = pin_memory
        self._processes = processes

    @property
    def processes(self) -> int:
        """How many share each batch."""
        return self.trainer.world_size if self.trainer else self._processes

    @property
    def batches_per_epoch(self) -> int:
        """Steps in one pass over the training utterances."""
        return batch_count(len(self.training), self.batch_size * self.processes, self.processes)

    def longest_batch(self) -> Batch:
        """The `batch_size` longest clips together: no batch of an epoch takes more memory."""
        by_length = sorted(
            range(len(self.training)), key=lambda index: self.training.utterances[index].sample_count, reverse=True
        )
        return collate([self.training[index] for index in by_length[: self.batch_size]])

    def train_dataloader(self) -> DataLoader[Item]:
        """Placed, after a resume, behind the batches of the present epoch that were already trained on."""
        batches_done = getattr(self.trainer.lightning_module, "batches_done_in_epoch", 0) if self.trainer else 0
        start_epoch = self.trainer.current_epoch if self.trainer else 0
        batches = LengthBatches(
            [utterance.sample_count for utterance in self.training.utterances],
            self.batch_size,
            seed=self.seed,
            start_epoch=start_epoch + batches_done // self.batches_per_epoch,
            skip_batches=batches_done % self.batches_per_epoch,
            rank=self.trainer.global_rank if self.trainer else 0,
            processes=self.processes,
        )
        return DataLoader(
            self.training,
            batch_sampler=batches,
            collate_fn=collate,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            prefetch_factor=PREFETCHED if self.num_workers > 0 else None,
            pin_memory=self.pin_memory,
            worker_init_fn=_start_worker,
        )

    def val_dataloader(self) -> DataLoader[Item]:
        """Empty where nothing is held out.

        Read in this process: few clips now and then, for which processes of their own would cost more than they bring.
        """
        return DataLoader(self.held_out, batch_size=self.batch_size, collate_fn=collate, pin_memory=self.pin_memory)
