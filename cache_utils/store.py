"""`CacheStore`: files by key with a limit on their volume, shared safely by several processes.

On disk: `entries/ab/abcdef...` one file an entry, `leases/*.json`, `lock`. There is no database: an entry's
modification time is its last use, set by us (`os.utime`), since access times are off on many machines.
Entries appear by an atomic replace and vanish by unlink, so readers need no lock; evicting and leasing take one.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cache_utils import leases
from cache_utils.atomic import write_atomically, writer_of
from cache_utils.lock import file_lock
from cache_utils.policy import Entry, order_of_eviction

__all__ = ["CacheStore", "Entry", "Freed"]

LOOK_AGAIN_BYTES = 64 * 1024**2
"""The most that a process writes before it counts the volume again, since others write too."""

_KEY = re.compile(r"[A-Za-z0-9]{2}[A-Za-z0-9_.-]{0,198}")


@dataclass(frozen=True)
class Freed:
    """What an eviction removed."""

    entries: int
    size_bytes: int


class CacheStore:
    """The cache in folder `root`, of at most `max_bytes`, cleaned down to `threshold` (a share) of that.

    Leased entries are never removed, so a live run that needs more than the limit makes the volume pass it.
    Threads may share a store, and it can be pickled (its folder and limits travel, not its content).
    Keys: 2 to 200 letters, digits, `_`, `-` and `.`, beginning with two letters or digits; ValueError otherwise.
    """

    def __init__(self, root: Path, max_bytes: int, threshold: float = 0.8) -> None:
        if max_bytes <= 0:
            raise ValueError(f"A cache of {max_bytes} bytes holds nothing; give a limit above 0.")
        if not 0 < threshold <= 1:
            raise ValueError(f"The threshold is {threshold:g}; give a share of the limit, above 0 and at most 1.")
        self.root = root
        self.max_bytes = max_bytes
        self.threshold = threshold
        self._entries_dir = root / "entries"
        self._entries_text = str(self._entries_dir)
        self._leases_dir = root / "leases"
        self._budget_lock = threading.Lock()
        self._budget: int | None = None  # bytes that may be written before the volume is counted again
        self._entries_dir.mkdir(parents=True, exist_ok=True)
        self._leases_dir.mkdir(exist_ok=True)

    def __reduce__(self) -> tuple[type[CacheStore], tuple[Path, int, float]]:
        return CacheStore, (self.root, self.max_bytes, self.threshold)

    # Reading

    def get(self, key: str) -> bytes | None:
        """The entry's bytes, or None when it is absent. Marks the use."""
        path = self.path(key)
        try:
            return None if path is None else path.read_bytes()
        except FileNotFoundError:  # evicted since
            return None

    def path(self, key: str) -> Path | None:
        """The entry's file, or None when it is absent. Marks the use. Unleased, it may be evicted at any time."""
        path = self._file(key)
        try:
            os.utime(path)
        except FileNotFoundError:
            return None
        return path

    def contains(self, key: str) -> bool:
        """Whether the entry is there. Marks no use."""
        return self._file(key).is_file()

    def has_all(self, keys: Iterable[str]) -> bool:
        """Whether every entry is there. Marks no use. Lease them first, or they may go between question and use."""
        return all(map(self.contains, keys))

    def sizes(self, keys: Iterable[str]) -> dict[str, int]:
        """The bytes of those entries that are there. Marks their use."""
        found = {}
        for key in keys:
            path = self._name(key)
            try:
                os.utime(path)
                found[key] = os.stat(path).st_size  # noqa: PTH116 - asked for every clip at once: see `_name`
            except FileNotFoundError:
                continue
        return found

    def entries(self) -> list[Entry]:
        """Every entry, in no order."""
        return list(self._scan())

    def volume(self) -> int:
        """The bytes of all entries, counted now."""
        return sum(entry.size_bytes for entry in self._scan())

    # Writing

    def put(self, key: str, data: bytes) -> Path:
        """Write the entry, whole or not at all, and cull when the volume passes the limit (never this entry).

        It is not forced onto the disk, which takes longer than making it: after a power cut it may be damaged, and its
        reader has to know. Raises OSError when the disk is full or can't be written.
        """
        path = self._file(key)
        try:
            write_atomically(path, data, durable=False)
        except FileNotFoundError:  # the first of its folder
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, data, durable=False)
        with self._budget_lock:
            if self._budget is not None:
                self._budget -= len(data)
            due = self._budget is None or self._budget < 0
        if due:
            self._free(above=self.max_bytes, down_to=self._target, keep={key})
        return path

    def discard(self, key: str) -> None:
        """Remove the entry, leased or not: for one that its reader found damaged."""
        self._file(key).unlink(missing_ok=True)

    # Leases

    def lease(self, owner: str, keys: Iterable[str]) -> None:
        """Protect `keys`, there already or not yet, from eviction as long as this process lives.

        Takes the place of what `owner` leased in this process before. Lease first, then put or look what is there.
        """
        keys = list(keys)
        for key in keys:
            self._name(key)
        with file_lock(self.root / "lock"):  # an eviction under way does not know this lease: wait until it is done
            leases.take(self._leases_dir, owner, keys)

    def release(self, owner: str) -> None:
        """End what `owner` leased in this process or in processes that are gone."""
        leases.give_back(self._leases_dir, owner)

    def leased(self) -> frozenset[str]:
        """The keys that live processes have leased."""
        now = time.time()
        live = (lease for _, lease in leases.read_all(self._leases_dir) if lease is not None and lease.alive(now))
        return frozenset(key for lease in live for key in lease.keys)

    # Freeing

    def cull(self) -> Freed:
        """When the volume is past the limit: evict, least recently used first, down to the threshold."""
        return self._free(above=self.max_bytes, down_to=self._target)

    def clean(self) -> Freed:
        """When the volume is above the threshold: evict, least recently used first, down to it."""
        return self._free(above=self._target, down_to=self._target)

    def clear(self) -> Freed:
        """Evict everything that no live process has leased."""
        return self._free(above=0, down_to=0)

    def check(self, fix: bool = False) -> list[str]:
        """What does not belong here, a sentence each; with `fix` it is removed too."""
        problems: list[tuple[str, Path]] = []
        for path in self._entries_dir.glob("*/*"):
            if (pid := writer_of(path)) is not None:
                if leases.process_identity(pid) is None:
                    problems.append((f"{path.name} was left half written by process {pid}, which is gone.", path))
            elif not _KEY.fullmatch(path.name) or path.parent.name != path.name[:2] or not path.is_file():
                problems.append((f"{path.relative_to(self.root)} is not an entry of this cache.", path))
        for path, lease in leases.read_all(self._leases_dir):
            if lease is None:
                problems.append((f"{path.name} is no lease that can be read.", path))
            elif not lease.alive(time.time()):
                problems.append((f"{lease.owner} leases {len(lease.keys)} entries, but its process is gone.", path))
        for path in self._leases_dir.glob(".*"):
            if (pid := writer_of(path)) is not None and leases.process_identity(pid) is None:
                problems.append((f"{path.name} was left half written by process {pid}, which is gone.", path))
        if fix:
            for _, path in problems:
                if path.is_file() or path.is_symlink():
                    path.unlink(missing_ok=True)
        return [sentence for sentence, _ in problems]

    @property
    def _target(self) -> int:
        return int(self.threshold * self.max_bytes)

    def _free(self, *, above: int, down_to: int, keep: Collection[str] = ()) -> Freed:
        with file_lock(self.root / "lock"):
            entries = self.entries()
            volume = sum(entry.size_bytes for entry in entries)
            removed: list[Entry] = []
            if volume > above:
                chosen = order_of_eviction(entries, self.leased() | set(keep), volume - down_to)
                removed = [entry for entry in chosen if self._evict(entry)]
        freed = Freed(len(removed), sum(entry.size_bytes for entry in removed))
        self._set_budget(self.max_bytes - (volume - freed.size_bytes))
        return freed

    def _evict(self, entry: Entry) -> bool:
        path = self._file(entry.key)
        try:
            if path.stat().st_mtime > entry.last_used:  # used since it was counted
                return False
            path.unlink()
        except FileNotFoundError:  # removed by hand
            return False
        return True

    def _set_budget(self, headroom: int) -> None:
        # At the limit with everything leased, each put would count anew: wait for a sixteenth of the limit then.
        least = min(LOOK_AGAIN_BYTES, self.max_bytes // 16)
        with self._budget_lock:
            self._budget = min(headroom, LOOK_AGAIN_BYTES) if headroom > 0 else least

    def _scan(self) -> Iterator[Entry]:
        for folder in os.scandir(self._entries_dir):
            if not folder.is_dir():
                continue
            for file in os.scandir(folder):
                if not _KEY.fullmatch(file.name):
                    continue
                try:
                    stat = file.stat()
                except FileNotFoundError:  # evicted by another process
                    continue
                yield Entry(file.name, stat.st_size, stat.st_mtime)

    def _file(self, key: str) -> Path:
        return Path(self._name(key))

    def _name(self, key: str) -> str:
        """The entry's file, as text: a Path takes longer to make than its file to be looked up."""
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is no key: use 2 to 200 letters, digits, '_', '-' or '.', two letters first.")
        return f"{self._entries_text}/{key[:2]}/{key}"
