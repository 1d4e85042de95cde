"""A dataset's clips -> features in the cache, on every core; what was made before is only looked up.

What is known of the files (see `known_files`) or else their bytes give the keys; what the cache lacks is made in groups
of clips of like length, which the voice activity detector runs over side by side. Threads do: decoding, resampling and
the networks release the GIL.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from piper_core.features.entries import entry_size_bytes, feature_key, file_digest, pack, stored_counts
from piper_core.features.extraction import DecodedClip, decode_clip, finish_clip
from piper_core.features.known_files import Known, Stamp, index_key, read_known, settled, stamp, write_known
from piper_core.features.settings import ClipRefused, FeatureError, FeatureSettings
from piper_core.features.silero import load_silero, silero_problem
from piper_core.features.streaming import streamed
from piper_core.system.cores import cores

if TYPE_CHECKING:
    from cache_utils.store import CacheStore
    from piper_core.dataset.layouts import Utterance

_LOGGER = logging.getLogger(__name__)

GROUP_CLIPS = 16
"""Clips that the detector runs over side by side. More gain little, and make stopping slower."""
GROUP_FILES = 32
"""Files whose bytes are read between two looks at a request to stop."""

_SPAN_BYTES_A_SECOND = 44_100  # 16 bits at 22,050 Hz: to weigh a span, whose file is longer


@dataclass(frozen=True)
class PreparedUtterance:
    """An utterance whose features lie in the cache under `key`."""

    utterance_id: str
    key: str
    phoneme_count: int
    sample_count: int
    speaker_id: int
    text: str


@dataclass(frozen=True)
class Prepared:
    """What can be trained on, in the order of the manifest, and what not: `(utterance id, reason)`."""

    utterances: tuple[PreparedUtterance, ...]
    skipped: tuple[tuple[str, str], ...]
    cache_hits: int = 0
    stopped: bool = False
    """True when `should_stop` ended the work early; `utterances` is then incomplete."""


@dataclass(frozen=True)
class PreparingProgress:
    """Clips done of all, and the seconds left at the present rate (None before the first)."""

    done: int
    total: int
    remaining_s: float | None


class _Clip(NamedTuple):
    """An utterance whose file was looked at. (A tuple: every start makes one a clip.)"""

    place: int
    utterance: Utterance
    path: str
    """Of the file; and the span, where it is one."""
    stamp: Stamp | None
    key: str
    digest: bytes
    noted: bool
    """Whether the stamp stands for the digest from now on."""


Outcome = tuple[int, int] | ClipRefused
"""Phonemes and samples of a clip, or why it can't be used."""


def prepare(
    utterances: Sequence[Utterance],
    settings: FeatureSettings,
    store: CacheStore,
    *,
    speakers: dict[str, int],
    owner: str,
    jobs: int | None = None,
    on_progress: Callable[[PreparingProgress], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Prepared:
    """Makes the features that the cache does not hold yet, on `jobs` threads (all cores by default).

    A clip that can't be used is skipped with its reason. The entries are leased to `owner` before the first is
    written, so that a cache at its limit does not evict what this run needs. Raises FeatureError when the disk is full
    or the detector that `settings` ask for is missing.
    """
    jobs = jobs or cores()
    index = index_key((str(utterance.path) for utterance in utterances), settings)
    known = read_known(store, index)
    outcomes: dict[int, Outcome] = {}
    clips: list[_Clip] = []
    for clip in _keyed(utterances, known, settings, jobs, should_stop):
        if isinstance(clip, _Clip):
            clips.append(clip)
        else:
            outcomes[clip[0]] = clip[1]
    store.lease(owner, {index, *(clip.key for clip in clips)})
    held = _held(store, clips, known)
    outcomes |= held
    missing = [clip for clip in clips if clip.place not in held]
    pace = _Pace(len(utterances), missing, on_progress)
    if missing and not should_stop():
        if settings.trim == "silero":
            _require_silero()
        twins: dict[str, list[_Clip]] = {}
        for clip in missing:  # the same bytes under two names, with the same text, are made once
            twins.setdefault(clip.key, []).append(clip)
        groups = _groups([same[0] for same in twins.values()], jobs)
        for key, outcome in streamed(jobs, lambda group: _made(group, settings, store), groups, should_stop):
            outcomes |= {clip.place: outcome for clip in twins[key]}
            pace.tell(twins[key])
    _note(store, index, known, clips, outcomes)
    return Prepared(
        tuple(_prepared(clips, outcomes, speakers)),
        tuple(
            (utterances[place].utterance_id, str(outcome))
            for place, outcome in sorted(outcomes.items())
            if isinstance(outcome, ClipRefused)
        ),
        len(held),
        stopped=len(outcomes) < len(utterances) or should_stop(),
    )


def _keyed(
    utterances: Sequence[Utterance],
    known: Mapping[str, Known],
    settings: FeatureSettings,
    jobs: int,
    should_stop: Callable[[], bool],
) -> Iterator[_Clip | tuple[int, ClipRefused]]:
    """Every utterance with its key, or why its file can't be read: from what is known, or from its bytes."""
    identity = settings.identity

    def key(digest: bytes, said: Utterance) -> str:
        return feature_key(digest, said.text, identity, said.offset_s, said.length_s)

    unread: list[tuple[int, Utterance, str, Stamp | None]] = []
    for place, utterance in enumerate(utterances):
        name = _name(utterance)
        now, row = stamp(str(utterance.path)), known.get(name)
        if row is not None and row.stamp == now:
            yield _Clip(place, utterance, name, now, key(row.digest, utterance), row.digest, noted=True)
        else:
            unread.append((place, utterance, name, now))
    digests: dict[Path, tuple[bytes, bool]] = {}  # a file with many spans is read once

    def read(
        files: Sequence[tuple[int, Utterance, str, Stamp | None]],
    ) -> Iterator[_Clip | tuple[int, ClipRefused]]:
        for place, utterance, name, before in files:
            found = digests.get(utterance.path) if utterance.is_span else None
            if found is None:
                read_at = time.time()
                try:
                    digest = file_digest(utterance.path)
                except OSError as error:
                    yield place, ClipRefused(f"can't be read: {error.strerror or error}")
                    continue
                noted = before is not None and settled(before, stamp(str(utterance.path)), read_at)
                digests[utterance.path] = found = digest, noted
            digest, noted = found
            yield _Clip(place, utterance, name, before, key(digest, utterance), digest, noted)

    parts = [unread[start : start + GROUP_FILES] for start in range(0, len(unread), GROUP_FILES)]
    if parts:
        yield from streamed(jobs, read, parts, should_stop)


def _held(store: CacheStore, clips: Sequence[_Clip], known: Mapping[str, Known]) -> dict[int, tuple[int, int]]:
    """Phonemes and samples of what the cache holds, by the utterance's place."""
    sizes = store.sizes({clip.key for clip in clips})
    held = {}
    for clip in clips:
        size_bytes, row = sizes.get(clip.key), known.get(clip.path)
        if size_bytes is None:
            continue
        if row is not None and row.key == clip.key and size_bytes == entry_size_bytes(row.phonemes, row.samples):
            held[clip.place] = (row.phonemes, row.samples)
        elif (path := store.path(clip.key)) and (counts := stored_counts(path, size_bytes)):
            held[clip.place] = counts
    return held


def _groups(clips: Sequence[_Clip], jobs: int) -> list[list[_Clip]]:
    """Clips of like size together; the groups in the order of the manifest, so that long clips do not all come last."""
    size = max(1, min(GROUP_CLIPS, math.ceil(len(clips) / jobs)))
    ordered = sorted(clips, key=_size_bytes)
    groups = [ordered[start : start + size] for start in range(0, len(ordered), size)]
    return sorted(groups, key=lambda group: min(clip.place for clip in group))


def _made(group: Sequence[_Clip], settings: FeatureSettings, store: CacheStore) -> Iterator[tuple[str, Outcome]]:
    """Makes and saves the features of a group; yields key and outcome of each clip. Raises FeatureError."""
    decoded: list[tuple[_Clip, DecodedClip]] = []
    for clip in group:
        try:
            said = clip.utterance
            span = (said.offset_s, said.length_s) if said.is_span else ()
            decoded.append((clip, decode_clip(said.path, settings, *span)))
        except ClipRefused as refused:
            yield clip.key, refused
    encoded = [one.encoded for _, one in decoded if one.encoded is not None]
    speech = iter(load_silero().speech(encoded) if encoded else ())
    for clip, one in decoded:
        try:
            ids, audio = finish_clip(one, None if one.encoded is None else next(speech), clip.utterance.text, settings)
            store.put(clip.key, pack(ids, audio))
        except ClipRefused as refused:
            yield clip.key, refused
        except OSError as error:
            reason = error.strerror or error
            raise FeatureError(f"The features could not be saved: {reason}. Free some space.") from None
        else:
            yield clip.key, (len(ids), len(audio))


def _require_silero() -> None:
    problem = silero_problem()
    if problem is not None:
        raise FeatureError(f"Silence can't be trimmed as Piper does it: {problem}.")
    load_silero()  # once, before the threads all ask for it


def _note(
    store: CacheStore, index: str, known: Mapping[str, Known], clips: Sequence[_Clip], outcomes: Mapping[int, Outcome]
) -> None:
    """Keeps what is known of the files now, for the next start."""
    if len(known) == len(clips) and all(
        (row := known.get(clip.path)) is not None and row.key == clip.key and row.stamp == clip.stamp for clip in clips
    ):
        return
    now = {}
    for clip in clips:
        outcome = outcomes.get(clip.place)
        if clip.noted and clip.stamp is not None and isinstance(outcome, tuple):
            now[clip.path] = Known(clip.stamp, clip.digest, clip.key, *outcome)
    if now:
        try:
            write_known(store, index, now)
        except OSError as error:
            _LOGGER.warning("The next start reads every clip again: the index could not be kept (%s).", error)


def _prepared(
    clips: Sequence[_Clip], outcomes: Mapping[int, Outcome], speakers: Mapping[str, int]
) -> Iterator[PreparedUtterance]:
    for clip in sorted(clips, key=lambda clip: clip.place):
        outcome, utterance = outcomes.get(clip.place), clip.utterance
        if isinstance(outcome, tuple):
            speaker = speakers.get(utterance.speaker or "", 0)
            yield PreparedUtterance(utterance.utterance_id, clip.key, *outcome, speaker, utterance.text)


def _name(utterance: Utterance) -> str:
    """What the index knows a clip by."""
    path = str(utterance.path)
    return f"{path}\0{utterance.offset_s!r}\0{utterance.length_s!r}" if utterance.is_span else path


def _size_bytes(clip: _Clip) -> int:
    if clip.utterance.length_s is not None:
        return int(clip.utterance.length_s * _SPAN_BYTES_A_SECOND)
    return clip.stamp[0] if clip.stamp else 0


class _Pace:
    """Tells how far the making is. Clips count by their bytes: long ones take longer."""

    def __init__(
        self, total: int, missing: Sequence[_Clip], on_progress: Callable[[PreparingProgress], None] | None
    ) -> None:
        self._total = total
        self._done = total - len(missing)
        self._left_bytes = sum(map(_size_bytes, missing))
        self._done_bytes = 0
        self._started = time.monotonic()
        self._on_progress = on_progress
        if on_progress and self._done:
            on_progress(PreparingProgress(self._done, total, None if missing else 0.0))

    def tell(self, clips: Sequence[_Clip]) -> None:
        size_bytes = sum(map(_size_bytes, clips))
        self._done += len(clips)
        self._done_bytes += size_bytes
        self._left_bytes -= size_bytes
        if self._on_progress:
            spent_s = time.monotonic() - self._started
            left_s = spent_s * self._left_bytes / self._done_bytes if self._done_bytes else None
            self._on_progress(PreparingProgress(self._done, self._total, left_s))
