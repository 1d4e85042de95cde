"""What inspections found out, kept for the next one: a SQLite file a dataset, a row a clip and a text.

A clip's row holds while the file's size and time stay; a text's is found by the text itself. What is new is written
every second while an inspection runs, so that not even a killed one is for nothing; several may share the file.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from piper_core.dataset.audio import MEASURE_VERSION, ClipMeasurements, Unreadable

Stamp = tuple[int, int]
"""A file's size in bytes and its time of change in nanoseconds."""
WRITE_EVERY_S = 1.0
_FORMAT = 1
"""Raised when the same columns begin to mean something else."""
_KEPT = tuple(ClipMeasurements.__dataclass_fields__)
_STAMPED = "clip BLOB PRIMARY KEY, file_bytes INTEGER, mtime_ns INTEGER"
_TABLES = {
    "clips": f"{_STAMPED}, problem, {', '.join(_KEPT)}",
    "pitches": f"{_STAMPED}, pitch_hz",
    "audits": "clip BLOB PRIMARY KEY, of BLOB, transcript_cost",
    "texts": "text BLOB, language, phonemes, unknown, phoneme_count, crashes INTEGER, PRIMARY KEY (text, language)",
}
_VERSION = zlib.crc32(repr((_FORMAT, MEASURE_VERSION, _TABLES)).encode()) >> 1
"""SQLite keeps it as `user_version`, with a sign."""
_DAMAGED = ("malformed", "not a database", "no such table", "no such column")


@dataclass(frozen=True)
class SpokenText:
    """A text's phonemes, each a single character, as Piper reads them."""

    phonemes: str
    unknown: str
    """Those that a Piper voice has no id for, in the order they come."""
    count: int | None
    """Of the phonemes, spaces and punctuation aside; stress and length count. None: not known."""
    crashes: bool = False
    """espeak-ng ends the whole process that gives it this text: so would the training."""


class KeptMeasurements:
    """Reads what is known, and takes in what is new. For one thread."""

    def __init__(self, file: Path | None, database: sqlite3.Connection | None, problem: str | None = None) -> None:
        self._file = file
        self._database = database
        self._problem = problem
        self._new: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        self._new_since = 0.0

    @classmethod
    def open(cls, cache_dir: Path | None, folder: Path) -> KeptMeasurements:
        """What is known of the dataset in `folder`; nothing is kept without a `cache_dir`."""
        if cache_dir is None:
            return cls(None, None)
        name = hashlib.blake2b(_key(str(folder.resolve())), digest_size=12).hexdigest()
        file = cache_dir / f"{name}.sqlite"
        try:
            cache_dir.mkdir(parents=True, exist_ok=True)
            return cls(file, _connected(file))
        except (OSError, sqlite3.Error) as error:
            return cls(None, None, _sentence(error))

    @property
    def is_open(self) -> bool:
        """Whether anything is kept at all."""
        return self._database is not None

    def measurements(
        self, clips: Sequence[str], stamps: Sequence[Stamp | None]
    ) -> list[ClipMeasurements | Unreadable | None]:
        """Of each clip (as `clip_key` names it) what was measured when its file had that stamp; None where unknown."""
        found: list[ClipMeasurements | Unreadable | None] = [None] * len(clips)
        known = self._known("clips", f"problem, {', '.join(_KEPT)}")
        for index, (clip, stamp) in enumerate(zip(clips, stamps, strict=True)) if known else ():
            row = known.get(_key(clip))
            if row is None or row[1:3] != stamp:
                continue
            if row[3] is not None:
                found[index] = Unreadable(row[3])
            else:
                measured = object.__new__(ClipMeasurements)
                # The fields of a frozen dataclass at once: its own constructor takes four times as long.
                measured.__dict__.update(zip(_KEPT, row[4:], strict=True))
                found[index] = measured
        return found

    def keep_measurement(self, clip: str, stamp: Stamp, measured: ClipMeasurements | Unreadable) -> None:
        """For the next inspection."""
        if isinstance(measured, Unreadable):
            row: tuple[Any, ...] = (measured.reason, *[None] * len(_KEPT))
        else:
            row = (None, *(getattr(measured, name) for name in _KEPT))
        self._keep("clips", (_key(clip), *stamp, *row))

    def pitches(self, clips: Sequence[str], stamps: Sequence[Stamp | None]) -> dict[int, float | None]:
        """Index of a clip whose pitch is known -> Hz, or None where no voice was found in it."""
        known = self._known("pitches", "pitch_hz")
        rows = [known.get(_key(clip)) for clip in clips] if known else []
        return {index: row[3] for index, row in enumerate(rows) if row is not None and row[1:3] == stamps[index]}

    def keep_pitch(self, clip: str, stamp: Stamp, pitch_hz: float | None) -> None:
        """For the next inspection."""
        self._keep("pitches", (_key(clip), *stamp, pitch_hz))

    def audits(self, clips: Sequence[str], of: bytes) -> dict[int, float | None]:
        """Index of a clip with a cost from the audit `of` these clips and texts -> cost, None where it has none."""
        rows = self._rows("SELECT clip, transcript_cost FROM audits WHERE of = ?", of)
        costs = {clip: cost for clip, cost in rows}
        keys = [_key(clip) for clip in clips]
        return {index: costs[key] for index, key in enumerate(keys) if key in costs}

    def keep_audit(self, clip: str, of: bytes, cost: float | None) -> None:
        """For the next inspection."""
        self._keep("audits", (_key(clip), of, cost))

    def spoken_texts(self, language: str) -> dict[str, SpokenText]:
        """Every text whose phonemes in `language` are known."""
        rows = self._rows(
            "SELECT text, phonemes, unknown, phoneme_count, crashes FROM texts WHERE language = ?", language
        )
        return {
            text.decode(errors="surrogatepass"): SpokenText(phonemes, unknown, count, bool(crashes))
            for text, phonemes, unknown, count, crashes in rows
        }

    def keep_text(self, text: str, language: str, spoken: SpokenText) -> None:
        """For the next inspection."""
        self._keep("texts", (_key(text), language, spoken.phonemes, spoken.unknown, spoken.count, spoken.crashes))

    def close(self) -> str | None:
        """Write what is new, after a stopped inspection too. A sentence where that can't be done, else None."""
        self._write()
        if self._database is not None:
            self._database.close()
            self._database = None
        return self._problem

    def _known(self, table: str, columns: str) -> dict[bytes, tuple[Any, ...]]:
        """Clip -> its row: the clip, the two parts of its file's stamp, and `columns`."""
        rows = self._rows(f"SELECT clip, file_bytes, mtime_ns, {columns} FROM {table}")
        return {row[0]: row for row in rows}

    def _rows(self, query: str, *parameters: str | bytes) -> Iterable[tuple[Any, ...]]:
        if self._database is None:
            return ()
        try:
            return self._database.execute(query, parameters).fetchall()
        except sqlite3.Error as error:
            self._give_up(error)
            return ()

    def _keep(self, table: str, row: tuple[Any, ...]) -> None:
        if self._database is not None:
            if not self._new:
                self._new_since = time.monotonic()
            self._new[table].append(row)
            if time.monotonic() - self._new_since > WRITE_EVERY_S:
                self._write()

    def _write(self) -> None:
        if self._database is None or not self._new:
            return
        try:
            self._database.execute("BEGIN IMMEDIATE")
            with self._database:
                for table, rows in self._new.items():
                    places = ", ".join("?" * len(rows[0]))
                    self._database.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({places})", rows)
        except sqlite3.Error as error:
            self._give_up(error)
        self._new.clear()

    def _give_up(self, error: sqlite3.Error) -> None:
        """A damaged file is made anew, with another trouble nothing more is kept."""
        assert self._database is not None
        assert self._file is not None
        self._database.close()
        self._database = None
        try:
            if not _is_damage(error):
                raise error
            self._database = _connected(self._file, anew=True)
        except (OSError, sqlite3.Error) as trouble:
            self._problem = _sentence(trouble)


def clip_key(path: str, offset_s: float = 0.0, length_s: float | None = None) -> str:
    """The name under which a file, or a span of it, is kept."""
    return path if offset_s == 0.0 and length_s is None else f"{path}\0{offset_s}\0{length_s}"


def _connected(file: Path, anew: bool = False) -> sqlite3.Connection:
    """The database in `file`; empty if `anew`, damaged, or of another version. Raises OSError, sqlite3.Error."""
    if anew:
        for part in (file, file.with_name(f"{file.name}-journal")):
            part.unlink(missing_ok=True)
    database = sqlite3.connect(file, isolation_level=None)
    try:
        # All of this can be measured again, so nothing waits for the disk: a power cut may damage it, a kill does not.
        database.execute("PRAGMA synchronous = OFF")
        if database.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            _make_tables(database)
    except sqlite3.Error as error:
        database.close()
        if anew or not _is_damage(error):
            raise
        return _connected(file, anew=True)
    return database


def _make_tables(database: sqlite3.Connection) -> None:
    database.execute("BEGIN IMMEDIATE")
    with database:
        if database.execute("PRAGMA user_version").fetchone()[0] != _VERSION:  # another process may have been quicker
            for name, columns in _TABLES.items():
                database.execute(f"DROP TABLE IF EXISTS {name}")
                database.execute(f"CREATE TABLE {name} ({columns}) WITHOUT ROWID")
            database.execute(f"PRAGMA user_version = {_VERSION}")


def _is_damage(error: sqlite3.Error) -> bool:
    return isinstance(error, sqlite3.DatabaseError) and any(sign in str(error) for sign in _DAMAGED)


def _key(text: str) -> bytes:
    """Names of files, and texts, may hold what is no Unicode."""
    return text.encode(errors="surrogatepass")


def _sentence(error: Exception) -> str:
    return f"The measurements could not be kept ({error}); the next inspection measures all clips again."
