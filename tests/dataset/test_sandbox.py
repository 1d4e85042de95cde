"""Limits that are moved: what they cost, told from numbers whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from piper_core.dataset import clip_columns
from piper_core.dataset.checks import CHECKS, LIMITS, limits_of, moved
from piper_core.dataset.clip_columns import Columns
from piper_core.dataset.limits import in_force
from piper_core.dataset.sandbox import borderline, loss_of, losses, phoneme_kinds, together

SECONDS = [0.3, 1.0, 5.0, 12.0, 14.0, 16.0, 20.0, 700.0]


def columns_of(**measured: list[float | None]) -> Columns:
    size = len(next(iter(measured.values())))
    rows = {"utterance_id": [f"c{i}" for i in range(size)], "text": ["A text."] * size, **measured}
    return clip_columns.of_rows(rows, 22050)


def test_each_limit_costs_its_clips_and_all_cost_each_once() -> None:
    columns = columns_of(duration_s=SECONDS, clipped_runs=[0, 0, 3, 0, 0, 3, 0, 0], phoneme_count=[10.0] * 8)
    found = losses(columns)
    assert {one.limit.key: one.loss.clips.tolist() for one in found.by_limit} == {
        "duration-short": [0],
        "duration-uncut": [7],
        "duration-long": [5, 6],
        "clipping": [2, 5],
    }
    assert found.in_all.clips.tolist() == [0, 2, 5, 6, 7]
    assert found.in_all.duration_s == pytest.approx(0.3 + 5 + 16 + 20 + 700)
    assert found.in_all.phoneme_count == 50
    stricter = losses(columns, moved({"duration-long": 10, "clipping": None}))
    assert stricter.in_all.clips.tolist() == [0, 3, 4, 5, 6, 7]
    errors = losses(columns, severities=("error",))
    assert errors.in_all.clips.tolist() == [0, 7]


def test_phonemes_that_no_other_clip_holds_are_named() -> None:
    columns = columns_of(duration_s=SECONDS)
    kinds = phoneme_kinds(["ab", "a b.", "b", "a", "ab", "ʒa", "ʒ", ("θ", "a")])
    assert kinds.names == ("a", "b", "ʒ", "θ"), "spaces and stops are no sounds"
    found = losses(columns, kinds=kinds)
    assert found.in_all.last_phonemes == ("ʒ", "θ")
    assert {one.limit.key: one.loss.last_phonemes for one in found.by_limit} == {
        "duration-short": (),
        "duration-uncut": ("θ",),
        "duration-long": ("ʒ",),
    }


def test_limits_that_are_moved_together_cost_each_clip_once() -> None:
    columns = columns_of(duration_s=SECONDS, clipped_runs=[0, 0, 3, 0, 0, 3, 0, 0], phoneme_count=[10.0] * 8)
    limits = limits_of(moved({"duration-long": 13, "clipping": 2, "noise": None}))
    loss = together(columns, (limits[key] for key in ("duration-long", "clipping", "noise", "set-minutes")))
    assert loss.clips.tolist() == [2, 4, 5, 6, 7]
    assert (loss.duration_s, loss.phoneme_count) == (5 + 14 + 16 + 20 + 700, 50)
    assert together(columns, ()).clips.size == 0


def test_phonemes_are_told_by_how_much_of_theirs_is_lost() -> None:
    columns = columns_of(duration_s=SECONDS[:4])
    kinds = phoneme_kinds(["a" * 30 + "b", "a" * 10 + "b.", "ʒ" * 19, "ʒ" * 5 + "θ"])
    loss = loss_of(np.array([0, 3]), columns, kinds)
    assert [(one.name, one.lost, one.of, one.gets_rare) for one in loss.phonemes] == [
        ("θ", 1, 1, False),
        ("a", 30, 40, True),
        ("b", 1, 2, False),
        ("ʒ", 5, 24, True),
    ]
    assert loss.last_phonemes == ("θ",)


def test_the_nearest_clips_of_both_sides_are_there_to_hear() -> None:
    columns = columns_of(duration_s=SECONDS)
    outside, inside = borderline(columns, LIMITS["duration-long"], 2)
    assert (outside.tolist(), inside.tolist()) == ([5, 6], [4, 3])
    off = limits_of(moved({"duration-long": None}))["duration-long"]
    assert [side.size for side in borderline(columns, off)] == [0, 0]


def test_a_limit_without_a_standard_follows_the_set_until_it_is_moved() -> None:
    level = np.random.default_rng(0).normal(-20, 3, 1000).tolist()
    columns = columns_of(duration_s=[3.0] * 1000, loudness_lufs=level)
    off = columns["loudness_off_lu"]
    half = 0.674 * 3  # from the middle of a normal distribution to its quartile
    assert in_force(LIMITS["loudness-loud"], off) == pytest.approx(half + 3 * 2 * half, rel=0.1)
    mixed = np.concatenate([off[:900], off[900:] + 15])
    assert in_force(LIMITS["loudness-loud"], mixed) < 17, "a tenth of clips that are odd hide one another hardly"
    assert in_force(LIMITS["loudness-loud"], off / 100) == 6, "at least"
    by_hand = limits_of(moved({"loudness-loud": 4}))["loudness-loud"]
    assert in_force(by_hand, off) == 4
    assert CHECKS["loudness"].limits[1].value in (-6, 6), "the table itself stays"
    with pytest.raises(ValueError, match="no limit 'loud'"):
        moved({"loud": 4})


def test_no_clip_is_odd_among_a_few() -> None:
    columns = columns_of(duration_s=[3.0] * 5, loudness_lufs=[-20.0, -20, -20, -20, -5], pitch_hz=[200.0] * 4 + [90])
    assert np.isnan(columns["loudness_off_lu"]).all()
    assert losses(columns).in_all.clips.size == 0


def test_missing_measures_cross_nothing() -> None:
    columns = columns_of(duration_s=[None, 3.0], sample_rate=[None, 22050])
    assert losses(columns).in_all.clips.size == 0
