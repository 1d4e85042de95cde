"""What to look at first: kinds of findings by severity times hours that they touch, and their clips worst first.

Pure: a report's findings and the clips' lengths in, an order out. 100,000 clips take a fraction of a second.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from piper_core.dataset.checks import SEVERITIES, Finding, Severity

WEIGHT: Mapping[Severity, float] = {"error": 10.0, "warning": 3.0, "info": 1.0}
"""What an hour with such a finding counts: Piper Studio's choice, an error as three warnings and a warning as three
notes."""
LOOKED_AT: tuple[Severity, ...] = ("error", "warning")
"""Notes are good to know; a queue of them helps nobody who did not ask for one."""


@dataclass(frozen=True)
class Kind:
    """All findings of one code and severity."""

    code: str
    severity: Severity
    clips: int
    hours: float
    """Of audio in these clips; one whose length is not known counts as the median of the others."""

    @property
    def weight(self) -> float:
        """What it costs: severity times hours."""
        return WEIGHT[self.severity] * self.hours


@dataclass(frozen=True, slots=True)
class Queued:
    """A clip in the queue."""

    row: int
    findings: tuple[Finding, ...]
    """All about this clip, the costliest kind first."""


@dataclass(frozen=True)
class Progress:
    """How far a person is."""

    looked_at: int
    total: int
    kept_s: float
    """Seconds of audio that would be exported now."""


def kinds(findings: Iterable[Finding], durations_s: Mapping[int, float | None]) -> list[Kind]:
    """The kinds of `findings` about clips, costliest first; `durations_s` are the clips' lengths by row."""
    rows: dict[tuple[str, Severity], set[int]] = {}
    for finding in findings:
        if finding.row is not None and finding.row in durations_s:
            rows.setdefault((finding.code, finding.severity), set()).add(finding.row)
    known = [duration_s for duration_s in durations_s.values() if duration_s is not None]
    usual_s = statistics.median(known) if known else 0.0
    found = [
        Kind(code, severity, len(own), sum(usual_s if (d := durations_s[row]) is None else d for row in own) / 3600)
        for (code, severity), own in rows.items()
    ]
    return sorted(found, key=lambda kind: (-kind.weight, SEVERITIES.index(kind.severity), kind.code))


def ranked(
    findings: Sequence[Finding], durations_s: Mapping[int, float | None], codes: Collection[str] = ()
) -> list[Queued]:
    """Every clip of `durations_s` (row -> seconds) that has a finding of `codes` (default: each error and warning).

    Costliest kind first, in it the clip that is furthest beyond its threshold; a clip stands where its costliest
    finding puts it, once, with all that was found in it.
    """
    rank = {(kind.code, kind.severity): index for index, kind in enumerate(kinds(findings, durations_s))}
    last = len(rank)
    of_row: dict[int, list[tuple[int, float, Finding]]] = {}
    wanted = set(codes)
    for finding in findings:
        if finding.row is None or finding.row not in durations_s:
            continue
        asked = finding.code in wanted if wanted else finding.severity in LOOKED_AT
        place = rank[finding.code, finding.severity]
        of_row.setdefault(finding.row, []).append((place if asked else place + last, -_excess(finding), finding))
    queue = []
    for row, found in of_row.items():
        found.sort(key=lambda each: each[:2])
        if found[0][0] < last:
            queue.append((*found[0][:2], row, found))
    queue.sort(key=lambda each: each[:3])
    return [Queued(row, tuple(finding for *_, finding in found)) for _, _, row, found in queue]


def following(queue: Sequence[Queued], resolved: Collection[int], after: int | None = None) -> int | None:
    """The row of the next clip that nobody decided on, after the row `after`; from the start again at the end.

    None when there is none but that one.
    """
    start = next((index + 1 for index, clip in enumerate(queue) if clip.row == after), 0)
    for clip in (*queue[start:], *queue[:start]):
        if clip.row not in resolved and clip.row != after:
            return clip.row
    return None


def preceding(queue: Sequence[Queued], before: int | None) -> int | None:
    """The row of the clip before the row `before`, decided on or not; None at the start."""
    rows = [clip.row for clip in queue]
    index = rows.index(before) if before in rows else 0
    return rows[index - 1] if index > 0 else None


def progress(queue: Sequence[Queued], resolved: Collection[int], kept_s: float) -> Progress:
    """How many of `queue` were decided on; `kept_s` are the seconds that would be exported now."""
    return Progress(sum(clip.row in resolved for clip in queue), len(queue), kept_s)


def _excess(finding: Finding) -> float:
    """How far the value lies from the threshold; within a kind that orders the clips."""
    if finding.value is None or finding.threshold is None:
        return 0.0
    return abs(finding.value - finding.threshold)
