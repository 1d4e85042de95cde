"""Who looks at the clips: threads of this process, or the machines of a dask.distributed scheduler.

Batches of clips go out, results come back as they are ready. Both do the same pure functions on a path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from piper_core.dataset.audio import (
    MEASURE_VERSION,
    AudioError,
    ClipMeasurements,
    Unreadable,
    has_librosa,
    load_clip,
    measure,
    measure_with_pitch,
)
from piper_core.dataset.pitch import median_pitch

Item = TypeVar("Item")
Result = TypeVar("Result")
Span = tuple[str, float, float | None]
"""A clip to look at: its file's absolute path, where in it the clip starts, and how long it is (None: to the end)."""
MOST_IN_A_BATCH = 32
_AHEAD = 3
"""Batches under way for each worker: one that is looked at, and the next ones waiting."""
_CONNECT_S = 10
_RETRIES = 2


class WorkersError(ValueError):
    """Workers that can't be had, or that died. The message says why and what to do."""


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

        `tell(done)` follows each. When it raises (so that the work stops), or Ctrl-C comes, what the threads are at is
        still taken: nothing that was looked at is lost.
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
                    take(running[future], future.result())
                    done += len(running.pop(future))
                    tell(done)
        except BaseException:
            started = [future for future in running if not future.cancel()]
            for future in wait(started).done:
                if future.exception() is None:
                    take(running[future], future.result())
            raise


def measure_spans(spans: list[Span]) -> list[ClipMeasurements | Unreadable]:
    """Each clip measured: what a worker does with a batch."""
    return [measure(Path(path), offset_s, length_s) for path, offset_s, length_s in spans]


def measure_spans_with_pitch(spans: list[Span]) -> list[tuple[ClipMeasurements | Unreadable, float | None]]:
    """Each clip measured, its pitch in the same decode."""
    return [measure_with_pitch(Path(path), offset_s, length_s) for path, offset_s, length_s in spans]


def pitch_of_spans(spans: list[Span]) -> list[float | None]:
    """Each clip's median pitch in Hz; None where there is none, or no clip."""
    return [_pitch(Path(path), offset_s, length_s) for path, offset_s, length_s in spans]


def _pitch(path: Path, offset_s: float, length_s: float | None) -> float | None:
    try:
        return median_pitch(*load_clip(path, offset_s=offset_s, length_s=length_s))
    except AudioError:  # it could be read a moment ago: the next inspection tells that the file has changed
        return None


@contextmanager
def threads(jobs: int) -> Iterator[Workers]:
    """`jobs` threads: decoding and Fourier transforms let go of Python's lock."""
    with ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="inspect") as pool:
        yield Workers(pool, jobs)


@contextmanager
def dask_workers(address: str, folder: Path) -> Iterator[Workers]:
    """The workers of a dask.distributed scheduler, at `address` (`tcp://host:8786`) or named by its scheduler file.

    Each has to see the dataset under the same path, and to import this same piper_core. What a lost worker was at, the
    others do. Raises WorkersError.
    """
    try:
        from distributed import Client, KilledWorker
    except ImportError:
        raise WorkersError(
            "dask.distributed is not installed; install it with: pip install distributed (or inspect without --dask)."
        ) from None
    where = {"scheduler_file": address} if Path(address).is_file() else {"address": address}
    try:
        client = Client(**where, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:  # TimeoutError is an OSError
        raise WorkersError(
            f"There is no dask scheduler at {address} ({error}); start one with: dask scheduler."
        ) from None
    with client:
        slots = sum(client.nthreads().values())
        if not slots:
            raise WorkersError(
                f"The dask scheduler at {address} has no workers; start some with: dask worker {address}"
            )
        _check_workers(client, folder)
        try:
            yield Workers(client.get_executor(pure=False, retries=_RETRIES), slots)
        except KilledWorker as error:
            raise WorkersError(f"The dask workers died over the same clips again and again. {error}") from None


def _check_workers(client: Any, folder: Path) -> None:
    try:
        said = client.run(_what_a_worker_has, str(folder))
    except ImportError as error:
        raise WorkersError(
            f"A dask worker can't import what it needs ({error}); install the project's requirements there, and start"
            " it in the project's folder with PYTHONPATH=. set."
        ) from None
    for worker, (version, sees, hears) in said.items():
        if version != MEASURE_VERSION:
            raise WorkersError(f"The dask worker {worker} measures with another version of Piper Studio; update it.")
        if not sees:
            raise WorkersError(f"The dask worker {worker} sees no {folder}; mount it there under that very path.")
        if not hears:
            raise WorkersError(f"librosa is not installed for the dask worker {worker} (pip install librosa).")


def _what_a_worker_has(folder: str) -> tuple[int, bool, bool]:
    return MEASURE_VERSION, Path(folder).is_dir(), has_librosa()
