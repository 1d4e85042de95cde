"""metrics.jsonl: one JSON object a line, `{"step": 12, "time": 1.7e9, "epoch": 0, "loss_g": 41.2, ...}`.

The trainer appends; pages read through `MetricsReader`, which keeps its place in the file and never holds
more than a few thousand points a series, however long the run.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from piper_core.runs.series import Points, Series

FLUSH_EVERY_S = 1.0
CHUNK_BYTES = 8 * 1024**2
"""Parsed at a time, some 50,000 lines: bounds the memory that a first read of a long file takes."""
NOT_SERIES = frozenset({"step", "time", "epoch"})
"""Names in a line that are no series of a chart."""


class MetricsWriter:
    """Appends to metrics.jsonl. A half line that a crash left behind is ended first, so that it spoils no other."""

    def __init__(self, path: Path) -> None:
        half_line = path.is_file() and path.stat().st_size > 0 and not _ends_a_line(path)
        self._file = path.open("a", encoding="utf-8")
        if half_line:
            self._file.write("\n")
        self._flushed_at = time.monotonic()

    def append(self, step: int, values: Mapping[str, float], time_s: float) -> None:
        """Write one line: `values` by name at `step` and `time_s` (Unix seconds). NaN and infinity become null."""
        line: dict[str, Any] = {"step": step, "time": round(time_s, 3)}
        for name, value in values.items():
            line[name] = value if isinstance(value, int) else float(f"{value:.7g}") if math.isfinite(value) else None
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
        if time.monotonic() - self._flushed_at >= FLUSH_EVERY_S:
            self.flush()

    def flush(self) -> None:
        """Hand what is buffered to the operating system, so that readers see it. Done each second by itself."""
        self._file.flush()
        self._flushed_at = time.monotonic()

    def close(self) -> None:
        """Flush and close."""
        self._file.close()

    def __enter__(self) -> MetricsWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"


@dataclass(frozen=True)
class MetricsTable:
    """The metrics thinned for charts. For a chart of one series: `steps, values = table.points("mel")`."""

    steps: NDArray[np.int64]
    """Every step at which some series has a point, ascending, shape [N]."""
    series: dict[str, NDArray[np.float64]]
    """By name, shape [N]: the value at `steps`, NaN where this series has no point."""
    skipped_lines: int = 0
    """Lines that were no JSON objects with a step."""
    unread_bytes: int = 0
    """What a limited read left for the next one."""
    _points: dict[str, Points] = field(default_factory=dict, repr=False)

    def points(self, name: str) -> Points:
        """Steps and values of one series alone, shapes [M], M at most `max_points`; empty when it is not there."""
        return self._points.get(name, (np.empty(0, np.int64), np.empty(0)))


class MetricsReader:
    """Reads metrics.jsonl on from where it was: only new bytes, whole lines, at most `max_points` a series.

    Thinning keeps the least and the greatest value of each stretch of steps, so peaks stay visible. A run that was
    resumed writes steps again: what was written later counts. A file that was replaced or cut is read anew.
    """

    def __init__(self, path: Path, max_points: int = 2000) -> None:
        if max_points < 4:
            raise ValueError(f"max_points is {max_points}; a series needs 4 or more.")
        self.path = path
        self.max_points = max_points
        self._table: MetricsTable | None = None
        self._forget()

    def read(self, max_bytes: int | None = None) -> MetricsTable:
        """Everything so far, or `max_bytes` more of it (at least a chunk): a page fills a long chart over a few polls.

        An absent file is an empty table. The same table is returned while nothing new is there.
        """
        try:
            with self.path.open("rb") as file:
                self._read_new(file, max_bytes)
        except FileNotFoundError:
            self._forget()
        if self._table is None:
            self._table = self._tabulate()
        return self._table

    def _forget(self) -> None:
        self._table = None
        self._file_id: tuple[int, int] | None = None
        self._offset = 0
        self._unread_bytes = 0
        self._last_step = -1
        self._skipped_lines = 0
        self._series: dict[str, Series] = {}

    def _read_new(self, file: BinaryIO, max_bytes: int | None) -> None:
        size = file.seek(0, 2)
        if not self._goes_on_in(file, size):
            self._forget()
            stat = self.path.stat()
            self._file_id = (stat.st_dev, stat.st_ino)
        end = size if max_bytes is None else min(size, self._offset + max(max_bytes, CHUNK_BYTES))
        while self._offset < end:
            file.seek(self._offset)
            # Past `end` where a chunk ends later: a line longer than what is left must not stop us for ever.
            lines, newline, _ = file.read(CHUNK_BYTES).rpartition(b"\n")
            if not newline:
                break  # half a line, still being written
            self._add(_parse(lines))
            self._offset += len(lines) + 1
            self._table = None
        if size - self._offset != self._unread_bytes:
            self._unread_bytes = size - self._offset
            self._table = None

    def _goes_on_in(self, file: BinaryIO, size: int) -> bool:
        stat = self.path.stat()
        if self._file_id != (stat.st_dev, stat.st_ino) or size < self._offset:
            return False
        if self._offset == 0:
            return True
        file.seek(self._offset - 1)
        return file.read(1) == b"\n"

    def _add(self, parsed: _Lines) -> None:
        self._skipped_lines += parsed.skipped
        if not len(parsed.steps):
            return
        starts = np.flatnonzero(np.diff(parsed.steps, prepend=self._last_step) < 0)
        for start, end in _stretches(starts, len(parsed.steps)):
            steps = parsed.steps[start:end]
            if steps[0] < self._last_step:  # a resumed run goes over old ground
                for series in self._series.values():
                    series.drop_from(int(steps[0]))
            for name, column in parsed.columns.items():
                values = column[start:end]
                there = np.isfinite(values)
                if there.any():
                    self._series.setdefault(name, Series(8 * self.max_points)).extend(steps[there], values[there])
            self._last_step = int(steps[-1])

    def _tabulate(self) -> MetricsTable:
        points = {name: series.thinned(self.max_points) for name, series in self._series.items()}
        steps = np.unique(np.concatenate([one for one, _ in points.values()] or [np.empty(0, np.int64)]))
        columns = {}
        for name, (own_steps, values) in points.items():
            columns[name] = np.full(len(steps), np.nan)
            columns[name][np.searchsorted(steps, own_steps)] = values
        return MetricsTable(steps, columns, self._skipped_lines, self._unread_bytes, points)


@dataclass(frozen=True)
class _Lines:
    steps: NDArray[np.int64]
    columns: dict[str, NDArray[np.float64]]
    skipped: int


def _parse(text: bytes) -> _Lines:
    lines = text.split(b"\n")
    try:
        # One call for all lines takes half the time of a call a line.
        rows = json.loads(b"[" + b",".join(lines) + b"]")
    except ValueError:
        rows = []
    if len(rows) != len(lines) or not all(map(_is_row, rows)):
        rows = [row for row in map(_loads, lines) if _is_row(row)]
    names = dict.fromkeys(name for row in rows for name in row)
    steps = np.fromiter((row["step"] for row in rows), np.int64, len(rows))
    columns = {name: _column(rows, name) for name in names if name not in NOT_SERIES}
    return _Lines(steps, columns, len(lines) - len(rows))


def _loads(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:  # counted by the caller as skipped
        return None


def _is_row(row: Any) -> bool:
    return type(row) is dict and type(row.get("step")) is int


def _column(rows: list[dict[str, Any]], name: str) -> NDArray[np.float64]:
    values = [row.get(name, math.nan) for row in rows]
    try:
        return np.array(values, np.float64)  # None becomes NaN
    except (ValueError, TypeError):  # a text or a list where a number belongs
        return np.array([value if isinstance(value, (int, float)) else math.nan for value in values], np.float64)


def _stretches(starts: NDArray[np.int64], length: int) -> list[tuple[int, int]]:
    """The index ranges between `starts`, the first from 0."""
    edges = sorted({0, *map(int, starts), length})
    return list(pairwise(edges))
