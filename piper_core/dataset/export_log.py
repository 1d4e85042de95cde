"""The log of a cleaned dataset: what was left out, edited or renamed, a line each, with the rule and its value."""

from __future__ import annotations

import csv
import io
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from piper_core.dataset.decisions import Reason
from piper_core.dataset.spreadsheet import no_formula

LOG_NAME = "export-log.csv"
LEFT_OUT, EDITED, LINKED = "left out", "text edited", "recordings linked"
_FIELDS = (
    "utterance_id", "row", "what", "rule", "value", "threshold", "unit", "reason", "text_before", "text_after",
)  # fmt: skip
_NO_RULE = Reason("")
_LONGEST_HEAD = 200_000
"""Bytes of the log that are looked through for the folders that were linked: they come first."""


@dataclass(frozen=True)
class LogEntry:
    """A line of the log."""

    utterance_id: str
    """Empty where the line is about a row that names no clip, or about all of them."""
    row: int
    """Of the source's metadata, from 1; 0 where it is about all."""
    what: str
    """`LEFT_OUT`, `EDITED`, or a few words of its own."""
    reason: Reason = _NO_RULE
    text_before: str = ""
    text_after: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As a row of the log has it; None where nothing is known."""
        reason = self.reason
        values = (
            self.utterance_id, self.row or None, self.what, reason.code, reason.value, reason.threshold, reason.unit,
            reason.words, self.text_before, self.text_after,
        )  # fmt: skip
        return dict(zip(_FIELDS, values, strict=True))


def log_bytes(entries: Iterable[LogEntry]) -> bytes:
    """The log as CSV, in UTF-8."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_FIELDS)
    for entry in entries:
        writer.writerow("" if value is None else no_formula(value) for value in entry.to_dict().values())
    return buffer.getvalue().encode(errors="replace")


def linked(folders: Iterable[Path]) -> list[LogEntry]:
    """Entries that say where the recordings lie that an export links to."""
    return [LogEntry("", 0, LINKED, Reason("", words=str(folder))) for folder in sorted(folders)]


def linked_folders(export: Path) -> frozenset[str]:
    """The folders that the export in the folder `export` has linked to, as its log says; none without a log."""
    try:
        # A named pipe would be waited for: a dataset comes from anywhere.
        opened = os.open(export / LOG_NAME, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return frozenset()
    try:
        is_file = stat.S_ISREG(os.fstat(opened).st_mode)
        head = os.read(opened, _LONGEST_HEAD).decode(errors="replace") if is_file else ""
    except OSError:
        return frozenset()
    finally:
        os.close(opened)
    if LINKED not in head:
        return frozenset()
    try:
        rows = list(csv.reader(re.split(r"(?<=\n)", head)))
    except csv.Error:
        return frozenset()
    return frozenset(row[7] for row in rows if len(row) == len(_FIELDS) and row[2] == LINKED)
