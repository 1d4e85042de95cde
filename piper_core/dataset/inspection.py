"""A whole folder -> `DatasetReport`, in stages: headers and texts of everything, then the sound of every clip.

What is known is told as it comes, in a random order, so that the first hundred clips already speak for the set.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from piper_core.dataset import text
from piper_core.dataset.audio import ClipMeasurements, Unreadable, has_librosa
from piper_core.dataset.batches import (
    crashed,
    measure_spans,
    measure_spans_with_pitch,
    pitch_of_spans,
    speak_texts,
)
from piper_core.dataset.checks import CHECKS, Check, moved
from piper_core.dataset.cluster import cluster
from piper_core.dataset.gathered import Gathered
from piper_core.dataset.judgement import judge
from piper_core.dataset.kept_measurements import KeptMeasurements, SpokenText
from piper_core.dataset.layouts import Dataset, read_dataset
from piper_core.dataset.progress import InspectionProgress, PartialInspection, Stage, Telling
from piper_core.dataset.report import DatasetReport
from piper_core.dataset.workers import Workers, processes
from piper_core.system.cores import cores

__all__ = ["InspectionProgress", "PartialInspection", "Stage", "inspect"]

NOT_DECODED = (
    "the samples of the clips were not looked at: clipping, silence, loudness, offset, broken data and equal audio"
    " are not known"
)
_ORDER_SEED = 4


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

    `jobs` processes (default: one a core) decode; `cache_dir` keeps measurements, so that a second look takes a moment,
    and a stopped inspection goes on where it was. `pitch` and `audit` (does the text belong to the audio?) come last.
    `sample_rate` is the voice's, in Hz (default: the table's). `on_progress` may raise to stop; `on_partial` is given
    what is known so far, first when all headers are read. Both are called in this thread, now and then; before them,
    `on_dataset` gets what the metadata says.
    `dask` is the address or the scheduler file of a dask.distributed cluster that decodes in their place.
    Without `validate_audio`, or without librosa, `not_checked` of the report says what was left out.
    Raises DatasetError when the folder is no dataset, TextError for a language that espeak-ng lacks,
    WorkersError where `dask` can't be used, or no process lives long enough.
    """
    if sample_rate is not None:
        checks = moved({"sample-rate": sample_rate, "sample-rate-high": sample_rate}, checks)
    not_checked: list[str] = []
    speaks = _check_language(language, not_checked)
    with _uncollected():
        dataset = read_dataset(folder, metadata)
    if on_dataset is not None:
        on_dataset(dataset)
    if not validate_audio:
        not_checked.append(f"Audio validation is off (ENABLE_AUDIO_VALIDATION=false), so {NOT_DECODED}.")
    kept = KeptMeasurements.open(cache_dir, dataset.folder)
    problem = None
    try:
        with _uncollected():
            gathered = Gathered(dataset, kept, language if speaks else None)

        def report() -> DatasetReport:
            with _uncollected():
                return judge(dataset, gathered.clips(), language, tuple(not_checked), checks)

        telling = Telling(len(gathered.paths), report, on_progress, on_partial)
        # Who looks on wants the first totals, then the defects; who waits for the end wants each file opened once.
        decodes = validate_audio and (not gathered.unheard() or has_librosa())
        if on_partial is not None or not decodes:
            _read_headers(gathered, telling)
        with processes(jobs or cores()) as local:
            _speak(gathered, telling, local)
        if decodes:
            with cluster(dask, folder.absolute()) if dask else processes(jobs or cores()) as workers:
                _listen(gathered, telling, workers, with_pitch=pitch and on_partial is None)
                if pitch:
                    _find_pitch(gathered, telling, workers)
        elif validate_audio:
            not_checked.append(f"librosa is not installed (pip install librosa), so {NOT_DECODED}.")
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


def _read_headers(gathered: Gathered, telling: Telling) -> None:
    """Of all clips that the cache does not know: enough for the first totals."""
    wanted = [index for index in gathered.unheard() if gathered.measured[index] is None]
    telling.begin("headers", len(gathered.paths) - len(wanted))
    for done, index in enumerate(wanted, start=1):
        gathered.read_header(index)
        telling.progress(done)
    if wanted:
        telling.partial(now=True)


def _speak(gathered: Gathered, telling: Telling, workers: Workers) -> None:
    """Phonemes of all texts that have none yet."""
    wanted = gathered.unspoken()
    if not wanted:
        return
    assert gathered.language is not None
    telling.begin("texts", len(gathered.paths) - len(wanted))

    def take(places: list[int], results: list[SpokenText]) -> None:
        for place, spoken in zip(places, results, strict=True):
            gathered.take_text(wanted[place], spoken)

    speak = functools.partial(speak_texts, gathered.language)
    workers.look(speak, wanted, take, telling.tell, lambda _: SpokenText("", "", None, crashes=True))


def _listen(gathered: Gathered, telling: Telling, workers: Workers, with_pitch: bool) -> None:
    """Measure all clips that the cache does not know."""
    wanted = gathered.unheard()
    random.Random(_ORDER_SEED).shuffle(wanted)
    telling.begin("signal", len(gathered.paths) - len(wanted))
    spans = [gathered.span(index) for index in wanted]

    def take(places: list[int], results: list[ClipMeasurements | Unreadable]) -> None:
        for place, result in zip(places, results, strict=True):
            gathered.take_measurement(wanted[place], result)

    def take_both(places: list[int], results: list[tuple[ClipMeasurements | Unreadable, float | None]]) -> None:
        for place, (measured, pitch_hz) in zip(places, results, strict=True):
            gathered.take_measurement(wanted[place], measured)
            if isinstance(measured, ClipMeasurements):
                gathered.take_pitch(wanted[place], pitch_hz)

    if with_pitch:
        workers.look(measure_spans_with_pitch, spans, take_both, telling.tell, lambda span: (crashed(span), None))
    else:
        workers.look(measure_spans, spans, take, telling.tell, crashed)


def _find_pitch(gathered: Gathered, telling: Telling, workers: Workers) -> None:
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

    workers.look(pitch_of_spans, [gathered.span(index) for index in wanted], take, telling.tell, lambda _: None)


def _audit(gathered: Gathered, telling: Telling, jobs: int) -> list[str]:
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


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Hundred thousands of objects are made in here, and stay: to look for cycles among them again and again takes a
    sixth of the time, and finds none."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
