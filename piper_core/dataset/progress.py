"""How far an inspection is, and what it knows so far: told seldom enough to cost little."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from piper_core.dataset.report import DatasetReport

Stage = Literal["headers", "signal", "texts", "pitch", "audit"]
PROGRESS_EVERY_S = 0.1
PARTIAL_EVERY_S = 2.0
PARTIAL_SHARE = 0.05
"""Of the time goes at most into telling what is known so far."""


@dataclass(frozen=True)
class InspectionProgress:
    """How far an inspection is."""

    done: int
    """Clips looked at in this stage."""
    total: int
    remaining_s: float
    """Seconds left of this stage at the pace so far."""
    stage: Stage = "signal"


@dataclass(frozen=True)
class PartialInspection:
    """What is known while an inspection runs."""

    stage: Stage
    done: int
    total: int
    make_report: Callable[[], DatasetReport]

    @cached_property
    def report(self) -> DatasetReport:
        """Made when it is first asked for, of what is known then: who does not look pays nothing. Clips that were not
        heard yet have their header alone."""
        return self.make_report()


class Telling:
    """Tells how far an inspection is and what it knows, seldom enough to cost little."""

    def __init__(
        self,
        total: int,
        report: Callable[[], DatasetReport],
        on_progress: Callable[[InspectionProgress], None] | None,
        on_partial: Callable[[PartialInspection], None] | None,
    ) -> None:
        self._total = total
        self._report = report
        self._on_progress = on_progress
        self._on_partial = on_partial
        self._told = self._partial_due = -math.inf

    def begin(self, stage: Stage, known: int) -> None:
        """A stage in which `known` clips need no look."""
        self._stage, self._known, self._done = stage, known, known
        self._started = time.monotonic()
        self._partial_due = max(self._partial_due, self._started + PARTIAL_EVERY_S)
        if known == self._total:
            self.progress(0)

    def progress(self, looked_at: int) -> None:
        """So many clips of this stage were looked at just now."""
        self._done = self._known + looked_at
        now = time.monotonic()
        if self._on_progress is None or (now - self._told < PROGRESS_EVERY_S and self._done < self._total):
            return
        self._told = now
        left = self._total - self._done
        remaining_s = (now - self._started) / looked_at * left if looked_at else 0.0
        self._on_progress(InspectionProgress(self._done, self._total, remaining_s, self._stage))

    def tell(self, looked_at: int) -> None:
        """Both: so many clips were looked at, and what is known by now, when it is time."""
        self.progress(looked_at)
        self.partial()

    def partial(self, now: bool = False) -> DatasetReport | None:
        """What is known by now, when it is time and somebody wants to know; `now`, for the caller too."""
        started = time.monotonic()
        if self._on_partial is None or (started < self._partial_due and not now):
            return None
        known = PartialInspection(self._stage, self._done, self._total, self._report)
        self._on_partial(known)
        ended = time.monotonic()
        self._partial_due = ended + max(PARTIAL_EVERY_S, (ended - started) / PARTIAL_SHARE)
        return known.report if now else None
