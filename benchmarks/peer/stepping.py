"""Training steps on request, in Lightning's own loop: a batch is trained on when it is asked for, and timed.

Torch and one of Lightning's two packages only (`lightning` there, `pytorch_lightning` here): it runs on either side.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from benchmarks.peer.process import Requests


class Served:
    """Batches as they are asked for: each request trains on the next batch, in turn. Ends when requests do."""

    def __init__(self, batches: Sequence[Any], requests: Requests, about: Callable[[], dict[str, Any]] = dict) -> None:
        self._batches = batches
        self._requests = requests
        self._about = about
        self._started: float | None = None

    def __len__(self) -> int:
        return 1_000_000  # an epoch that no benchmark comes to the end of

    def __iter__(self) -> Iterator[Any]:
        step = 0
        while True:
            if self._started is not None:
                synchronize()
                seconds = time.perf_counter() - self._started
                self._requests.answer(seconds=seconds, peak_bytes=peak_bytes(), **self._about())
            if self._requests.read() is None:
                return
            self._started = time.perf_counter()
            yield self._batches[step % len(self._batches)]
            step += 1


def synchronize() -> None:
    """Waits for the card, where there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak_bytes() -> int:
    """The most memory held so far: the card's, or the process's resident memory."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
