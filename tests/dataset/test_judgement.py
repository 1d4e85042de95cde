"""Limits that are moved after an inspection: judged again without a decode, as if they had held from the start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from piper_core.dataset import inspection
from piper_core.dataset.checks import CHECKS, LIMITS, moved
from piper_core.dataset.comparison import compare, read_report
from piper_core.dataset.judgement import judge_again
from piper_core.dataset.moved_limits import known, moved_limits, written
from piper_core.dataset.report import DatasetReport, write_html, write_json

MOVES: dict[str, float | None] = {
    "duration-short": 2.0, "duration-long": 4.0, "noise": 60.0, "edge-silence": None, "silent": -30.0,
    "sample-rate": 16000.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def report(demo_with_defects: Path) -> DatasetReport:
    return inspection.inspect(demo_with_defects, pitch=False)


def test_judged_again_is_as_if_the_limits_had_held_from_the_start(
    report: DatasetReport, demo_with_defects: Path
) -> None:
    again = judge_again(report, moved(MOVES))
    from_the_start = inspection.inspect(demo_with_defects, pitch=False, checks=moved(MOVES))
    assert again.to_dict() == from_the_start.to_dict()
    assert again.summary != report.summary
    assert judge_again(again, CHECKS).to_dict() == report.to_dict(), "and back"


def test_an_error_by_a_moved_limit_makes_a_clip_unusable(report: DatasetReport) -> None:
    short = sorted(row.duration_s for row in report.utterances if row.usable and row.duration_s is not None)
    middle = short[len(short) // 2]
    again = judge_again(report, moved({"duration-short": middle}))
    assert again.summary.usable < report.summary.usable
    for row in again.utterances:
        assert row.duration_s is None or row.duration_s >= middle or (not row.usable and "duration" in row.codes)
    (threshold,) = {finding.threshold for finding in again.findings if finding.limit == "duration-short"}
    assert threshold == middle


def test_the_report_says_which_limits_held(report: DatasetReport, tmp_path: Path) -> None:
    again = judge_again(report, moved({"duration-long": 12, "noise": None}))
    assert "Limit moved: duration-long: 12 s instead of 15 s\n" in again.summary_text() + "\n"
    assert "Limit moved" not in report.summary_text()
    write_json(report, tmp_path / "before.json")
    write_json(again, tmp_path / "after.json")
    held = json.loads((tmp_path / "after.json").read_text())["limits"]
    assert set(held) == set(LIMITS)
    assert (held["duration-long"]["value"], held["duration-long"]["default"]) == (12, 15)
    assert [key for key, limit in held.items() if limit["moved"]] == ["duration-long", "noise"]
    assert (held["noise"]["value"], held["pitch-high"]["fence_iqr"]) == (None, 2.25)
    compare(read_report(tmp_path / "before.json"), read_report(tmp_path / "after.json"))
    write_html(again, tmp_path / "after.html")
    assert "noise: off instead of 20 dB" in (tmp_path / "after.html").read_text()


def test_limits_are_read_as_a_person_writes_them() -> None:
    assert written(["duration-long=12", " noise = OFF ", "loudness-quiet=-8.5", "duration-long=9"]) == {
        "duration-long": 9.0, "noise": None, "loudness-quiet": -8.5,
    }  # fmt: skip
    for wrong, told in (
        ("duration-long", "write a limit and its value"),
        ("duration=12", "has several limits; name one of duration-short, duration-uncut, duration-long"),
        ("unreadable=1", "has no limit that could be moved"),
        ("duration-lng=12", "did you mean duration-long"),
        ("noise=loud", "'loud' is no number; write one in dB, or off"),
        ("noise=nan", "is no number"),
    ):
        with pytest.raises(ValueError, match=told) as refused:
            written([wrong])
        assert wrong in str(refused.value)


def test_what_the_set_itself_suggests_is_told_of_a_limit_that_follows_it() -> None:
    (one,) = moved_limits(moved({"loudness-loud": 4}))
    assert one.words == "loudness-loud: 4 LU instead of 6 LU or what the set itself suggests"
    assert moved_limits(CHECKS) == ()
    assert known({"noise": 25.0, "of another version": 1.0}) == {"noise": 25.0}
