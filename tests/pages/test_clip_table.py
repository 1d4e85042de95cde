"""The clip table: rows from the report's dictionary, filters, kinds of findings; usable with 13,100 clips."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

import pytest

from pages.components.dataset.clip_table import (
    ClipFilter,
    clip_rows,
    filter_rows,
    findings_summary,
    in_order,
    severity_of_kinds,
    totals,
)
from pages.components.dataset.inspection_job import Inspected

if TYPE_CHECKING:
    from piper_core.dataset.report import DatasetReport


def _finding(code: str, severity: str, owner: str | None, row: int | None, message: str) -> dict[str, Any]:
    return {
        "code": code, "severity": severity, "utterance_id": owner, "path": None, "message": message, "value": 1.0,
        "threshold": 0.5, "unit": "s", "source": "a paper", "row": row, "clips": 1,
    }  # fmt: skip


def report(clips: int = 6) -> dict[str, Any]:
    """A report of the documented schema: clip 1 has an error and a warning, clip 2 a warning; most share a trait."""
    codes = {1: ["loudness", "silent"], 2: ["loudness"]}
    utterances = [
        {
            "utterance_id": f"clip-{i:05d}",
            "path": f"wavs/clip-{i:05d}.wav",
            "text": "The Quick fox" if i % 2 else "A lazy dog (here)",
            "speaker": "ann" if i % 3 else "bob",
            "usable": i != 1,
            "row": i + 1,
            "codes": [*codes.get(i, []), *(["channels"] if i == 5 else [])],
            "duration_s": 2.0,
            "sample_rate": 22050,
        }
        for i in range(clips)
    ]
    findings = [
        _finding("loudness", "warning", "clip-00002", 3, "loud"),
        _finding("loudness", "warning", "clip-00001", 2, "quiet"),
        _finding("silent", "error", "clip-00001", 2, "silent"),
        _finding("dataset-size", "warning", None, None, "small"),
        _finding("channels", "info", None, None, "most have two") | {"clips": 5},
    ]
    return {"schema_version": 1, "summary": {}, "findings": findings, "utterances": utterances}


def inspected(told: dict[str, Any]) -> Inspected:
    class Report:
        def to_dict(self) -> dict[str, Any]:
            return told

    return Inspected.of(cast("DatasetReport", Report()))


def test_rows_carry_their_findings_and_the_worst_of_them() -> None:
    rows = clip_rows(report())
    assert rows["findings"].tolist() == [["silent", "loudness"], ["loudness"], ["channels"], [], [], []]
    assert rows["utterance_id"].tolist() == [f"clip-0000{i}" for i in (1, 2, 5, 0, 3, 4)]
    assert rows["worst"].tolist() == ["error", "warning", "info", "none", "none", "none"]


def test_the_index_is_the_place_in_the_report_so_that_later_findings_move_no_clip() -> None:
    assert clip_rows(report()).index.tolist() == [1, 2, 5, 0, 3, 4]
    assert clip_rows(report() | {"findings": []}).index.tolist() == [0, 1, 2, 3, 4, 5]


def test_a_clip_has_its_own_findings_and_those_it_shares_with_most() -> None:
    seen = inspected(report())
    clips = [clip for _, clip in seen.rows.iterrows()]
    messages = [[finding["message"] for finding in seen.findings_of(clip)] for clip in clips[:4]]
    assert messages == [["quiet", "silent"], ["loud"], ["most have two"], []]


def test_clips_in_order_of_a_measurement_the_unknown_ones_last() -> None:
    told = report()
    for utterance, level in zip(told["utterances"], [3.0, 1.0, None, 2.0, 2.0, None], strict=True):
        utterance["loudness_lufs"] = level
    rows = clip_rows(told).sort_index()
    assert in_order(rows, "loudness_lufs").index.tolist() == [1, 3, 4, 0, 2, 5]
    assert in_order(rows, "loudness_lufs", descending=True).index.tolist() == [0, 3, 4, 1, 2, 5]


def test_a_kind_has_the_worst_severity_that_it_was_raised_with() -> None:
    told = report()
    told["findings"].append(_finding("loudness", "error", "clip-00003", 4, "much too loud"))
    assert severity_of_kinds(findings_summary(told)) == {
        "silent": "error", "loudness": "error", "dataset-size": "warning", "channels": "info",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        (ClipFilter(), [0, 1, 2, 3, 4, 5]),
        (ClipFilter(kinds=("silent",)), [1]),
        (ClipFilter(kinds=("silent", "loudness")), [1, 2]),
        (ClipFilter(severities=("warning",)), [2]),
        (ClipFilter(severities=("none", "error")), [0, 1, 3, 4]),
        (ClipFilter(speakers=("bob",)), [0, 3]),
        (ClipFilter(search="quick FOX"), [1, 3, 5]),
        (ClipFilter(search="(here)"), [0, 2, 4]),
        (ClipFilter(search="00004"), [4]),
        (ClipFilter(usable_only=True), [0, 2, 3, 4, 5]),
        (ClipFilter(left_out_only=True), [5]),
        (ClipFilter(speakers=("bob",), search="quick", usable_only=True), [3]),
    ],
)
def test_filters(chosen: ClipFilter, left: list[int]) -> None:
    kept = filter_rows(clip_rows(report()), chosen, left_out={6})
    assert sorted(int(name[-1]) for name in kept["utterance_id"]) == left


def test_kinds_of_findings_come_worst_first_then_most_frequent() -> None:
    kinds = findings_summary(report())
    assert kinds["code"].tolist() == ["silent", "loudness", "dataset-size", "channels"]
    assert kinds["count"].tolist() == [1, 2, 1, 5]
    assert kinds["message"].tolist() == ["silent", "loud", "small", "most have two"]


def test_totals_leave_out_what_a_cleaned_dataset_does() -> None:
    assert totals(clip_rows(report()), {6, 2}) == {
        "clips": 6, "minutes": 0.2, "speakers": 2, "usable": 4, "usable_minutes": pytest.approx(8 / 60),
    }  # fmt: skip


def test_a_dataset_without_clips() -> None:
    empty = {"findings": [], "utterances": [], "summary": {}}
    rows = clip_rows(empty)
    assert filter_rows(rows, ClipFilter(search="a", kinds=("silent",), usable_only=True)).empty
    assert findings_summary(empty).empty
    assert totals(rows)["clips"] == 0


def test_13100_clips_are_filtered_well_within_half_a_second() -> None:
    rows = clip_rows(report(13_100))
    chosen = ClipFilter(
        kinds=("loudness",), severities=("warning",), speakers=("ann",), search="lazy dog", usable_only=True
    )
    start = time.process_time()
    left = filter_rows(rows, chosen, left_out=set(range(1, 5001)))
    assert time.process_time() - start < 0.5
    assert left["utterance_id"].tolist() == ["clip-00002"]
