"""Where doubt begins in a set: its own limit, and costs on the scale that all sets share."""

from __future__ import annotations

import numpy as np
import pytest

from piper_core.dataset.audit_calibration import DOUBTFUL, UNRELATED, calibrated, limit_of
from piper_core.dataset.checks import CHECKS, limits_of

RNG = np.random.default_rng(0)
FOREIGN = RNG.normal(1.1, 0.35, 400)


def right(middle: float, count: int = 400) -> np.ndarray:
    return RNG.normal(middle, 0.4, count)


def test_the_shared_limits_are_those_of_the_checks() -> None:
    limits = limits_of(CHECKS)
    assert limits["transcript-mismatch"].value == DOUBTFUL
    assert limits["transcript-unrelated"].value == UNRELATED


def test_a_quiet_set_keeps_the_shared_limit() -> None:
    assert limit_of(list(right(-3)), list(FOREIGN)) == DOUBTFUL


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 0.8])
def test_a_noisy_set_has_its_own_between_right_and_wrong_texts_however_many_are_wrong(share: float) -> None:
    wrong = RNG.normal(1.1, 0.35, round(share * 400))
    own = right(-1, 400 - len(wrong))
    limit = limit_of([*own, *wrong], list(FOREIGN))
    assert DOUBTFUL < limit < UNRELATED
    assert np.mean(own > limit) < 0.03 < np.mean(own > DOUBTFUL)
    assert not len(wrong) or np.mean(wrong > limit) > 0.98


def test_right_texts_among_the_foreign_ones_do_not_hide_wrong_ones() -> None:
    wrong = RNG.normal(1.1, 0.35, 200)
    mixed = [*FOREIGN[:320], *right(-1, 80)]
    limit = limit_of([*right(-1, 200), *wrong], mixed)
    assert np.mean(wrong > limit) > 0.98


def test_it_stays_the_shared_one_where_nothing_is_right_or_too_little_is_known() -> None:
    assert limit_of(list(RNG.normal(1.1, 0.35, 400)), list(FOREIGN)) == DOUBTFUL
    assert limit_of(list(right(-1, 29)), list(FOREIGN)) == DOUBTFUL
    assert limit_of(list(right(-1)), []) == DOUBTFUL


def test_costs_are_moved_in_order_and_those_of_unrelated_texts_stay() -> None:
    costs = np.linspace(-4, 4, 801)
    moved = np.array([calibrated(cost, 0.1) for cost in costs])
    assert (np.diff(moved) > 0).all()
    assert np.diff(moved).max() < 0.03  # no leap
    assert calibrated(0.1, 0.1) == pytest.approx(DOUBTFUL)
    assert np.array_equal(moved[costs >= UNRELATED], costs[costs >= UNRELATED])
    assert [calibrated(cost, DOUBTFUL) for cost in costs] == list(costs)
