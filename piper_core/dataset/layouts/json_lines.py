"""Metadata in JSON lines: NeMo manifests (`audio_filepath`) and AudioFolder's metadata.jsonl (`file_name`).

NeMo: https://docs.nvidia.com/nemo-framework/user-guide (audio_filepath absolute or relative to the manifest, duration
and offset in seconds, text). A clip is a span where `offset` is written; `duration` alone repeats the file's length.
AudioFolder: https://huggingface.co/docs/datasets/audio_dataset (file_name relative to the metadata).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from piper_core.dataset.layouts.fields import SPEAKER_FIELDS, TEXT_FIELDS, WRITTEN_FIELDS, first_of
from piper_core.dataset.layouts.rows import Row, Rows, is_span, one_line, renumbered
from piper_core.dataset.metadata_file import DatasetError, read_lines

_AUDIO_KEYS = ("audio_filepath", "file_name", "audio_file_name", "audio_file", "audio_path", "audio", "path")


def read_json_lines(folder: Path, metadata_path: Path, prefix: str = "", first_number: int = 0) -> Rows:
    """The rows of a file of JSON lines (or of one JSON list). `prefix` and `first_number` as in `read_delimited`.

    Raises DatasetError.
    """
    shown = metadata_path.relative_to(folder).as_posix()
    lines = read_lines(metadata_path, folder)
    read = Rows("", metadata_path, findings=renumbered(lines.findings, first_number), ids_are_file_names=True)
    found = False
    for number, entry in _entries(lines.lines, read, shown, first_number):
        key = next((key for key in _AUDIO_KEYS if key in entry), None)
        if not read.layout and key is not None:
            read.layout = "audiofolder" if key == "file_name" else "nemo"
        found = True
        row = _row(number, entry, key, prefix, read)
        if row is not None:
            read.rows.append(row)
    if not found:
        raise DatasetError(f"{shown} has no rows; write a line of JSON for every recording.")
    if not read.layout:
        raise DatasetError(
            f"The lines of {shown} name no recording; write `audio_filepath` (NeMo) or `file_name` (AudioFolder)."
        )
    read.from_elsewhere = read.layout == "nemo"
    return read


def _entries(lines: list[str], read: Rows, shown: str, first_number: int) -> Iterator[tuple[int, dict[str, Any]]]:
    first = next((line for line in lines if line.strip()), "")
    if first.lstrip().startswith("["):
        whole = _parsed("\n".join(lines))
        if not isinstance(whole, list):
            raise DatasetError(f"{shown} is no JSON that can be read; write a line of JSON for every recording.")
        read.say(f"{shown} is one JSON list; most programs want a line of JSON for every recording.")
        numbered = list(enumerate(whole, start=1))
    else:
        numbered = [
            (number, _parsed(line)) for number, line in enumerate(lines, start=1) if line and not line.isspace()
        ]
    for number, entry in numbered:
        if isinstance(entry, dict):
            yield first_number + number, entry
        else:
            what = entry if isinstance(entry, str) and entry.startswith(_BAD) else "is no JSON object"
            read.leave_out(first_number + number, f"{what.removeprefix(_BAD)}; it is left out.")


_BAD = "\0"
"""Marks a sentence about a line that could not be parsed."""


def _parsed(line: str) -> Any:
    try:
        if "\\u" in line:  # half of a pair can be written so, and no file can hold it
            json.dumps(parsed := json.loads(line, object_pairs_hook=_without_duplicates), ensure_ascii=False).encode()
            return parsed
        return json.loads(line, object_pairs_hook=_without_duplicates)
    except UnicodeEncodeError:
        return f"{_BAD}holds half a character (a lone surrogate)"
    except _DuplicateKey as duplicate:
        return f"{_BAD}gives {duplicate} twice"
    except RecursionError:
        return f"{_BAD}is nested too deep"
    except ValueError as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "a number that is too long"
        return f"{_BAD}is no JSON ({reason})"


class _DuplicateKey(Exception):
    """A key that an object has twice: which value is meant can't be told."""


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        names = [name for name, _ in pairs]
        raise _DuplicateKey(next(name[:40] for name in names if names.count(name) > 1))
    return values


def _row(number: int, entry: dict[str, Any], key: str | None, prefix: str, read: Rows) -> Row | None:
    name = entry.get(key) if key else None
    if not isinstance(name, str) or not name.strip():
        read.leave_out(number, "names no recording; it is left out.")
        return None
    name = name.strip()
    text = first_of(entry, TEXT_FIELDS)
    if text is not None and not isinstance(text, str):
        read.leave_out(number, "has a text that is no text; it is left out.", name)
        return None
    written = first_of({field: value for field, value in entry.items() if value is not text}, WRITTEN_FIELDS)
    speaker = first_of(entry, SPEAKER_FIELDS)
    given = entry.get("utterance_id")
    offset_s, length_s = 0.0, None
    if entry.get("offset") is not None:
        offset_s, length_s = _seconds(entry["offset"]), entry.get("duration")
        length_s = None if length_s is None else _seconds(length_s)
        if not is_span(offset_s, length_s):
            read.leave_out(number, "gives an offset or a duration that is no time in seconds; it is left out.", name)
            return None
    return Row(
        number,
        prefix + name if not name.startswith("/") else name,
        one_line(text or ""),
        str(speaker).strip() or None if isinstance(speaker, str | int) and not isinstance(speaker, bool) else None,
        one_line(written) if isinstance(written, str) else None,
        given if isinstance(given, str) and given.strip() else None,
        offset_s,
        length_s,
    )


def _seconds(value: object) -> float:
    """A number of seconds; NaN for what is none."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value < 1e9 else math.nan
