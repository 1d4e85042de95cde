"""A whole folder -> `DatasetReport`, in stages: headers and texts of everything, then the sound of every clip.

What is known is told as it comes, in a random order, so that the first hundred clips already speak for the set.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from piper_core.dataset import rules, set_rules, text
from piper_core.dataset.audio import ClipMeasurements, Unreadable, has_librosa
from piper_core.dataset.checks import CHECKS, Check, moved
from piper_core.dataset.gathered import Gathered
from piper_core.dataset.kept_measurements import KeptMeasurements
from piper_core.dataset.layouts import Dataset, read_dataset
from piper_core.dataset.report import DatasetReport, Summary, UtteranceRow
from piper_core.dataset.text_rules import expected_script
from piper_core.dataset.workers import (
    Workers,
    dask_workers,
    measure_spans,
    measure_spans_with_pitch,
    pitch_of_spans,
    threads,
)
from piper_core.system.cores import cores

Stage = Literal["headers", "signal", "texts", "pitch", "audit"]
NOT_DECODED = (
    "the samples of the clips were not looked at: clipping, silence, loudness, offset, broken data and equal audio"
    " are not known"
)
PROGRESS_EVERY_S = 0.1
PARTIAL_EVERY_S = 1.0
PARTIAL_SHARE = 0.1
"""Of the time goes at most into telling what is known so far."""
_ORDER_SEED = 4


@dataclass(frozen=True)
class InspectionProgress:
    """How far an inspection is."""

    done: int
    """Clips looked at in this stage."""
    total: int
    remaining_s: float
    """Seconds left of this stage at the pace so far."""
    stage: Stage = "signal"


@dataclass(frozen=True)
class PartialInspection:
    """What is known while an inspection runs. Clips that were not heard yet have their header alone."""

    stage: Stage
    done: int
    total: int
    report: DatasetReport


def inspect(
    folder: Path,
    *,
    metadata: str | None = None,
    language: str = "en-us",
    jobs: int | None = None,
    validate_audio: bool = True,
    audit: bool = False,
    pitch: bool = True,
    cache_dir: Path | None = None,
    on_dataset: Callable[[Dataset], None] | None = None,
    on_progress: Callable[[InspectionProgress], None] | None = None,
    on_partial: Callable[[PartialInspection], None] | None = None,
    checks: Mapping[str, Check] = CHECKS,
    sample_rate: int | None = None,
    dask: str | None = None,
) -> DatasetReport:
    """Look at the dataset in `folder`; `language` is the espeak-ng voice its texts are meant for.

    `jobs` threads (default: one a core) decode; `cache_dir` keeps measurements, so that a second look takes a moment,
    and a stopped inspection goes on where it was. `pitch` and `audit` (does the text belong to the audio?) come last.
    `sample_rate` is the voice's, in Hz (default: the table's). `on_progress` may raise to stop; `on_partial` is given
    what is known so far, first when all headers are read. Both are called in this thread, now and then; before them,
    `on_dataset` gets what the metadata says.
    `dask` is the address or the scheduler file of a dask.distributed cluster that decodes in place of our threads.
    Without `validate_audio`, or without librosa, `not_checked` of the report says what was left out.
    Raises DatasetError when the folder is no dataset, TextError for a language that espeak-ng lacks,
    WorkersError where `dask` can't be used.
    """
    if sample_rate is not None:
        checks = moved({"sample-rate": sample_rate, "sample-rate-high": sample_rate}, checks)
    not_checked: list[str] = []
    speaks = _check_language(language, not_checked)
    dataset = read_dataset(folder, metadata)
    if on_dataset is not None:
        on_dataset(dataset)
    if not validate_audio:
        not_checked.append(f"Audio validation is off (ENABLE_AUDIO_VALIDATION=false), so {NOT_DECODED}.")
    kept = KeptMeasurements.open(cache_dir, dataset.folder)
    problem = None
    try:
        gathered = Gathered(dataset, kept, language if speaks else None)

        def report() -> DatasetReport:
            return _report(gathered, language, tuple(not_checked), checks)

        telling = _Telling(len(gathered.paths), report, on_progress, on_partial)
        _read_headers(gathered, telling)
        decodes = validate_audio and (not gathered.unheard() or has_librosa())
        if decodes:
            with dask_workers(dask, folder.absolute()) if dask else threads(jobs or cores()) as workers:
                # Who looks on wants the defects first; who waits for the end wants each file opened once.
                _listen(gathered, telling, workers, with_pitch=pitch and on_partial is None)
                _speak(gathered, telling)
                if pitch:
                    _find_pitch(gathered, telling, workers)
        elif validate_audio:
            not_checked.append(f"librosa is not installed (pip install librosa), so {NOT_DECODED}.")
        _speak(gathered, telling)
        if audit:
            not_checked += _audit(gathered, telling, jobs or cores())
    finally:
        problem = kept.close()
    if problem is not None:
        not_checked.append(problem)
    return report()


def _check_language(language: str, not_checked: list[str]) -> bool:
    """Whether texts can be turned into phonemes here. Raises TextError for an unknown language."""
    try:
        text.check_language(language)
    except text.PhonemizerMissing as missing:
        not_checked.append(f"{missing} So the texts were not turned into phonemes.")
        return False
    return True


def _read_headers(gathered: Gathered, telling: _Telling) -> None:
    """Of all clips that the cache does not know: enough for the first totals."""
    wanted = [index for index in gathered.unheard() if gathered.measured[index] is None]
    telling.begin("headers", len(gathered.paths) - len(wanted))
    for done, index in enumerate(wanted, start=1):
        gathered.read_header(index)
        telling.progress(done)
    if wanted:
        telling.partial(now=True)


def _listen(gathered: Gathered, telling: _Telling, workers: Workers, with_pitch: bool) -> None:
    """Measure all clips that the cache does not know, and make phonemes while the workers decode."""
    wanted = gathered.unheard()
    random.Random(_ORDER_SEED).shuffle(wanted)
    telling.begin("signal", len(gathered.paths) - len(wanted))
    spans = [gathered.span(index) for index in wanted]

    def take(places: list[int], results: list[ClipMeasurements | Unreadable]) -> None:
        for place, result in zip(places, results, strict=True):
            gathered.take_measurement(wanted[place], result)
            gathered.speak(wanted[place])

    def take_both(places: list[int], results: list[tuple[ClipMeasurements | Unreadable, float | None]]) -> None:
        take(places, [measured for measured, _ in results])
        for place, (measured, pitch_hz) in zip(places, results, strict=True):
            if isinstance(measured, ClipMeasurements):
                gathered.take_pitch(wanted[place], pitch_hz)

    if with_pitch:
        workers.look(measure_spans_with_pitch, spans, take_both, telling.tell)
    else:
        workers.look(measure_spans, spans, take, telling.tell)


def _find_pitch(gathered: Gathered, telling: _Telling, workers: Workers) -> None:
    """Of all clips whose pitch is not known yet, the suspicious ones first."""
    wanted = gathered.unpitched()
    if not wanted:
        return
    random.Random(_ORDER_SEED).shuffle(wanted)
    so_far = telling.partial(now=True)
    if so_far is not None:
        suspicious = {finding.row for finding in so_far.findings if finding.severity != "info"}
        wanted.sort(key=lambda index: gathered.dataset.utterances[index].row not in suspicious)
    telling.begin("pitch", len(gathered.paths) - len(wanted))

    def take(places: list[int], results: list[float | None]) -> None:
        for place, pitch_hz in zip(places, results, strict=True):
            gathered.take_pitch(wanted[place], pitch_hz)

    workers.look(pitch_of_spans, [gathered.span(index) for index in wanted], take, telling.tell)


def _audit(gathered: Gathered, telling: _Telling, jobs: int) -> list[str]:
    """Whether texts and audio agree. A sentence where that can't be asked."""
    from piper_core.dataset.audit import audit_problem

    problem = audit_problem()
    if problem is None and gathered.language is None:
        problem = "The transcript audit needs piper-tts; install it with: pip install piper-tts."
    if problem is not None:
        return [f"{problem} So the texts were not held against the audio."]
    telling.partial(now=True)
    telling.begin("audit", 0)
    gathered.audit(jobs, telling.progress)
    return []


def _speak(gathered: Gathered, telling: _Telling) -> None:
    """Phonemes of the texts that have none yet: of missing clips, or of all where no clip is heard."""
    wanted = gathered.unspoken()
    if not wanted:
        return
    telling.begin("texts", len(gathered.paths) - len(wanted))
    for done, index in enumerate(wanted, start=1):
        gathered.speak(index)
        telling.progress(done)


class _Telling:
    """Tells how far an inspection is and what it knows, seldom enough to cost little."""

    def __init__(
        self,
        total: int,
        report: Callable[[], DatasetReport],
        on_progress: Callable[[InspectionProgress], None] | None,
        on_partial: Callable[[PartialInspection], None] | None,
    ) -> None:
        self._total = total
        self._report = report
        self._on_progress = on_progress
        self._on_partial = on_partial
        self._told = self._partial_due = -math.inf

    def begin(self, stage: Stage, known: int) -> None:
        """A stage in which `known` clips need no look."""
        self._stage, self._known, self._done = stage, known, known
        self._started = time.monotonic()
        self._partial_due = max(self._partial_due, self._started + PARTIAL_EVERY_S)
        if known == self._total:
            self.progress(0)

    def progress(self, looked_at: int) -> None:
        """So many clips of this stage were looked at just now."""
        self._done = self._known + looked_at
        now = time.monotonic()
        if self._on_progress is None or (now - self._told < PROGRESS_EVERY_S and self._done < self._total):
            return
        self._told = now
        left = self._total - self._done
        remaining_s = (now - self._started) / looked_at * left if looked_at else 0.0
        self._on_progress(InspectionProgress(self._done, self._total, remaining_s, self._stage))

    def tell(self, looked_at: int) -> None:
        """Both: so many clips were looked at, and what is known by now, when it is time."""
        self.progress(looked_at)
        self.partial()

    def partial(self, now: bool = False) -> DatasetReport | None:
        """What is known by now, when it is time and somebody wants to know."""
        started = time.monotonic()
        if self._on_partial is None or (started < self._partial_due and not now):
            return None
        report = self._report()
        self._on_partial(PartialInspection(self._stage, self._done, self._total, report))
        ended = time.monotonic()
        self._partial_due = ended + max(PARTIAL_EVERY_S, (ended - started) / PARTIAL_SHARE)
        return report


def _report(
    gathered: Gathered, language: str, not_checked: tuple[str, ...], checks: Mapping[str, Check]
) -> DatasetReport:
    dataset, clips = gathered.dataset, gathered.clips()
    script = expected_script(language, (clip.utterance.text for clip in clips))
    findings = [*dataset.findings, *rules.findings(clips, checks, script)]
    codes: dict[int, dict[str, None]] = {}
    for finding in findings:
        if finding.row is not None:
            codes.setdefault(finding.row, {})[finding.code] = None
    bad = {finding.row for finding in findings if finding.severity == "error"}
    rows = [
        UtteranceRow(clip, clip.utterance.row not in bad, tuple(codes.get(clip.utterance.row, ()))) for clip in clips
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
