"""Which clips make a batch: of like length, in another order each epoch, the same for the same seed everywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

POOL_BATCHES = 50
"""Batches that are sorted by length together."""
LENGTH_NOISE = 0.03
"""Share by which lengths are blurred before sorting, so that a set smaller than a pool has other batches each epoch."""


def batch_count(clips: int, batch_size: int, processes: int = 1) -> int:
    """Batches that `clips` make, each of at most `batch_size` (of all `processes` together).

    Every process needs a clip of each batch; where the batches would be too small for that they are fewer and larger.
    Raises ValueError for fewer clips than processes.
    """
    if clips < processes:
        raise ValueError(f"{clips} clips can't be spread over {processes} processes; use fewer processes.")
    count = -(-clips // batch_size)
    return count if clips // count >= processes else clips // processes


def batches_of_like_length(
    lengths: np.ndarray, batch_size: int, seed: int, epoch: int, processes: int = 1
) -> list[np.ndarray]:
    """Indices of every clip once, in batches, drawn from (seed, epoch) alone. `lengths` [clips] in any unit.

    Bucketing by pools (torchtext's `pool`; Khomenko et al. 2016, arXiv 1708.05604, compare such schemes): the clips are
    shuffled and cut into pools of about `POOL_BATCHES` batches; each pool is sorted by length and cut into batches; the
    batches are shuffled. Lengths are blurred first. Batches differ in size by one at most: a small last one would
    weigh its clips more than the others.
    """
    draw = np.random.default_rng((seed, epoch))
    clips, count = len(lengths), batch_count(len(lengths), batch_size, processes)
    order = draw.permutation(clips)
    blurred = lengths * draw.uniform(1 - LENGTH_NOISE, 1 + LENGTH_NOISE, clips)
    sizes = np.full(count, clips // count)
    sizes[draw.permutation(count)[: clips % count]] += 1
    edges = np.concatenate(([0], np.cumsum(sizes)))
    for pool in np.array_split(np.arange(count), max(1, round(count / POOL_BATCHES))):
        inside = slice(edges[pool[0]], edges[pool[-1] + 1])
        order[inside] = order[inside][np.argsort(blurred[order[inside]], kind="stable")]
    return [order[edges[batch] : edges[batch + 1]] for batch in draw.permutation(count)]


def padding_share(lengths: np.ndarray, batches: Sequence[np.ndarray]) -> float:
    """Of all that the padded batches hold, the share that is padding."""
    held = sum(len(batch) * int(lengths[batch].max()) for batch in batches)
    return 1 - sum(int(lengths[batch].sum()) for batch in batches) / held


class LengthBatches(Sampler[list[int]]):
    """The batch sampler: `batches_of_like_length` of the present epoch, this process's share of each.

    Batch k is the same set of clips however many processes share it, as long as `batch_size` times `processes` is the
    same: process `rank` takes every `processes`-th clip of it. `start_epoch` and `skip_batches` place the first pass of
    a resumed run: the batches of that epoch that were trained on already are left out.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        batch_size: int,
        *,
        seed: int,
        start_epoch: int = 0,
        skip_batches: int = 0,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        self.lengths = np.asarray(lengths)
        self.batch_size = batch_size
        """Of one process."""
        self.seed = seed
        self.epoch = start_epoch
        self.rank = rank
        self.processes = processes
        self.sampler = self
        """Lightning looks for `set_epoch` at a batch sampler's `sampler`."""
        self._skip = (start_epoch, skip_batches)

    def __len__(self) -> int:
        return batch_count(len(self.lengths), self.batch_size * self.processes, self.processes)

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning at the start of each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[list[int]]:
        together = self.batch_size * self.processes
        batches = batches_of_like_length(self.lengths, together, self.seed, self.epoch, self.processes)
        first_epoch, skip = self._skip
        for batch in batches[skip if self.epoch == first_epoch else 0 :]:
            yield batch[self.rank :: self.processes].tolist()
