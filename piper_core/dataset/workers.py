"""Who looks at the clips: threads of this process. Batches of clips go out, results come back as they are ready."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from piper_core.dataset.audio import ClipMeasurements, Unreadable, measure

Item = TypeVar("Item")
Result = TypeVar("Result")
MOST_IN_A_BATCH = 32
_AHEAD = 3
"""Batches under way for each worker: one that is looked at, and the next ones waiting."""


@dataclass(frozen=True)
class Workers:
    """An executor, and how many batches it looks at at once."""

    executor: Executor
    slots: int

    def look(
        self,
        look: Callable[[list[Item]], list[Result]],
        items: Sequence[Item],
        take: Callable[[list[int], list[Result]], None],
        tell: Callable[[int], None],
    ) -> None:
        """`take(indices, results)` for every batch of `items`, in the calling thread and in the order they come.

        `tell(done)` follows each. When it raises (so that the work stops), or Ctrl-C comes, what is under way is still
        taken: nothing that was looked at is lost.
        """
        size = max(1, min(MOST_IN_A_BATCH, len(items) // (self.slots * 8)))
        batches = iter(range(0, len(items), size))
        running: dict[Future[list[Result]], list[int]] = {}
        done = 0
        try:
            while True:
                while len(running) < self.slots * _AHEAD and (start := next(batches, None)) is not None:
                    indices = list(range(start, min(start + size, len(items))))
                    running[self.executor.submit(look, [items[i] for i in indices])] = indices
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    results = future.result()
                    indices = running.pop(future)
                    take(indices, results)
                    done += len(indices)
                    tell(done)
        except BaseException:
            for future in running:
                future.cancel()
            for future in wait(running).done:
                if not future.cancelled() and future.exception() is None:
                    take(running[future], future.result())
            raise


@contextmanager
def threads(jobs: int) -> Iterator[Workers]:
    """`jobs` threads: decoding and Fourier transforms let go of Python's lock."""
    with ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="inspect") as pool:
        yield Workers(pool, jobs)


def measure_files(paths: list[str]) -> list[ClipMeasurements | Unreadable]:
    """What a worker does with a batch."""
    return [measure(Path(path)) for path in paths]
