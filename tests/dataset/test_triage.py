"""The queue: costliest kind first, worst clip first, each clip once, decided ones gone."""

from __future__ import annotations

import random
import time

from piper_core.dataset.checks import CHECKS, Finding, Severity
from piper_core.dataset.triage import following, kinds, preceding, progress, ranked


def finding(code: str, row: int, severity: Severity | None = None, value: float | None = None) -> Finding:
    return CHECKS[code].finding(
        code, utterance_id=f"c{row}", path=f"wavs/c{row}.wav", row=row, value=value, severity=severity, threshold=1.0
    )


DURATIONS = {1: 3600.0, 2: 3600.0, 3: 7200.0, 4: None, 5: 1800.0, 6: 10.0}
FINDINGS = [
    finding("edge-silence", 1, value=2.0),
    finding("edge-silence", 2, value=5.0),
    finding("edge-silence", 3, value=3.0),
    finding("silent", 5, "error"),
    finding("unreadable", 4, "error"),
    finding("edge-silence", 5, value=9.0),
    finding("channels", 6, "info"),
    finding("channels", 2, "info"),
    finding("missing-audio", 77, "error"),
    CHECKS["dataset-size"].finding("small", value=1.0),
]


def test_kinds_are_ranked_by_severity_times_hours() -> None:
    found = kinds(FINDINGS, DURATIONS)
    assert [(kind.code, kind.clips) for kind in found] == [
        ("edge-silence", 4), ("unreadable", 1), ("silent", 1), ("channels", 2)
    ]  # fmt: skip
    assert found[0].weight == 3 * 4.5
    assert found[1].hours == 1.0, "an unknown length counts as the median"


def test_each_clip_once_the_worst_first_with_all_its_findings() -> None:
    queue = ranked(FINDINGS, DURATIONS)
    assert [clip.row for clip in queue] == [5, 2, 3, 1, 4]
    assert [[f.code for f in clip.findings] for clip in queue][:2] == [
        ["edge-silence", "silent"], ["edge-silence", "channels"]
    ]  # fmt: skip


def test_a_filter_by_code_asks_for_notes_too() -> None:
    assert [clip.row for clip in ranked(FINDINGS, DURATIONS, ["channels"])] == [2, 6]
    assert [f.code for f in ranked(FINDINGS, DURATIONS, ["channels"])[0].findings] == ["channels", "edge-silence"]
    assert ranked(FINDINGS, DURATIONS, ["noise"]) == []
    assert ranked([], {}) == []


def test_next_passes_over_what_was_decided_and_previous_does_not() -> None:
    queue = ranked(FINDINGS, DURATIONS)
    assert following(queue, ()) == 5
    assert following(queue, {5, 2}) == 3
    assert following(queue, {3}, after=2) == 1
    assert following(queue, (), after=4) == 5, "from the start again"
    assert following(queue, {5, 2, 3, 1}, after=4) is None
    assert preceding(queue, 3) == 2
    assert preceding(queue, 5) is None
    assert preceding(queue, None) is None
    told = progress(queue, {5, 2, 999}, 12.0)
    assert (told.looked_at, told.total, told.kept_s) == (2, 5, 12.0)


def test_100_000_clips_stand_in_the_queue_once() -> None:
    chance = random.Random(1)
    durations = {row: chance.uniform(1, 10) for row in range(1, 100_001)}
    codes = ["edge-silence", "clipping", "noise", "duration", "text-symbols"]
    findings = [finding(chance.choice(codes), chance.randint(1, 100_000), value=chance.random()) for _ in range(60_000)]
    start = time.process_time()
    queue = ranked(findings, durations)
    spent_s = time.process_time() - start
    print(f"{spent_s:.2f} s of CPU")
    assert len(queue) == len({f.row for f in findings})
    assert len({clip.row for clip in queue}) == len(queue)
    assert following(queue, {clip.row for clip in queue[:-1]}, after=queue[0].row) == queue[-1].row
