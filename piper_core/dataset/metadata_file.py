"""The metadata file: which one it is, and its rows as columns, whatever wrote it."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from pathlib import Path

from piper_core.dataset.audio_files import without_audio_suffix
from piper_core.dataset.checks import CHECKS, Finding

METADATA_NAMES = ("metadata.csv", "metadata.txt")
CLEANED_SUFFIX = ".cleaned"
"""metadata.csv is cleaned into metadata.cleaned.csv, which is read only when it is asked for by name."""
MAX_METADATA_BYTES = 256 * 1024**2


class DatasetError(ValueError):
    """A folder that can't be read as a dataset. The message says why and what to do."""


def read_columns(metadata_path: Path) -> list[tuple[int, list[str]]]:
    """The rows of a metadata file as they stand: line number, columns. Raises DatasetError."""
    return parse_rows(read_lines(metadata_path))[0]


def find_metadata(folder: Path, metadata: str | None) -> Path:
    """The metadata file of `folder`, or the one named. Raises DatasetError where there is none, or more than one."""
    if not folder.exists():
        raise DatasetError(f"There is no folder {folder}; check the path.")
    if not folder.is_dir():
        raise DatasetError(f"{folder} is a file; choose the folder that holds metadata.csv and wavs/.")
    if metadata is not None:
        if Path(metadata).is_absolute() or ".." in Path(metadata).parts:
            raise DatasetError(f"The metadata file {metadata} lies outside the dataset; name a file inside {folder}.")
        if not (folder / metadata).is_file():
            raise DatasetError(f"There is no {metadata} in {folder}; check the metadata file's name.")
        return folder / metadata
    for name in METADATA_NAMES:
        if (folder / name).is_file():
            return folder / name
    others = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in (".csv", ".txt") and CLEANED_SUFFIX not in path.stem and _has_columns(path)
    )
    if len(others) == 1:
        return others[0]
    if others:
        names = ", ".join(path.name for path in others[:5])
        raise DatasetError(f"{folder} holds several metadata files ({names}); say which one to use.")
    if not any(folder.iterdir()):
        raise DatasetError(f"{folder} is empty; it needs metadata.csv and a folder wavs/ with the recordings.")
    raise DatasetError(
        f"{folder} has no metadata.csv; write one with a line `id|text` for every recording, and put those in wavs/."
    )


def _has_columns(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return b"|" in file.read(4096)


def read_lines(path: Path) -> list[str]:
    """The file's lines, byte-order mark and line ends taken off."""
    size_bytes = path.stat().st_size
    if size_bytes > MAX_METADATA_BYTES:
        raise DatasetError(f"{path.name} has {size_bytes / 1e6:.0f} MB; that is no metadata file of `id|text` lines.")
    data = path.read_bytes()
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DatasetError(f"{path.name} is not UTF-8 (line {line}); save it as UTF-8.") from None
    # Not str.splitlines: it would also cut at characters that belong to a text, as U+2028.
    return re.split(r"\r\n|\n|\r", text)


def parse_rows(lines: Iterable[str]) -> tuple[list[tuple[int, list[str]]], list[Finding]]:
    """Rows with their line numbers; blank ones are passed over."""
    rows, findings = [], []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        columns = line.split("|")
        if any(column.startswith('"') for column in columns):
            columns, finding = _quoted_columns(number, line, columns)
            findings.append(finding)
        rows.append((number, [column.strip() for column in columns]))
    return rows, findings


def _quoted_columns(number: int, line: str, columns: list[str]) -> tuple[list[str], Finding]:
    check, utterance_id = CHECKS["quote"], without_audio_suffix(columns[0].strip())
    try:
        proper = next(csv.reader([line], delimiter="|", strict=True))
    except csv.Error:
        proper = None
    if proper is not None:
        message = f"Row {number} is quoted as CSV; the quotes are taken off."
        return proper, check.finding(message, utterance_id=utterance_id, row=number, severity="info")
    if sum(column.count('"') for column in columns) % 2:
        message = f"Row {number} opens a double quote and never closes it; Piper's own trainer swallows the next rows."
        return columns, check.finding(message, utterance_id=utterance_id, row=number)
    message = f"Row {number} starts a column with a double quote, which Piper's own trainer drops."
    return columns, check.finding(message, utterance_id=utterance_id, row=number, severity="info")
