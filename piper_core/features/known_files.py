"""What a former start knew of a dataset's files, so that the next one looks at each and reads none.

One cache entry a dataset and settings: for each clip its file's stamp (size, times, inode), the digest of its bytes,
and the key and counts of its features. A file whose stamp is another is read again; a file that changed shortly before
it was read is not noted, since a second change within the clock's grain would leave the same stamp (Git calls such
entries racy). The change time is part of the stamp: a program that sets the modification time back does not hide.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from piper_core.features.settings import FeatureSettings

if TYPE_CHECKING:
    from cache_utils.store import CacheStore

SETTLED_S = 2.0
"""A file that changed later than this before it was read is not noted; FAT's clock has this grain."""
_FORMAT = 1

Stamp = tuple[int, int, int, int]
"""Size in bytes, time of modification and of change in nanoseconds, inode."""


class Known(NamedTuple):
    """A clip as it was found last time. (A tuple: every start makes one a clip.)"""

    stamp: Stamp
    digest: bytes
    """SHA-256 of the file."""
    key: str
    """Of its features with the text that it had then."""
    phonemes: int
    samples: int


def index_key(paths: Iterable[str], settings: FeatureSettings) -> str:
    """The cache key of a dataset's index: by the folders that its clips lie in, and the settings."""
    folders = {os.path.dirname(path) for path in paths}  # noqa: PTH120 - of every clip, at each start
    about = (
        "\0".join(sorted(str(Path(folder).absolute()) for folder in folders)).encode("utf-8", "surrogateescape")
        + settings.identity
    )
    return f"index-{hashlib.sha256(about).hexdigest()}"


def read_known(store: CacheStore, key: str) -> dict[str, Known]:
    """The clips of an index by their path; none where there is no index, or a damaged one."""
    try:
        content = json.loads(store.get(key) or b"{}")
        if content.get("format") != _FORMAT:
            return {}
        return {
            path: Known(tuple(stamp), bytes.fromhex(digest), feature, phonemes, samples)
            for path, (stamp, digest, feature, phonemes, samples) in content["clips"].items()
        }
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def write_known(store: CacheStore, key: str, clips: dict[str, Known]) -> None:
    """Raises OSError when the disk is full."""
    rows = {
        path: [clip.stamp, clip.digest.hex(), clip.key, clip.phonemes, clip.samples] for path, clip in clips.items()
    }
    store.put(key, json.dumps({"format": _FORMAT, "clips": rows}, separators=(",", ":")).encode())


def stamp(path: str) -> Stamp | None:
    """The stamp of a file, links followed; None where there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116 - once for every clip at each start
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def settled(before: Stamp, after: Stamp | None, read_at: float) -> bool:
    """Whether a file that was read from `read_at` (Unix seconds) on is what its stamp stands for from now on."""
    return before == after and max(before[1], before[2]) < (read_at - SETTLED_S) * 1e9
