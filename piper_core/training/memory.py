"""Memory that runs short in a run: recognised, freed, and the batch computed in smaller parts from then on."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator

import psutil
import torch

from piper_core.settings import GIGABYTE
from piper_core.training.data import Batch

TRY_LARGER_AFTER_STEPS = 200
"""A shortage may pass: the longest clips come once an epoch, and other programs end. A try costs part of a step."""
_SIGNS = (
    "DefaultCPUAllocator",  # torch's allocator on a processor
    "can't allocate memory",
    "could not create a primitive",  # oneDNN, whose convolutions allocate their own
    "could not create a memory",
    "std::bad_alloc",
    "_ALLOC_FAILED",  # cuDNN, cuBLAS, cuFFT
)


class DoesNotFit(MemoryError):
    """A single clip needs more memory than there is. The message says how long it is and what to do."""


class MicroBatches:
    """How many clips of a batch are computed at once: all of them, until memory runs out.

    After a shortage, half as many; after `TRY_LARGER_AFTER_STEPS` steps twice as many again, and each time that
    this fails the next try waits twice as long.
    """

    def __init__(self) -> None:
        self.size: int | None = None
        """None: as many as the batch has."""
        self.shortages = 0
        """How often memory has run out."""
        self._steps = 0
        self._wait = TRY_LARGER_AFTER_STEPS
        self._largest = 1

    def parts(self, batch: Batch) -> Iterator[Batch]:
        """`batch` in parts of at most `size` clips, each padded no further than its own longest clip."""
        clips = len(batch.audio)
        if self.size is None or self.size >= clips:
            yield batch
            return
        for first in range(0, clips, self.size):
            rows = Batch(*(values[first : first + self.size] for values in batch))
            yield rows._replace(
                phoneme_ids=rows.phoneme_ids[:, : int(rows.phoneme_lengths.max())],
                audio=rows.audio[:, : int(rows.audio_lengths.max())],
            )

    def halve(self, batch: Batch, sample_rate: int) -> None:
        """Memory did not suffice for `batch` in parts of `size`. Raises DoesNotFit when these had one clip."""
        clips = len(batch.audio)
        now = clips if self.size is None else min(self.size, clips)
        if now == 1:
            longest_s = int(batch.audio_lengths.max()) / sample_rate
            raise DoesNotFit(does_not_fit(longest_s, batch.audio.device))
        if self.shortages:
            self._wait *= 2
        self.shortages += 1
        self._steps = 0
        self._largest = max(self._largest, clips)
        self.size = now // 2

    def step_done(self) -> None:
        """Counts towards the next try with larger parts."""
        if self.size is None:
            return
        self._steps += 1
        if self._steps >= self._wait:
            self._steps = 0
            self.size *= 2
            if self.size >= self._largest:
                self.size = None

    @property
    def sentence(self) -> str | None:
        """What is done about memory at present, for the run's status; None when nothing is."""
        if self.size is None:
            return None
        clips = "one clip" if self.size == 1 else f"{self.size} clips"
        return f"Memory ran out, so each step is computed {clips} at a time; what is learned is the same."


def does_not_fit(longest_s: float, device: torch.device) -> str:
    """Why training can't go on, and what to do."""
    where = "the machine's memory"
    if device.type == "cuda":
        where = f"the card's {torch.cuda.get_device_properties(device).total_memory / GIGABYTE:.1f} GB"
    return (
        f"A clip of {longest_s:.1f} s does not fit into {where}, even alone. Leave out or cut the longest clips,"
        " choose a smaller preset, or end other programs."
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory ran out: the card's, or the machine's or the process's limit."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return not isinstance(error, DoesNotFit)
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


def release_memory(device: torch.device) -> int:
    """Gives cached memory back to the device, or the processor's to the system; returns the bytes that came back."""
    gc.collect()
    if device.type == "cuda":
        before = torch.cuda.memory_reserved(device)
        torch.cuda.empty_cache()
        return max(0, before - torch.cuda.memory_reserved(device))
    process = psutil.Process()
    resident = process.memory_info().rss
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
    if trim is not None:
        trim(0)
    return max(0, resident - process.memory_info().rss)
