"""Training steps on request or for a time, in Lightning's own loop, for either side.

Torch and one of Lightning's two packages only (`lightning` there, `pytorch_lightning` here).
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.peer.process import Requests

ENDLESS = 1_000_000
"""Steps of an epoch that no benchmark comes to the end of."""


class Served:
    """A batch for each request `{"batch": N}`; when its step is done, the answer tells `seconds` and `peak_bytes`.

    A first answer, before any request, says that the trainer is ready.
    """

    def __init__(self, batches: Sequence[Any], requests: Requests, about: Callable[[], dict[str, Any]] = dict) -> None:
        self._batches = batches
        self._requests = requests
        self._about = about
        self._started: float | None = None

    def __len__(self) -> int:
        return ENDLESS

    def __iter__(self) -> Iterator[Any]:
        self._requests.answer(ready=True)
        while True:
            if self._started is not None:
                synchronize()
                seconds = time.perf_counter() - self._started
                self._requests.answer(seconds=seconds, peak_bytes=peak_bytes(), **self._about())
            request = self._requests.read()
            if request is None:
                return
            self._started = time.perf_counter()
            yield self._batches[request["batch"]]


class Marked:
    """Batches in turn until the last of `marks_s`; at each mark the generator's weights go to `folder`.

    The clock begins with the second step, since the first warms up, and stands still while weights are written.
    """

    def __init__(self, batches: Sequence[Any], generator: torch.nn.Module, folder: Path, marks_s: list[float]) -> None:
        self._batches = batches
        self._generator = generator
        self._folder = folder
        self._marks_s = marks_s
        self.steps: list[int] = []
        """Taken at each mark."""

    def __len__(self) -> int:
        return ENDLESS

    def __iter__(self) -> Iterator[Any]:
        step, away_s, started = 0, 0.0, 0.0
        while len(self.steps) < len(self._marks_s):
            now = time.perf_counter()
            if step == 1:
                started = now
            if step > 1 and now - started - away_s >= self._marks_s[len(self.steps)]:
                torch.save(self._generator.state_dict(), self._folder / f"mark{len(self.steps)}.pt")
                self.steps.append(step)
                away_s += time.perf_counter() - now
                continue
            yield self._batches[step % len(self._batches)]
            step += 1
        raise Over


class Over(Exception):
    """The last mark is passed."""


def synchronize() -> None:
    """Waits for the card, where there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak_bytes() -> int:
    """The most memory held so far: the card's, or the process's resident memory."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
