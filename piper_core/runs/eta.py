"""How long a run still takes, from when it was at which step. Pure.

A run's time goes to ordinary steps, whose speed is steady but noisy, and to pauses that come again: validation,
checkpoints, samples. They are estimated apart, because a tenth of a run holds many steps but few pauses: a plain
average is off by whole pauses. The first, slow steps (warm-up) are left out. Where the speed has changed beyond its
noise, that of the recent half of what was seen counts.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

Sample = tuple[float, int]
"""(time_s, step): the run reached `step` at `time_s`, on a clock that stands still while the user pauses the run."""

PAUSE_FACTOR = 2.5
"""An interval this many times as long as an ordinary one of as many steps holds a pause."""
WARM_UP_FACTOR = 1.25
"""Steps before the first that is no slower than this times the ordinary are warm-up."""
SAME_PAUSE_FACTOR = 2.0
"""Pauses whose lengths, sorted, never jump by more than this factor are of one kind."""
CHANGED_ERRORS = 3.0
"""Standard errors that the recent speed must be off for a change."""
LEAST_SAMPLES = 4
MOST_SAMPLES = 2048
"""Kept by a StepClock."""
LEAST_SPREAD = 0.03
"""The bounds are never closer than this share: machines do change their mind."""


@dataclass(frozen=True)
class Eta:
    """What is left of a run. All None while too little has been seen."""

    minutes: float | None = None
    low_minutes: float | None = None
    high_minutes: float | None = None
    steps_per_second: float | None = None
    """Of ordinary steps, pauses left out."""


@dataclass(frozen=True)
class _Interval:
    start_step: int
    steps: int
    seconds: float

    @property
    def pace(self) -> float:
        """Seconds a step."""
        return self.seconds / self.steps


def estimate(samples: Sequence[Sample], total_steps: int, now: float) -> Eta:
    """The minutes that are left at `now` until `total_steps`, from `samples` in the order they came.

    `now` is on the samples' clock. Bounds are about 90 % where speed stays as it was.
    """
    if not samples or samples[-1][1] >= total_steps:
        return Eta(0.0, 0.0, 0.0, None) if samples else Eta()
    intervals = _intervals(samples)
    if len(intervals) < LEAST_SAMPLES - 1:
        return Eta()
    usual = _without_warm_up(intervals)
    pace = _ordinary_pace(usual)
    last_time, last_step = samples[-1]
    steps_left = total_steps - last_step
    pauses_s, one_more_s = _pauses_left(usual, pace, last_step, total_steps)
    left_s = steps_left * pace + pauses_s
    # Since the last sample time has gone by; a pause may be under way, which the estimate holds already.
    gone_s = min(max(0.0, now - last_time), one_more_s + pace)
    spread = _spread(usual, pace)
    low_s = left_s * (1 - spread) - one_more_s / 2 - gone_s
    high_s = left_s * (1 + spread) + one_more_s / 2 - gone_s
    return Eta(
        minutes=max(0.0, left_s - gone_s) / 60,
        low_minutes=max(0.0, low_s) / 60,
        high_minutes=max(0.0, high_s) / 60,
        steps_per_second=1 / pace,
    )


def _intervals(samples: Sequence[Sample]) -> list[_Interval]:
    """Between neighbouring samples with progress; time without progress goes to the next that has some."""
    intervals = []
    time_s, step = samples[0]
    for next_time, next_step in samples[1:]:
        if next_step > step and next_time > time_s:
            intervals.append(_Interval(step, next_step - step, next_time - time_s))
            time_s, step = next_time, next_step
    return intervals


def _without_warm_up(intervals: list[_Interval]) -> list[_Interval]:
    """From the first interval of ordinary pace on; at least three quarters of them."""
    ordinary = statistics.median(interval.pace for interval in intervals)
    most = len(intervals) // 4
    for index, interval in enumerate(intervals[:most]):
        if interval.pace <= WARM_UP_FACTOR * ordinary:
            return intervals[index:]
    return intervals[most:]


def _ordinary_pace(intervals: list[_Interval]) -> float:
    """Seconds a step without pauses: of all, or of the recent half where it has changed beyond chance."""
    median = statistics.median(interval.pace for interval in intervals)
    plain = [interval for interval in intervals if interval.pace <= PAUSE_FACTOR * median]
    half = intervals[len(intervals) // 2 :]
    recent_median = statistics.median(interval.pace for interval in half)
    recent = [interval for interval in half if interval.pace <= PAUSE_FACTOR * recent_median]
    pace, recent_pace = _mean_pace(plain), _mean_pace(recent)
    if len(recent) < 3:
        return pace
    chance = statistics.stdev(interval.pace for interval in recent) / math.sqrt(len(recent))
    return recent_pace if abs(recent_pace - pace) > CHANGED_ERRORS * chance else pace


def _mean_pace(intervals: list[_Interval]) -> float:
    return sum(interval.seconds for interval in intervals) / sum(interval.steps for interval in intervals)


def _pauses_left(intervals: list[_Interval], pace: float, last_step: int, total_steps: int) -> tuple[float, float]:
    """Seconds that pauses will still take, and those of one pause more or less."""
    extra = [
        (interval.seconds - interval.steps * pace, interval.start_step + interval.steps)
        for interval in intervals
        if interval.pace > PAUSE_FACTOR * pace
    ]
    seconds, longest_s = 0.0, 0.0
    for kind in _kinds(extra):
        length_s = statistics.fmean(excess_s for excess_s, _ in kind)
        steps = sorted(step for _, step in kind)
        if len(steps) > 1:
            period = (steps[-1] - steps[0]) / (len(steps) - 1)
        else:  # seen once: as long as it took to come, or longer when it has not come again since
            period = max(steps[0] - intervals[0].start_step, last_step - steps[0])
        seconds += length_s * math.floor((total_steps - steps[-1]) / max(period, 1.0) + 1e-6)
        longest_s = max(longest_s, length_s)
    return seconds, longest_s


def _kinds(extra: list[tuple[float, int]]) -> list[list[tuple[float, int]]]:
    """The pauses (excess seconds, step) in groups of like length: each kind comes at its own period."""
    kinds: list[list[tuple[float, int]]] = []
    for pause in sorted(extra):
        if kinds and pause[0] <= SAME_PAUSE_FACTOR * kinds[-1][-1][0]:
            kinds[-1].append(pause)
        else:
            kinds.append([pause])
    return kinds


def _spread(intervals: list[_Interval], pace: float) -> float:
    """How far off, as a share, the pace of the rest may be: from how much it differed between stretches so far."""
    plain = [interval for interval in intervals if interval.pace <= PAUSE_FACTOR * pace]
    count = min(8, len(plain) // 2)
    if count < 2:
        return 0.5
    blocks = [plain[index * len(plain) // count : (index + 1) * len(plain) // count] for index in range(count)]
    paces = [_mean_pace(block) for block in blocks]
    return max(LEAST_SPREAD, 1.645 * statistics.stdev(paces) / pace / math.sqrt(count))


class StepClock:
    """The samples for `estimate`, a few thousand however long the run, on a clock that stands still while paused.

    For one thread. Begin it when the first step begins: preparing is no part of it.
    """

    def __init__(self, time_s: float, step: int) -> None:
        self._paused_s = 0.0
        self._paused_at: float | None = None
        self._samples: list[Sample] = [(time_s, step)]

    def add(self, time_s: float, step: int) -> None:
        """The run reached `step` at `time_s`."""
        self._samples.append((self.now(time_s), step))
        if len(self._samples) > MOST_SAMPLES:
            # The older half loses every other one: neighbours become one longer interval, pauses stay in it.
            half = MOST_SAMPLES // 2
            self._samples = self._samples[:half:2] + self._samples[half:]

    def pause(self, time_s: float) -> None:
        """The user's pause begins."""
        if self._paused_at is None:
            self._paused_at = time_s

    def go_on(self, time_s: float) -> None:
        """The user's pause ends."""
        if self._paused_at is not None:
            self._paused_s += time_s - self._paused_at
            self._paused_at = None

    def now(self, time_s: float) -> float:
        """`time_s` less all time paused."""
        return (time_s if self._paused_at is None else self._paused_at) - self._paused_s

    def estimate(self, total_steps: int, time_s: float) -> Eta:
        """See the function of this name; `time_s` is of the same clock as those that were added."""
        return estimate(self._samples, total_steps, self.now(time_s))
