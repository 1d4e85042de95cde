"""One clip's features as a cache entry: its key, its bytes, and reading it back."""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from piper_core.features.settings import FeatureError

if TYPE_CHECKING:
    from cache_utils.store import CacheStore

_HEADER = struct.Struct("<4sIII")  # magic, phonemes, samples, CRC-32 of all that follows
_MAGIC = b"PSF2"


def file_digest(path: Path) -> bytes:
    """SHA-256 of a file's bytes. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def feature_key(
    content: bytes, text: str, settings_identity: bytes, offset_s: float = 0.0, length_s: float | None = None
) -> str:
    """The key of a clip, by the digest of its file, its text and FeatureSettings.identity: 64 hexadecimal digits.

    A span of a file has a key of its own.
    """
    if offset_s or length_s is not None:
        content += f"{offset_s!r} {length_s!r}".encode()
    about = settings_identity + b"\0" + text.encode("utf-8", "surrogateescape")
    return hashlib.sha256(content + about).hexdigest()


def pack(ids: np.ndarray, audio: np.ndarray) -> bytes:
    """Phoneme ids (0 to 65535) and int16 audio as one blob: header, uint16 ids, int16 samples, little-endian."""
    body = ids.astype("<u2").tobytes() + audio.astype("<i2", copy=False).tobytes()
    return _HEADER.pack(_MAGIC, len(ids), len(audio), zlib.crc32(body)) + body


def unpack(blob: bytes) -> tuple[np.ndarray, np.ndarray]:
    """The inverse of `pack`: ids int64 [T], audio int16 [N]. Raises FeatureError for a damaged blob."""
    counts = _counts(blob[: _HEADER.size], len(blob))
    if counts is None or zlib.crc32(memoryview(blob)[_HEADER.size :]) != _HEADER.unpack_from(blob)[3]:
        raise FeatureError("A cache entry is damaged.")
    phonemes, samples = counts
    ids = np.frombuffer(blob, dtype="<u2", count=phonemes, offset=_HEADER.size)
    audio = np.frombuffer(blob, dtype="<i2", count=samples, offset=_HEADER.size + 2 * phonemes)
    return ids.astype(np.int64), audio.astype(np.int16, copy=False)


def load_features(store: CacheStore, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Phoneme ids int64 [T] and audio int16 [N] under `key`.

    Raises FeatureError when the entry is gone or damaged; a damaged one is removed, so that it is made again.
    """
    blob = store.get(key)
    if blob is None:
        raise FeatureError("A cached clip was removed during the run. Resume the run: it prepares the clip again.")
    try:
        return unpack(blob)
    except FeatureError:
        store.discard(key)
        raise FeatureError("A cached clip was damaged. Resume the run: it prepares the clip again.") from None


def entry_size_bytes(phonemes: int, samples: int) -> int:
    """Of an entry with that many."""
    return _HEADER.size + 2 * phonemes + 2 * samples


def stored_counts(path: Path, size_bytes: int) -> tuple[int, int] | None:
    """Phonemes and samples of the entry in `path`; None where it is gone or not whole."""
    try:
        with path.open("rb") as file:
            return _counts(file.read(_HEADER.size), size_bytes)
    except FileNotFoundError:  # evicted by another process meanwhile
        return None


def _counts(header: bytes, size_bytes: int) -> tuple[int, int] | None:
    """Phonemes and samples that a header promises, if the blob has the size for them."""
    if len(header) < _HEADER.size:
        return None
    magic, phonemes, samples, _ = _HEADER.unpack(header)
    return (phonemes, samples) if magic == _MAGIC and size_bytes == entry_size_bytes(phonemes, samples) else None
