"""Work on a pool of threads whose results come as they are made, and that can be stopped between any two."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")

LOOK_EVERY_S = 0.2
"""How often a request to stop is looked for while no result comes."""


@dataclass(frozen=True)
class _Ended:
    error: BaseException | None


def streamed(
    jobs: int,
    work: Callable[[Part], Iterable[Result]],
    parts: Sequence[Part],
    should_stop: Callable[[], bool],
) -> Iterator[Result]:
    """What `work` yields for each of `parts`, on `jobs` threads, in the order it comes.

    Ends early once `should_stop` says so, as soon as each thread has come to its next result. An error of `work` ends
    it too and is raised here.
    """
    results: queue.SimpleQueue[Result | _Ended] = queue.SimpleQueue()
    stopping = False

    def run(part: Part) -> None:
        try:
            for result in () if stopping else work(part):
                results.put(result)
                if stopping:
                    break
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
            results.put(_Ended(error))
        else:
            results.put(_Ended(None))

    with ThreadPoolExecutor(jobs, thread_name_prefix="features") as pool:
        try:
            for part in parts:
                pool.submit(run, part)
            left = len(parts)
            while left and not should_stop():
                try:
                    result = results.get(timeout=LOOK_EVERY_S)
                except queue.Empty:
                    continue
                if not isinstance(result, _Ended):
                    yield result
                elif result.error is not None:
                    raise result.error
                else:
                    left -= 1
        finally:
            stopping = True
