"""What is known of a dataset's clips -> `DatasetReport`, by a table of limits; by another again, with nothing decoded.

report = judge(dataset, clips, "en-us", ())
stricter = judge_again(report, moved({"duration-long": 12}))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from piper_core.dataset import rules, set_rules
from piper_core.dataset.checks import CHECKS, Check
from piper_core.dataset.clip_rules import Clip
from piper_core.dataset.layouts import Dataset
from piper_core.dataset.report import DatasetReport, Summary, UtteranceRow
from piper_core.dataset.text_rules import expected_script


def judge(
    dataset: Dataset,
    clips: Sequence[Clip],
    language: str,
    not_checked: tuple[str, ...] = (),
    checks: Mapping[str, Check] = CHECKS,
) -> DatasetReport:
    """The report on `dataset`, of whose utterances `clips` hold what is known; `language` is its espeak-ng voice."""
    evidence = rules.Evidence.of(clips, checks, expected_script(language, (clip.utterance.text for clip in clips)))
    read = DatasetReport(
        dataset=str(dataset.folder.absolute()),
        layout=dataset.layout,
        metadata=dataset.metadata_path.relative_to(dataset.folder).as_posix(),
        language=language,
        summary=Summary.of((), (), dataset.speakers),
        findings=(),
        utterances=(),
        read_findings=tuple(dataset.findings),
        evidence=evidence,
        not_checked=not_checked,
    )
    return judge_again(read, checks)


def judge_again(report: DatasetReport, checks: Mapping[str, Check]) -> DatasetReport:
    """`report` as it would be by the limits of `checks`: who crosses what, who is usable, and the totals of that."""
    evidence = report.evidence.for_voice(checks["sample-rate"].threshold)
    clips, of_clips = evidence.clips, rules.findings(evidence, checks)
    findings = [*report.read_findings, *of_clips.findings]
    codes: dict[int, dict[str, None]] = {}
    for code, places in of_clips.traits:
        for place in places.tolist():
            codes.setdefault(clips[place].utterance.row, {})[code] = None
    for finding in findings:
        if finding.row is not None:
            codes.setdefault(finding.row, {})[finding.code] = None
    bad = {finding.row for finding in findings if finding.severity == "error"}
    rows = [
        UtteranceRow(clip, clip.utterance.row not in bad, tuple(codes.get(clip.utterance.row, ()))) for clip in clips
    ]
    usable = [row for row in rows if row.usable]
    usable_s = sum(row.duration_s or 0.0 for row in usable)
    about_size = set_rules.size_findings(clips, len(usable), usable_s, checks)
    told = set_rules.worst_first(set_rules.fold_traits([*findings, *about_size], len(rows)))
    return replace(
        report,
        summary=replace(Summary.of(rows, told, ()), speakers=report.summary.speakers),
        findings=tuple(told),
        utterances=tuple(rows),
        evidence=evidence,
        checks=checks,
    )
