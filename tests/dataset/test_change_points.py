"""Steps in a measurement: planted ones are found to within a few clips, and shuffled real speech has none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from piper_core.dataset.change_points import change_points
from piper_core.dataset.inspection import inspect


@pytest.fixture(scope="module")
def loudness_lufs(kathleen: Path) -> np.ndarray:
    """Of 500 real clips, in their order."""
    rows = inspect(kathleen).to_dict()["utterances"]
    return np.array([row["loudness_lufs"] for row in rows], dtype=float)


def robust_sigma(values: np.ndarray) -> float:
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def test_shuffled_real_loudness_has_no_step(loudness_lufs: np.ndarray) -> None:
    rng = np.random.default_rng(7)
    assert not any(change_points(rng.permutation(loudness_lufs)) for _ in range(100))


@pytest.mark.parametrize(("sigmas", "at_least"), [(2.0, 0.8), (3.0, 0.95), (5.0, 1.0)])
def test_planted_steps_are_found_within_five_clips(loudness_lufs: np.ndarray, sigmas: float, at_least: float) -> None:
    rng = np.random.default_rng(11)
    tries, found = 40, 0
    for _ in range(tries):
        values, at = rng.permutation(loudness_lufs), int(rng.integers(40, 460))
        values[at:] += sigmas * robust_sigma(loudness_lufs)
        steps = change_points(values)
        found += len(steps) == 1 and abs(steps[0].index - at) <= 5
    assert found >= at_least * tries


def test_a_session_in_the_middle_has_two_edges_and_its_levels(loudness_lufs: np.ndarray) -> None:
    values = np.random.default_rng(3).permutation(loudness_lufs)
    values[200:260] -= 8
    up_and_down = change_points(values)
    assert [step.index for step in up_and_down] == pytest.approx([200, 260], abs=2)
    assert up_and_down[0].change == pytest.approx(-8, abs=1)
    assert up_and_down[1].change == pytest.approx(8, abs=1)
    assert up_and_down[0].sigmas < -2 < 2 < up_and_down[1].sigmas
    assert up_and_down[0].after == up_and_down[1].before


def test_the_last_clips_of_the_real_recording_are_louder_as_they_are(loudness_lufs: np.ndarray) -> None:
    last = change_points(loudness_lufs)[-1]
    assert last.index == pytest.approx(490, abs=3)
    assert last.change > 3


@pytest.mark.parametrize("count", [13_100, 100_000])
def test_steps_of_long_recordings_are_placed_to_the_clip(count: int) -> None:
    values = np.random.default_rng(5).normal(size=count)
    values[count // 3 :] += 3
    values[count // 2 : count // 2 + 900] -= 4
    found = [step.index for step in change_points(values)]
    assert found == pytest.approx([count // 3, count // 2, count // 2 + 900], abs=3)


def test_a_drift_of_one_sigma_and_single_outliers_are_no_step() -> None:
    rng = np.random.default_rng(9)
    values = rng.normal(size=600) + np.linspace(0, 1, 600)
    values[rng.integers(0, 600, 12)] += 40
    assert change_points(values) == []


def test_small_changes_are_left_out_by_their_unit() -> None:
    values = np.concatenate([np.zeros(50), np.full(50, 2.0)]) + np.random.default_rng(1).normal(0, 0.1, 100)
    assert len(change_points(values)) == 1
    assert change_points(values, least_change=3.0) == []


def test_gaps_keep_their_places() -> None:
    values = np.concatenate([np.zeros(60), np.ones(60)]) + np.random.default_rng(2).normal(0, 0.05, 120)
    values[10:50] = np.nan
    values[70] = np.inf
    assert [step.index for step in change_points(values)] == [60]


@pytest.mark.parametrize("values", [[], [1.0], [3.0] * 100, [np.nan] * 100, [1.0, 2.0] * 5])
def test_next_to_nothing_has_no_step(values: list[float]) -> None:
    assert change_points(values) == []


def test_a_step_without_any_noise() -> None:
    (step,) = change_points([1.0] * 40 + [5.0] * 40)
    assert (step.index, step.before, step.after) == (40, 1.0, 5.0)
