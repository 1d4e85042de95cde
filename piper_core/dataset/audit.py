"""Does the text belong to the audio? In every language of espeak-ng, with no model to download.

espeak-ng speaks the text. Cepstra of both (`audit_cepstra`) are laid beside each other (`audit_alignment`) where they
are most alike; what counts as alike is learnt from the dataset's own clips, speaker by speaker (`audit_likeness`), and
so is where doubt begins in a noisy set (`audit_calibration`). docs/audit.md has the method, its figures and limits.
"""

from __future__ import annotations

import contextlib
import importlib.util
import math
import statistics
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from piper_core.dataset.audit_alignment import align, stretched
from piper_core.dataset.audit_calibration import FEWEST_CLIPS, calibrated, limit_of
from piper_core.dataset.audit_cepstra import cepstra, shared_top_hz
from piper_core.dataset.audit_likeness import Likeness
from piper_core.dataset.decoding import MAX_CLIP_S, Unreadable, decode, mono
from piper_core.dataset.espeak_voice import EspeakVoice, Spoken, espeak_problem
from piper_core.dataset.text import check_language
from piper_core.dataset.text_rules import without_pictures
from piper_core.system.cores import cores

LEARNT_FROM = 300
"""So many clips of a speaker, evenly spread, teach what is alike."""
_IN_FLIGHT = 32
_FOREIGN = 100
"""At least so many times a speaker's clips are held against texts of others, where there are enough of both."""


@dataclass(frozen=True)
class AuditItem:
    """A clip, and the text that should be spoken in it."""

    path: Path
    text: str
    speaker: str | None = None
    offset_s: float = 0.0
    """Where the clip starts in its file."""
    length_s: float | None = None
    """How long it is; None: to the end of the file."""


@dataclass(frozen=True)
class _Pair:
    """What is compared: a recording and its text, spoken."""

    heard: np.ndarray
    spoken: np.ndarray

    @property
    def rate(self) -> float:
        """How much longer the recording is."""
        return len(self.heard) / len(self.spoken)


def audit_problem() -> str | None:
    """A sentence when the audit can't run here, without importing anything heavy; else None."""
    if importlib.util.find_spec("numba") is None or importlib.util.find_spec("scipy") is None:
        return "The transcript audit needs librosa (and what it brings); install it with: pip install librosa."
    problem = espeak_problem()
    return problem and f"The transcript audit lets espeak-ng speak the texts. {problem}."


def transcript_costs(
    items: Sequence[AuditItem],
    language: str,
    jobs: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[float | None]:
    """For each item how badly text and audio agree: below 0 they do, above 0 they do not.

    The cost is minus the log likelihood ratio (nats a frame of 20 ms) between a recording of this text and a recording
    that has nothing to do with it; in a noisy set those of right texts are moved away from 0 to where a quiet one's are
    (`audit_calibration`). None: no such file, no sound in it, or no text. `jobs` threads (default: one a core)
    listen while this one lets espeak-ng speak. `on_progress(done, total)` may raise to stop.
    Raises TextError for a language that espeak-ng lacks, EspeakUnavailable without espeakng-loader.
    """
    code = check_language(language)
    costs: list[float | None] = [None] * len(items)
    by_speaker: dict[str | None, list[int]] = {}
    for index, item in enumerate(items):
        by_speaker.setdefault(item.speaker, []).append(index)
    done = 0
    sets: list[tuple[list[int], list[float]]] = []
    with (
        EspeakVoice() as voice,  # one at a time in a process, so that nobody else's limit of BLAS is put back
        _one_thread_a_product(),
        ThreadPoolExecutor(jobs or cores(), thread_name_prefix="audit") as pool,
    ):
        common: Likeness | None = None
        heard: dict[int, _Pair | None] = {}
        if len(by_speaker) > 1:
            heard = dict(_pairs(items, _spread(range(len(items)), LEARNT_FROM), code, voice, pool))
            common, _ = _learnt([pair for pair in heard.values() if pair], None, pool)
        for indices in by_speaker.values():
            chosen = _spread(indices, LEARNT_FROM)
            pairs = {index: heard[index] for index in indices if index in heard}
            pairs.update(_pairs(items, [index for index in chosen if index not in pairs], code, voice, pool))
            likeness, rate = _learnt([pair for index in chosen if (pair := pairs[index])], common, pool)
            taught = [(pair, items[index].text) for index in chosen if (pair := pairs[index])]
            sets.append((indices, list(pool.map(partial(_cost, likeness=likeness, rate=rate), _foreign(taught)))))
            others = (index for index in indices if index not in pairs)
            for index, pair in _chained(pairs, _pairs(items, others, code, voice, pool)):
                costs[index] = _cost(pair, likeness, rate) if pair else None
                done += 1
                if on_progress is not None:
                    on_progress(done, len(items))
    return _calibrated(costs, sets)


def _one_thread_a_product() -> contextlib.AbstractContextManager[object]:
    """BLAS would split each of our small products over all cores, and its threads wait for the next one spinning: that
    doubles the processor time, and ours are at work on every core already."""
    if importlib.util.find_spec("threadpoolctl") is None:
        return contextlib.nullcontext()
    import scipy.linalg  # noqa: F401 - brings a BLAS of its own, that has to be there to be limited
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1, user_api="blas")


def _chained(
    known: dict[int, _Pair | None], others: Iterator[tuple[int, _Pair | None]]
) -> Iterator[tuple[int, _Pair | None]]:
    yield from known.items()
    yield from others


def _spread(indices: Sequence[int], count: int) -> list[int]:
    """At most `count` of `indices`, evenly spread."""
    if len(indices) <= count:
        return list(indices)
    return [indices[place] for place in np.linspace(0, len(indices) - 1, count).round().astype(int)]


def _pairs(
    items: Sequence[AuditItem], indices: Iterable[int], code: str, voice: EspeakVoice, pool: ThreadPoolExecutor
) -> Iterator[tuple[int, _Pair | None]]:
    """In order, a bounded number ahead; this thread speaks, the pool's listen."""
    running: deque[tuple[int, Future[_Pair | None]]] = deque()
    for index in indices:
        item = items[index]
        running.append((index, pool.submit(_listen, item, speak_text(voice, item.text, code))))
        if len(running) >= _IN_FLIGHT:
            first, future = running.popleft()
            yield first, future.result()
    for index, future in running:
        yield index, future.result()


def speak_text(voice: EspeakVoice, text: str, code: str) -> Spoken | None:
    """`text`, without its pictures, spoken in the voice `code`; None when there is no letter and no digit in it."""
    if not any(map(str.isalnum, text)):
        return None
    return voice.speak(without_pictures(text), voice=code, max_s=MAX_CLIP_S)


def _listen(item: AuditItem, spoken: Spoken | None) -> _Pair | None:
    if spoken is None:
        return None
    decoded = decode(item.path, MAX_CLIP_S, item.offset_s, item.length_s)
    if isinstance(decoded, Unreadable):
        return None
    header, samples = decoded
    top_hz = shared_top_hz(header.sample_rate)
    heard = cepstra(mono(samples), header.sample_rate, top_hz)
    said = cepstra(spoken.samples.astype(np.float32) / 32768, spoken.sample_rate, top_hz)
    return _Pair(heard.frames, said.frames) if heard and said else None


def _learnt(pairs: Sequence[_Pair], before: Likeness | None, pool: ThreadPoolExecutor) -> tuple[Likeness, float]:
    """What is alike in these clips, and how much slower than espeak-ng they are spoken."""
    likeness = before or Likeness.assumed()
    if not pairs:
        return likeness, 1.0
    rate = statistics.median(pair.rate for pair in pairs)

    def beside(pair: _Pair) -> tuple[np.ndarray, np.ndarray]:
        _, places, _ = align_frames(pair.heard, pair.spoken, likeness, rate)
        return pair.heard, pair.spoken[np.round(places).astype(np.int64)]

    return likeness.learnt(pool.map(beside, pairs)), rate


def _foreign(taught: Sequence[tuple[_Pair, str]]) -> Iterator[_Pair]:
    """Clips beside texts of others that are about as long, but not the next in length: texts that were mistaken for
    each other often are."""
    count = len(taught)
    by_length = sorted(taught, key=lambda pair_text: len(pair_text[0].spoken))
    steps = range(2 if count >= FEWEST_CLIPS else 1, count // 2 + 1)
    for step in steps[: math.ceil(_FOREIGN / max(1, count))]:
        for place, (pair, text) in enumerate(by_length):
            other, other_text = by_length[place + step if place + step < count else place - step]
            if text != other_text:
                yield _Pair(pair.heard, other.spoken)


def _calibrated(costs: Sequence[float | None], sets: Sequence[tuple[list[int], list[float]]]) -> list[float | None]:
    """`costs` on the scale that all sets share. `sets`: each speaker's clips, and costs of foreign texts; speakers of
    few clips are one set together."""
    joined: tuple[list[int], list[float]] = ([], [])
    large = [joined]
    for indices, foreign in sets:
        if len(indices) < FEWEST_CLIPS:
            joined[0].extend(indices)
            joined[1].extend(foreign)
        else:
            large.append((indices, foreign))
    moved = list(costs)
    for indices, foreign in large:
        own = {index: cost for index in indices if (cost := costs[index]) is not None}
        limit = limit_of([*own.values()], foreign)
        for index, cost in own.items():
            moved[index] = calibrated(cost, limit)
    return moved


def _cost(pair: _Pair, likeness: Likeness, rate: float) -> float:
    total, _, _ = align_frames(pair.heard, pair.spoken, likeness, rate)
    return -total / len(pair.heard)


def align_frames(
    heard: np.ndarray, spoken: np.ndarray, likeness: Likeness, rate: float
) -> tuple[float, np.ndarray, np.ndarray]:
    """The nats of the best path in all; for each frame heard its place in `spoken` (float [n]), and its nats [n].

    `spoken` is made `rate` times as long first, but no further from the recording's length than can be aligned.
    """
    count = round(min(max(len(spoken) * rate, 0.5 * len(heard)), 2.0 * len(heard)))
    total, path, nats = align(*likeness.terms(heard, stretched(spoken, count)))
    return total, path * ((len(spoken) - 1) / max(1, count - 1)), nats
