"""A whole folder -> `DatasetReport`: texts, headers, and every clip decoded once, on several threads."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from piper_core.dataset import rules, text
from piper_core.dataset.audio import AudioHeader, ClipMeasurements, Unreadable, has_librosa, read_header
from piper_core.dataset.checks import CHECKS, Check, Finding
from piper_core.dataset.kept_measurements import KeptMeasurements
from piper_core.dataset.layouts import Dataset, Utterance, read_dataset
from piper_core.dataset.report import DatasetReport, Summary, UtteranceRow
from piper_core.dataset.text_rules import main_script

NOT_DECODED = (
    "the samples of the clips were not looked at: clipping, silence, loudness, offset, broken data and equal audio"
    " are not known"
)
_IN_FLIGHT = 64


@dataclass(frozen=True)
class InspectionProgress:
    """How far an inspection is."""

    done: int
    """Clips looked at."""
    total: int
    remaining_s: float
    """Seconds left at the pace so far."""


def inspect(
    folder: Path,
    *,
    metadata: str | None = None,
    language: str = "en-us",
    jobs: int | None = None,
    validate_audio: bool = True,
    cache_dir: Path | None = None,
    on_progress: Callable[[InspectionProgress], None] | None = None,
    checks: Mapping[str, Check] = CHECKS,
    sample_rate: int | None = None,
) -> DatasetReport:
    """Look at the dataset in `folder`; `language` is the espeak-ng voice its texts are meant for.

    `jobs` threads (default: one a core) decode; `cache_dir` keeps measurements, so that a second look takes a moment.
    `sample_rate` is the voice's, in Hz (default: the table's). `on_progress` may raise to stop.
    Without `validate_audio`, or without librosa, `not_checked` of the report says what was left out.
    Raises DatasetError when the folder is no dataset, TextError for a language that espeak-ng lacks.
    """
    if sample_rate is not None:
        checks = {**checks, "sample-rate": replace(checks["sample-rate"], threshold=sample_rate)}
    not_checked = []
    speaks = _check_language(language, not_checked)
    dataset = read_dataset(folder, metadata)
    decodes = validate_audio and has_librosa()
    if not validate_audio:
        not_checked.append(f"Audio validation is off (ENABLE_AUDIO_VALIDATION=false), so {NOT_DECODED}.")
    elif not decodes:
        not_checked.append(f"librosa is not installed (pip install librosa), so {NOT_DECODED}.")
    paths = [u.path.relative_to(dataset.folder).as_posix() for u in dataset.utterances]
    findings = list(dataset.findings)
    clips = _look_at_all(dataset, decodes, jobs or _cores(), cache_dir, on_progress)
    findings += _text_findings(dataset.utterances, language if speaks else None, checks)
    findings += _clip_findings(dataset.utterances, paths, clips, checks)
    findings += rules.duplicate_texts(dataset.utterances, checks)
    findings += rules.duplicate_audio(dataset.utterances, paths, clips, checks)
    findings += rules.loudness_findings(dataset.utterances, paths, clips, checks)
    return _report(dataset, language, paths, clips, findings, tuple(not_checked), checks)


def _check_language(language: str, not_checked: list[str]) -> bool:
    """Whether texts can be turned into phonemes here. Raises TextError for an unknown language."""
    try:
        text.check_language(language)
    except text.PhonemizerMissing as missing:
        not_checked.append(f"{missing} So the texts were not turned into phonemes.")
        return False
    return True


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _look_at_all(
    dataset: Dataset,
    decodes: bool,
    jobs: int,
    cache_dir: Path | None,
    on_progress: Callable[[InspectionProgress], None] | None,
) -> list[rules.Measured]:
    """A measurement for each utterance, in order; None where the file is missing."""
    missing = {f.row for f in dataset.findings if f.code == "missing-audio"}
    clips: list[rules.Measured] = [None] * len(dataset.utterances)
    waiting = [index for index, u in enumerate(dataset.utterances) if u.row not in missing]
    kept = KeptMeasurements.open(cache_dir if decodes else None, dataset.folder)
    look: Callable[[Path], ClipMeasurements | AudioHeader | Unreadable] = kept.measure if decodes else read_header
    started, done = time.monotonic(), 0
    pool = ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="inspect")
    try:
        for index, clip in _in_flight(pool, look, dataset.utterances, waiting):
            clips[index] = clip
            done += 1
            if on_progress is not None:
                pace_s = (time.monotonic() - started) / done
                on_progress(InspectionProgress(done, len(waiting), pace_s * (len(waiting) - done)))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        kept.close()
    return clips


def _in_flight(
    pool: ThreadPoolExecutor, look: Callable[[Path], rules.Measured], utterances: Sequence[Utterance], waiting: Sequence[int]
) -> Iterator[tuple[int, rules.Measured]]:  # fmt: skip
    """Results in order, a bounded number of clips ahead: a hundred thousand futures at once would fill the memory."""
    running: deque[tuple[int, Future[rules.Measured]]] = deque()
    for index in waiting:
        running.append((index, pool.submit(look, utterances[index].path)))
        if len(running) >= _IN_FLIGHT:
            first, future = running.popleft()
            yield first, future.result()
    for first, future in running:
        yield first, future.result()


def _text_findings(utterances: Sequence[Utterance], language: str | None, checks: Mapping[str, Check]) -> list[Finding]:
    script = main_script(u.text for u in utterances)
    findings = []
    for utterance in utterances:
        found = rules.text_findings(utterance, script, checks)
        if language is not None and not any(f.code == "empty-text" for f in found):
            unknown = text.encode(utterance.text, language).unknown
            found += rules.phoneme_findings(utterance, unknown, checks)
        findings += found
    return findings


def _clip_findings(
    utterances: Sequence[Utterance], paths: Sequence[str], clips: Sequence[rules.Measured], checks: Mapping[str, Check]
) -> list[Finding]:
    findings: list[Finding] = []
    for utterance, path, clip in zip(utterances, paths, clips, strict=True):
        if isinstance(clip, Unreadable):
            findings.append(
                checks["unreadable"].finding(
                    clip.reason, utterance_id=utterance.utterance_id, path=path, row=utterance.row
                )
            )
        elif clip is not None:
            findings += rules.header_findings(utterance, path, clip, checks)
            if isinstance(clip, ClipMeasurements):
                findings += rules.sample_findings(utterance, path, clip, checks)
    return findings


def _report(
    dataset: Dataset,
    language: str,
    paths: Sequence[str],
    clips: Sequence[rules.Measured],
    findings: list[Finding],
    not_checked: tuple[str, ...],
    checks: Mapping[str, Check],
) -> DatasetReport:
    codes: dict[int, dict[str, None]] = {}
    bad: set[int] = set()
    for finding in findings:
        if finding.row is not None:
            codes.setdefault(finding.row, {})[finding.code] = None
            if finding.severity == "error":
                bad.add(finding.row)
    rows = [
        UtteranceRow.of(utterance, path, clip, utterance.row not in bad, tuple(codes.get(utterance.row, ())))
        for utterance, path, clip in zip(dataset.utterances, paths, clips, strict=True)
    ]
    usable_s = sum(row.duration_s or 0.0 for row in rows if row.usable)
    findings += rules.set_findings(clips, usable_s, sum(row.usable for row in rows), checks)
    findings = rules.worst_first(rules.fold_traits(findings, len(rows)))
    return DatasetReport(
        dataset=str(dataset.folder.absolute()),
        layout=dataset.layout,
        metadata=dataset.metadata_path.relative_to(dataset.folder).as_posix(),
        language=language,
        summary=Summary.of(rows, findings, dataset.speakers),
        findings=tuple(findings),
        utterances=tuple(rows),
        not_checked=not_checked,
    )
