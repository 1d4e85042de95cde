"""A text file about clips -> its lines, with findings about how it is written, or a `DatasetError`."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from piper_core.dataset.checks import CHECKS, Finding
from piper_core.dataset.text_encoding import EncodingError, decode_text

MAX_METADATA_BYTES = 128 * 1024**2
MAX_LINES = 2_000_000
MAX_LINE_CHARACTERS = 1_000_000
"""A longer line is no row: it is left out before anything is made of it."""
CLEANED_SUFFIX = ".cleaned"
"""metadata.csv is cleaned into metadata.cleaned.csv, which is read only when it is asked for by name."""
_OURS = re.compile(r"\.cleaned|\.journal\.jsonl$|^export-log\.")


class DatasetError(ValueError):
    """A folder that can't be read as a dataset. The message says why and what to do."""


@dataclass(frozen=True)
class Lines:
    """A file's lines, by their number from 1 on; those that can't be read are empty."""

    lines: list[str]
    findings: list[Finding]


def is_ours(name: str) -> bool:
    """Whether a file of this name was written by the studio beside a dataset: no metadata, unless asked for."""
    return _OURS.search(name) is not None


def read_lines(path: Path, folder: Path) -> Lines:
    """The file's lines, byte-order mark and line ends taken off; findings name it as it lies in the dataset's `folder`.

    Raises DatasetError where it is no file, lies outside, is too large, or is no text in an encoding that can be told.
    """
    name = path.relative_to(folder).as_posix()
    # Not Path.resolve, which raises for a link to itself. The words of the file are shown and exported.
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        raise DatasetError(f"{name} is a link that leads out of the dataset's folder; put the file itself there.")
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise DatasetError(f"{name} is no file but a folder, a pipe or a device; put a file of that name there.")
    size_bytes = status.st_size
    if size_bytes > MAX_METADATA_BYTES:
        raise DatasetError(
            f"{name} has {size_bytes / 1e6:.0f} MB; at most {MAX_METADATA_BYTES / 1e6:.0f} MB of metadata are read."
            " Split the dataset."
        )
    data = path.read_bytes()
    if data.count(b"\n") > MAX_LINES:
        raise DatasetError(f"{name} has more than {MAX_LINES:,} lines; split the dataset.")
    try:
        decoded = decode_text(data)
    except EncodingError as error:
        raise DatasetError(f"{name} {error}; save it as UTF-8.") from None
    # Not str.splitlines: it would also cut at characters that belong to a text, as U+2028.
    text = decoded.text
    lines = re.split(r"\r\n|\n|\r", text) if "\r" in text else text.split("\n")
    findings = []
    if decoded.encoding:
        how = "nothing in it says so; look whether its accented letters are right" if decoded.inferred else "as it says"
        findings.append(
            CHECKS["metadata-format"].finding(
                f"{name} is read as {decoded.encoding}, {how}. Piper's own trainer reads UTF-8 alone.",
                path=name, severity="warning" if decoded.inferred else "info",
            )
        )  # fmt: skip
    if decoded.damaged:
        findings += _take_out(lines, re.compile("[\udc80-\udcff]").search, "holds bytes that are no UTF-8")
    if len(max(lines, key=len)) > MAX_LINE_CHARACTERS:
        findings += _take_out(lines, lambda line: len(line) > MAX_LINE_CHARACTERS, "is too long for a row")
    return Lines(lines, findings)


def _take_out(lines: list[str], is_bad: Callable[[str], object], what: str) -> list[Finding]:
    findings = []
    for number, line in enumerate(lines, start=1):
        if line and is_bad(line):
            lines[number - 1] = ""
            message = f"Row {number} {what}; it is left out."
            findings.append(CHECKS["metadata-format"].finding(message, row=number, severity="error"))
    return findings
