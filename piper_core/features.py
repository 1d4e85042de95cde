"""Utterance -> cached training features: int16 audio at the voice's rate, and phoneme ids, keyed by content.

A key is a hash of the audio file's bytes, the text, the language, the audio settings and FEATURE_VERSION, so an edit
anywhere makes new features, and moving a file or reordering the manifest makes none. Spectrograms are not stored:
they are computed on the fly, which leaves the cache about six times smaller.
"""

from __future__ import annotations

import hashlib
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from piper_core.system.cores import cores

if TYPE_CHECKING:
    from cache_utils.store import CacheStore
    from piper_core.dataset.layouts import Utterance

FEATURE_VERSION = 1
"""Counts up whenever the same input would give other features."""

_HEADER = struct.Struct("<4sII")  # magic, phonemes, samples
_MAGIC = b"PSF1"
_BLOCK_BYTES = 1 << 20
_FRAME, _HOP = 2048, 512  # of the silence trim, as librosa.effects.trim


class FeatureError(RuntimeError):
    """Features that can't be made or read at all (no clip usable, disk full). The message says what to do."""


class ClipRefused(ValueError):
    """One clip that can't be trained on. The message says why."""


@dataclass(frozen=True)
class FeatureSettings:
    """What features depend on, beside the clip itself."""

    sample_rate: int
    """Hertz, the voice's."""
    language: str
    """The espeak-ng voice."""
    trim_db: float = 40.0
    """Edges this far below the clip's loudest frame are silence."""
    keep_silence_s: float = 0.25
    """Silence left at each edge, as Piper's trainer leaves."""
    shortest_samples: int = 8192
    """One training segment of VITS: shorter clips can't be sliced."""
    longest_s: float = 30.0
    """Longer clips are left out: a batch's memory grows with its longest clip."""
    hop_length: int = 256
    """Samples a spectrogram frame."""


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


def feature_key(path: Path, text: str, settings: FeatureSettings) -> str:
    """The content key of a clip and its text: 64 hexadecimal digits. Raises OSError when the file can't be read."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    about = repr((FEATURE_VERSION, text, sorted(asdict(settings).items())))
    return hashlib.sha256(digest.digest() + about.encode("utf-8")).hexdigest()


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
    """Makes the features that the cache does not hold yet, on `jobs` threads (decoding and FFT release the GIL).

    A clip that can't be used is skipped with its reason. The entries are leased to `owner` before the first is
    written, so that a cache at its limit does not evict what this run needs. Raises FeatureError when the disk is full.
    """
    jobs = jobs or cores()
    ready: dict[int, PreparedUtterance] = {}
    refused: dict[int, str] = {}
    hits = 0
    started, done, stopped = time.monotonic(), 0, False

    def one(utterance: Utterance, key: str) -> tuple[int, int, bool]:
        counts = _stored_counts(store, key)
        if counts is not None:
            return (*counts, True)
        ids, audio = extract(utterance.path, utterance.text, settings)
        try:
            store.put(key, pack(ids, audio))
        except OSError as error:
            raise FeatureError(
                f"The features could not be saved: {error.strerror or error}. Free some space."
            ) from None
        return len(ids), len(audio), False

    with ThreadPoolExecutor(jobs, thread_name_prefix="features") as pool:
        keys = _keys(pool, utterances, settings, refused, should_stop)
        store.lease(owner, [key for key in keys if key])
        futures: dict[Future[tuple[int, int, bool]], int] = {
            pool.submit(one, utterance, key): index
            for index, (utterance, key) in enumerate(zip(utterances, keys, strict=True))
            if key
        }
        done = len(utterances) - len(futures)
        try:
            for future in as_completed(futures):
                if should_stop():
                    stopped = True
                    break
                index, done = futures[future], done + 1
                utterance = utterances[index]
                try:
                    phonemes, samples, hit = future.result()
                except ClipRefused as error:
                    refused[index] = str(error)
                else:
                    hits += hit
                    speaker_id = speakers.get(utterance.speaker or "", 0)
                    ready[index] = PreparedUtterance(
                        utterance.utterance_id, keys[index], phonemes, samples, speaker_id, utterance.text
                    )
                if on_progress:
                    pace = (time.monotonic() - started) / done
                    on_progress(PreparingProgress(done, len(utterances), pace * (len(utterances) - done)))
        finally:
            for future in futures:
                future.cancel()
    return Prepared(
        tuple(ready[index] for index in sorted(ready)),
        tuple((utterances[index].utterance_id, refused[index]) for index in sorted(refused)),
        hits,
        stopped or should_stop(),
    )


def extract(path: Path, text: str, settings: FeatureSettings) -> tuple[np.ndarray, np.ndarray]:
    """Phoneme ids int64 [T] and trimmed audio int16 [N] of one clip. Raises ClipRefused."""
    from piper_core.dataset.text import TextError, phoneme_ids

    audio = _trim(_decode(path, settings), settings)
    if len(audio) < settings.shortest_samples:
        raise ClipRefused(
            f"too short: {len(audio) / settings.sample_rate:.2f} s of speech, and training needs at least "
            f"{settings.shortest_samples / settings.sample_rate:.2f} s"
        )
    try:
        ids = phoneme_ids(text, settings.language)
    except TextError as error:
        raise ClipRefused(str(error)) from None
    if len(ids) <= 3:  # only the marks of beginning, pad and end
        raise ClipRefused("its text has no phonemes")
    frames = len(audio) // settings.hop_length
    if len(ids) > frames:
        # Monotonic alignment gives every phoneme at least one frame.
        raise ClipRefused(f"too much text for its audio: {len(ids)} phoneme ids on {frames} frames")
    return np.asarray(ids, dtype=np.int64), audio


def pack(ids: np.ndarray, audio: np.ndarray) -> bytes:
    """Phoneme ids (0 to 65535) and int16 audio as one blob: header, uint16 ids, int16 samples, little-endian."""
    return _HEADER.pack(_MAGIC, len(ids), len(audio)) + ids.astype("<u2").tobytes() + audio.astype("<i2").tobytes()


def unpack(blob: bytes) -> tuple[np.ndarray, np.ndarray]:
    """The inverse of `pack`: ids int64 [T], audio int16 [N]. Raises FeatureError for a damaged blob."""
    counts = _counts(blob[: _HEADER.size], len(blob))
    if counts is None:
        raise FeatureError("A cache entry is damaged. Clear the cache, and start the run again.")
    phonemes, samples = counts
    ids = np.frombuffer(blob, dtype="<u2", count=phonemes, offset=_HEADER.size)
    audio = np.frombuffer(blob, dtype="<i2", count=samples, offset=_HEADER.size + 2 * phonemes)
    return ids.astype(np.int64), audio.astype(np.int16, copy=False)


def load_features(store: CacheStore, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Phoneme ids int64 [T] and audio int16 [N] under `key`. Raises FeatureError when the entry is gone or damaged."""
    blob = store.get(key)
    if blob is None:
        raise FeatureError("A cached clip was removed during the run. Resume the run: it prepares the clip again.")
    return unpack(blob)


def _keys(
    pool: ThreadPoolExecutor,
    utterances: Sequence[Utterance],
    settings: FeatureSettings,
    refused: dict[int, str],
    should_stop: Callable[[], bool],
) -> list[str]:
    """A key an utterance; empty, with the reason in `refused`, where the file can't be read."""

    def key_of(utterance: Utterance) -> str | OSError:
        if should_stop():
            return ""
        try:
            return feature_key(utterance.path, utterance.text, settings)
        except OSError as error:
            return error

    keys = []
    for index, outcome in enumerate(pool.map(key_of, utterances)):
        if isinstance(outcome, OSError):
            refused[index] = f"can't be read: {outcome.strerror or outcome}"
        keys.append(outcome if isinstance(outcome, str) else "")
    return keys


def _counts(header: bytes, size_bytes: int) -> tuple[int, int] | None:
    """Phonemes and samples that a header promises, if the blob has the size for them."""
    if len(header) < _HEADER.size:
        return None
    magic, phonemes, samples = _HEADER.unpack(header)
    whole = _HEADER.size + 2 * phonemes + 2 * samples
    return (phonemes, samples) if magic == _MAGIC and size_bytes == whole else None


def _stored_counts(store: CacheStore, key: str) -> tuple[int, int] | None:
    path = store.path(key)
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            return _counts(file.read(_HEADER.size), path.stat().st_size)
    except FileNotFoundError:  # evicted by another process meanwhile
        return None


def _decode(path: Path, settings: FeatureSettings) -> np.ndarray:
    """float32 mono [N] at the settings' rate. Decodes little more than `longest_s`, whatever the header claims."""
    from piper_core.dataset.audio import AudioError, load_clip

    try:
        audio, _ = load_clip(path, settings.sample_rate, max_s=settings.longest_s + 1)
    except AudioError as error:
        raise ClipRefused(str(error).rstrip(".")) from None
    if len(audio) > settings.longest_s * settings.sample_rate:
        raise ClipRefused(f"too long: over {settings.longest_s:g} s, the longest that is trained on")
    if not np.isfinite(audio).all():
        raise ClipRefused("holds samples that are not numbers")
    return audio


def _trim(audio: np.ndarray, settings: FeatureSettings) -> np.ndarray:
    """int16 [N]: the clip less its silent edges but for `keep_silence_s` each side. Raises ClipRefused if silent.

    A frame is silence when its mean power lies more than `trim_db` below the loudest frame's (the rule of
    librosa.effects.trim: frames of 2048 samples centred every 512).
    """
    if not len(audio):
        raise ClipRefused("holds no samples")
    power = np.concatenate(([0.0], np.cumsum(np.square(audio, dtype=np.float64))))
    centres = np.arange(0, len(audio) + 1, _HOP)
    frame_power = (
        power[np.minimum(centres + _FRAME // 2, len(audio))] - power[np.maximum(centres - _FRAME // 2, 0)]
    ) / _FRAME
    loudest = frame_power.max()
    if loudest < 1e-10:  # below -100 dBFS, under one step of 16 bits
        raise ClipRefused("is silent")
    sounding = np.flatnonzero(frame_power > loudest * 10 ** (-settings.trim_db / 10))
    keep = int(settings.keep_silence_s * settings.sample_rate)
    start = max(0, int(sounding[0]) * _HOP - keep)
    end = min(len(audio), (int(sounding[-1]) + 1) * _HOP + keep)
    return np.clip(np.rint(audio[start:end] * 32768.0), -32768, 32767).astype(np.int16)


def speaker_ids(speakers: Iterable[str | None]) -> dict[str, int]:
    """Speaker name -> id, in order of first appearance, as Piper numbers them; empty for a single speaker."""
    names = dict.fromkeys(name for name in speakers if name)
    return {name: index for index, name in enumerate(names)} if len(names) > 1 else {}
