"""A whole folder -> `DatasetReport`: texts, headers, and every clip decoded once, on several threads."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from piper_core.dataset import set_rules, text
from piper_core.dataset.audio import AudioHeader, ClipMeasurements, Unreadable, has_librosa, read_header
from piper_core.dataset.checks import CHECKS, Check, Finding
from piper_core.dataset.clip_rules import Clip, audio_findings, text_findings
from piper_core.dataset.kept_measurements import KeptMeasurements
from piper_core.dataset.layouts import Dataset, read_dataset
from piper_core.dataset.report import DatasetReport, Summary, UtteranceRow
from piper_core.dataset.text_rules import main_script
from piper_core.system.cores import cores

_Measured = ClipMeasurements | AudioHeader | Unreadable
_Look = Callable[[Path], _Measured]
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
    not_checked: list[str] = []
    speaks = _check_language(language, not_checked)
    dataset = read_dataset(folder, metadata)
    decodes = validate_audio and has_librosa()
    if not validate_audio:
        not_checked.append(f"Audio validation is off (ENABLE_AUDIO_VALIDATION=false), so {NOT_DECODED}.")
    elif not decodes:
        not_checked.append(f"librosa is not installed (pip install librosa), so {NOT_DECODED}.")
    kept = KeptMeasurements.open(cache_dir, dataset.folder)
    look: _Look = kept.measure if decodes else read_header
    try:
        clips = list(_looked_at(dataset, look, kept, language if speaks else None, jobs or cores(), on_progress))
    finally:
        problem = kept.close()
    if problem is not None:
        not_checked.append(problem)
    script = main_script(clip.utterance.text for clip in clips)
    findings = [
        *dataset.findings,
        *(finding for clip in clips for finding in text_findings(clip, script, checks)),
        *(finding for clip in clips for finding in audio_findings(clip, checks)),
        *set_rules.duplicate_texts(clips, checks),
        *set_rules.duplicate_audio(clips, checks),
        *set_rules.loudness_findings(clips, checks),
    ]
    return _report(dataset, language, clips, findings, tuple(not_checked), checks)


def _check_language(language: str, not_checked: list[str]) -> bool:
    """Whether texts can be turned into phonemes here. Raises TextError for an unknown language."""
    try:
        text.check_language(language)
    except text.PhonemizerMissing as missing:
        not_checked.append(f"{missing} So the texts were not turned into phonemes.")
        return False
    return True


def _looked_at(
    dataset: Dataset,
    look: _Look,
    kept: KeptMeasurements,
    language: str | None,
    jobs: int,
    on_progress: Callable[[InspectionProgress], None] | None,
) -> Iterator[Clip]:
    """Every utterance with what `look` says of its file and, in `language`, the phonemes that Piper does not know.

    Threads decode ahead while this one makes phonemes: espeak-ng allows no second caller.
    """
    missing = {finding.row for finding in dataset.findings if finding.code == "missing-audio"}
    utterances, started = dataset.utterances, time.monotonic()
    pool = ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="inspect")
    try:
        measured = _in_flight(pool, look, (None if u.row in missing else u.path for u in utterances))
        for done, (utterance, result) in enumerate(zip(utterances, measured, strict=True), start=1):
            unknown = kept.unknown_phonemes(utterance.text, language) if language else ()
            yield Clip(utterance, utterance.path.relative_to(dataset.folder).as_posix(), result, unknown)
            if on_progress is not None:
                pace_s = (time.monotonic() - started) / done
                on_progress(InspectionProgress(done, len(utterances), pace_s * (len(utterances) - done)))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _in_flight(pool: ThreadPoolExecutor, look: _Look, paths: Iterable[Path | None]) -> Iterator[_Measured | None]:
    """Results in order, a bounded number of clips ahead: a hundred thousand futures at once would fill the memory."""
    running: deque[Future[_Measured] | None] = deque()
    for path in paths:
        running.append(None if path is None else pool.submit(look, path))
        if len(running) >= _IN_FLIGHT:
            first = running.popleft()
            yield first.result() if first is not None else None
    for future in running:
        yield future.result() if future is not None else None


def _report(
    dataset: Dataset,
    language: str,
    clips: Sequence[Clip],
    findings: Sequence[Finding],
    not_checked: tuple[str, ...],
    checks: Mapping[str, Check],
) -> DatasetReport:
    codes: dict[int, dict[str, None]] = {}
    for finding in findings:
        if finding.row is not None:
            codes.setdefault(finding.row, {})[finding.code] = None
    bad = {finding.row for finding in findings if finding.severity == "error"}
    rows = [
        UtteranceRow.of(clip, clip.utterance.row not in bad, tuple(codes.get(clip.utterance.row, ()))) for clip in clips
    ]
    usable = [row for row in rows if row.usable]
    about_size = set_rules.size_findings(clips, len(usable), sum(row.duration_s or 0.0 for row in usable), checks)
    told = set_rules.worst_first(set_rules.fold_traits([*findings, *about_size], len(rows)))
    return DatasetReport(
        dataset=str(dataset.folder.absolute()),
        layout=dataset.layout,
        metadata=dataset.metadata_path.relative_to(dataset.folder).as_posix(),
        language=language,
        summary=Summary.of(rows, told, dataset.speakers),
        findings=tuple(told),
        utterances=tuple(rows),
        not_checked=not_checked,
    )
