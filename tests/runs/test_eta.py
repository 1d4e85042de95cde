"""How long a run still takes: within 10 % at a tenth of it, on simulated runs whose end is known."""

from __future__ import annotations

import math
import random
import statistics
from dataclasses import dataclass

import pytest

from piper_core.runs.eta import MOST_SAMPLES, Eta, StepClock, estimate


@dataclass(frozen=True)
class Simulated:
    """A run: seconds a step with log-normal noise, slow first steps, and pauses (every n steps, seconds)."""

    steps: int
    pace_s: float
    noise: float = 0.2
    warm_up: float = 0.0
    pauses: tuple[tuple[int, float], ...] = ()

    def times(self, seed: int) -> list[float]:
        """When each step was done, from step 0."""
        rng = random.Random(seed)
        now, times = 5000.0, [5000.0]
        for step in range(1, self.steps + 1):
            now += self.pace_s * rng.lognormvariate(-(self.noise**2) / 2, self.noise)
            now += self.pace_s * self.warm_up * math.exp(-step / 3)
            now += sum(length * rng.uniform(0.85, 1.15) for every, length in self.pauses if step % every == 0)
            times.append(now)
        return times


RUNS = {
    "steady": Simulated(1000, 0.5, 0.05),
    "noisy": Simulated(1000, 0.5, 0.4),
    "slow warm-up": Simulated(1000, 0.5, 0.2, warm_up=20),
    "validation": Simulated(1000, 0.5, 0.2, pauses=((40, 10.0),)),
    "two validations seen": Simulated(3000, 0.2, 0.1, warm_up=5, pauses=((130, 30.0),)),
    "validation and checkpoints": Simulated(2000, 1.0, 0.2, warm_up=10, pauses=((75, 60.0), (20, 5.0))),
    "long": Simulated(30_000, 0.05, 0.3, warm_up=20, pauses=((700, 20.0),)),
    "slow steps": Simulated(300, 6.0, 0.1, warm_up=3, pauses=((12, 40.0),)),
}


@pytest.mark.parametrize("name", RUNS)
def test_within_ten_percent_at_a_tenth_of_the_run(name: str) -> None:
    run, errors, covered = RUNS[name], [], []
    for seed in range(20):
        times = run.times(seed)
        seen = run.steps // 10 + seed * run.steps // 400
        clock = StepClock(times[0], 0)
        for step in range(1, seen + 1):
            clock.add(times[step], step)
        eta = clock.estimate(run.steps, times[seen])
        true_minutes = (times[-1] - times[seen]) / 60
        assert eta.minutes is not None
        assert eta.low_minutes is not None
        assert eta.high_minutes is not None
        assert eta.low_minutes <= eta.minutes <= eta.high_minutes
        assert eta.steps_per_second == pytest.approx(1 / run.pace_s, rel=0.15)
        errors.append(abs(eta.minutes - true_minutes) / true_minutes)
        covered.append(eta.low_minutes <= true_minutes <= eta.high_minutes)
    assert statistics.quantiles(errors, n=10)[-1] < 0.10, errors  # nine runs of ten
    assert statistics.median(errors) < 0.05, errors
    assert sum(covered) >= 14, covered


def test_the_plain_average_would_not_do() -> None:
    """That the test above can fail: elapsed time over share done is off by more, for pauses and warm-up."""
    run, errors = RUNS["two validations seen"], []
    for seed in range(20):
        times = run.times(seed)
        seen = run.steps // 10 + seed * run.steps // 400
        true_s = times[-1] - times[seen]
        errors.append(abs((times[seen] - times[0]) / seen * (run.steps - seen) - true_s) / true_s)
    assert statistics.quantiles(errors, n=10)[-1] > 0.10


def test_nothing_is_said_before_something_is_known() -> None:
    assert estimate([], 100, 0.0) == Eta()
    assert estimate([(0.0, 0)], 100, 5.0) == Eta()
    assert estimate([(0.0, 0), (1.0, 1)], 100, 5.0) == Eta()


def test_a_run_that_is_done_takes_nothing_more() -> None:
    samples = [(float(step), step) for step in range(101)]
    assert estimate(samples, 100, 100.0).minutes == 0.0
    assert estimate(samples, 50, 100.0).minutes == 0.0


def test_the_estimate_counts_down_between_two_samples() -> None:
    samples = [(step * 10.0, step) for step in range(20)]
    minutes = [estimate(samples, 100, 190.0 + waited).minutes for waited in (0, 5, 10)]
    assert minutes == pytest.approx([81 * 10 / 60, (810 - 5) / 60, (810 - 10) / 60])
    # But not for ever: without a sample the run has not gone on.
    assert estimate(samples, 100, 190.0 + 4000).minutes > 12  # type: ignore[operator]


def test_a_machine_that_became_slower_is_followed() -> None:
    fast, slow = [(step * 1.0, step) for step in range(100)], [(100.0 + step * 3.0, 100 + step) for step in range(300)]
    eta = estimate(fast + slow, 1000, slow[-1][0])
    assert eta.minutes == pytest.approx(601 * 3 / 60, rel=0.05)


def test_the_users_pause_does_not_count() -> None:
    run = RUNS["steady"]
    times = run.times(1)
    straight, paused = StepClock(times[0], 0), StepClock(times[0], 0)
    for step in range(1, 200):
        straight.add(times[step], step)
        if step == 150:
            paused.pause(times[149])
            paused.pause(times[149] + 1800)  # said twice
            paused.go_on(times[149] + 3600)
        paused.add(times[step] + (3600 if step >= 150 else 0), step)
    expected = straight.estimate(1000, times[199])
    assert paused.estimate(1000, times[199] + 3600).minutes == pytest.approx(expected.minutes)
    paused.pause(times[199] + 3600)
    assert paused.estimate(1000, times[199] + 9999).minutes == pytest.approx(expected.minutes)  # it stands still


def test_a_clock_stays_small_and_right_over_a_long_run() -> None:
    run = RUNS["long"]
    times = run.times(3)
    clock = StepClock(times[0], 0)
    for step in range(1, 15_001):
        clock.add(times[step], step)
    assert len(clock._samples) <= MOST_SAMPLES
    assert clock._samples[-1][1] == 15_000
    assert clock.estimate(run.steps, times[15_000]).minutes == pytest.approx((times[-1] - times[15_000]) / 60, rel=0.05)


def test_a_resumed_run_begins_its_clock_at_its_step() -> None:
    clock = StepClock(100.0, 5000)
    for step in range(1, 100):
        clock.add(100.0 + 2.0 * step, 5000 + step)
    assert clock.estimate(6000, 298.0).minutes == pytest.approx(901 * 2 / 60, rel=0.01)
