"""Who looks at the clips: processes of our own, which may die of a clip without taking anybody along.

Batches go out, results come back as they are ready. A thread for each core would not do: between the loops that let go
of Python's lock, threads wait for each other for a quarter of the time on two cores, and for most of it on many.
"""

from __future__ import annotations

import functools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
MOST_IN_A_BATCH = 32
_AHEAD = 3
"""Batches under way for each worker: one that is looked at, and the next ones waiting."""
_IDLE_S = 30
"""A worker that has nothing to do for so long ends; it holds about 120 MB."""
_WATCH_S = 1.0
_NICE = 5
_ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


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
        died: Callable[[Item], Result],
    ) -> None:
        """`take(indices, results)` for every batch of `items`, in the calling thread and in the order they come.

        `tell(done)` follows each. When it raises (so that the work stops), or Ctrl-C comes, what the workers are at is
        still taken: nothing that was looked at is lost. When a process dies, what was under way is looked at again, an
        item at a time; for one that a process dies of then, `died` gives the result.
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
                suspects: list[int] = []
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    indices = running.pop(future)
                    try:
                        results = future.result()
                    except BrokenExecutor:
                        suspects += indices
                        continue
                    take(indices, results)
                    done += len(indices)
                    tell(done)
                for index in suspects:
                    take([index], [self._alone(look, items[index], died)])
                    done += 1
                    tell(done)
        except BaseException:
            started = [future for future in running if not future.cancel()]
            for future in wait(started).done:
                if future.exception() is None:
                    take(running[future], future.result())
            raise

    def _alone(self, look: Callable[[list[Item]], list[Result]], item: Item, died: Callable[[Item], Result]) -> Result:
        try:
            (result,) = self.executor.submit(look, [item]).result()
        except BrokenExecutor:
            try:
                self.executor.submit(look, []).result()
            except BrokenExecutor as error:
                raise WorkersError(
                    "The processes that look at the clips die as soon as they start, as they do when memory runs out;"
                    f" close other programs and inspect again. ({error})"
                ) from None
            return died(item)
        return result


class _Processes(Executor):
    """loky's worker processes, started anew when they broke down.

    They are no forks (another thread may hold any lock at that moment) and don't run this program's main module again;
    they import what a batch needs, once. Ctrl-C is ours to answer, not theirs.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._lock = threading.Lock()
        self._pool: Executor | None = None

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        with self._lock:
            self._pool = self._pool or self._start()
            try:
                with _interrupts_held():
                    return self._pool.submit(fn, *args, **kwargs)
            except BrokenExecutor:
                self._pool = self._start()
                with _interrupts_held():
                    return self._pool.submit(fn, *args, **kwargs)

    def _start(self) -> Executor:
        try:
            from multiprocessing import resource_tracker

            from loky import ProcessPoolExecutor

            resource_tracker.ensure_running()  # later, it would let interrupts in again while a worker starts
            pool: Executor = ProcessPoolExecutor(
                self._jobs, timeout=_IDLE_S, env=_ONE_THREAD, initializer=_settle, initargs=(os.getpid(),)
            )
        except (ImportError, OSError):  # no loky, or a system without semaphores
            return ThreadPoolExecutor(self._jobs, thread_name_prefix="inspect")
        return pool


def _settle(parent: int) -> None:
    """Leave Ctrl-C to the parent, let pages and people go first, and end soon after the parent, whatever ended it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICE)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_S)
        os._exit(1)

    threading.Thread(target=watch, name="follow", daemon=True).start()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """A process that is started here sees no Ctrl-C, not even before `_settle`; we do, a moment later."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def processes(jobs: int) -> Iterator[Workers]:
    """`jobs` processes, started when they are needed and kept for the next inspection as long as `_IDLE_S`.

    Threads where loky is not installed, or a system lets us have no processes.
    """
    yield Workers(_kept_processes(jobs), jobs)


@functools.cache
def _kept_processes(jobs: int) -> _Processes:
    return _Processes(jobs)


@contextmanager
def threads(jobs: int) -> Iterator[Workers]:
    """`jobs` threads of this process: decoding and Fourier transforms let go of Python's lock."""
    with ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="inspect") as pool:
        yield Workers(pool, jobs)
