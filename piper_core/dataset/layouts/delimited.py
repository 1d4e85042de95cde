"""Metadata in columns: LJSpeech `id|text` and `id|text|normalised`, Piper's `id|speaker|text`, AudioFolder's CSV.

The delimiter is the one whose first column names recordings that are there; a header row may name the columns. Without
one, the text that is trained on is the last column, as in Piper.
"""

from __future__ import annotations

import csv
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from piper_core.dataset.audio_files import AudioIndex, clip_id, without_audio_suffix
from piper_core.dataset.layouts.fields import AUDIO_FIELDS, SPEAKER_FIELDS, TEXT_FIELDS, WRITTEN_FIELDS, first_of
from piper_core.dataset.layouts.rows import Row, Rows, renumbered
from piper_core.dataset.metadata_file import DatasetError, read_lines

DELIMITERS = {"|": "'|'", "\t": "tabs", ";": "semicolons", ",": "commas"}
"""What columns may be separated by, in order of preference; and for people."""
_SAMPLE = 300
_SURE = 0.8
"""With recordings for that many of its first columns, a delimiter needs no comparing."""
_RECORD_LINES = 20
"""A quoted text may go on over that many lines; more, and its quote was never closed."""
_HEADER_NAMES = frozenset(
    {"id", "file", "filename", "file_name", "audio", "audio_file", "audio_path", "wav", "path", "utterance_id"}
)


@dataclass(frozen=True)
class _Columns:
    """Which column holds what."""

    audio: int
    text: int
    speaker: int | None = None
    written: int | None = None


Records = list[tuple[int, list[str]]]
"""Line number and columns."""


def read_delimited(
    folder: Path, metadata_path: Path, index: AudioIndex, prefix: str = "", first_number: int = 0
) -> Rows:
    """The rows of a metadata file of columns. `prefix` stands before the names in it, as where it lies in a subfolder;
    `first_number` is what its rows are numbered after. Raises DatasetError.
    """
    shown = metadata_path.relative_to(folder).as_posix()
    lines = read_lines(metadata_path, folder)
    read = Rows("", metadata_path, findings=renumbered(lines.findings, first_number))
    delimiter = _delimiter(lines.lines, index, prefix, shown)
    records = list(_records(lines.lines, delimiter, read, first_number))
    if not records:
        raise DatasetError(f"{shown} has no rows; write a line `id|text` for every recording.")
    header = _header(records[0][1], index, prefix)
    if header is not None:
        _by_header(records, header, read, delimiter)
    else:
        _by_place(records, read, index, shown, delimiter)
    if delimiter != "|" and read.layout != "audiofolder":
        read.say(
            f"The columns of {shown} are separated by {DELIMITERS[delimiter]}. Piper's own trainer wants '|'; an export"
            " writes that."
        )
    if prefix:
        read.rows = [row._replace(name=prefix + row.name) for row in read.rows]
    return read


def read_columns(metadata_path: Path) -> Records:
    """The rows of a file separated by '|' as they stand: line number, columns. Raises DatasetError."""
    return list(_records(read_lines(metadata_path, metadata_path.parent).lines, "|", Rows("", metadata_path)))


def _by_header(records: Records, header: _Columns, read: Rows, delimiter: str) -> None:
    names = [name.casefold() for name in records[0][1]]
    if names[header.audio] == "file_name" and delimiter in ",\t":
        read.layout, read.ids_are_file_names = "audiofolder", True
    else:
        read.layout = "piper" if header.speaker is not None else "ljspeech"
        if header.written is not None and header.speaker is None:
            read.layout = "ljspeech-normalised"
        _say_header(records[0], len(names), read)
    for number, columns in records[1:]:
        name = columns[header.audio] if len(columns) > header.audio else ""
        if len(columns) != len(names) or not name:
            _refuse(number, columns, len(names), name, read)
            continue
        speaker = columns[header.speaker] or None if header.speaker is not None else None
        written = columns[header.written] if header.written is not None else None
        read.rows.append(Row(number, name, columns[header.text], speaker, written))


def _by_place(records: Records, read: Rows, index: AudioIndex, shown: str, delimiter: str) -> None:
    read.layout = _layout(records, shown, delimiter)
    expected = 2 if read.layout == "ljspeech" else 3
    speakers, written = read.layout == "piper", read.layout == "ljspeech-normalised"
    rows = read.rows
    for number, columns in records:
        name = columns[0]
        if number == records[0][0] and name.casefold() in _HEADER_NAMES and index.find(name) is None:
            _say_header((number, columns), expected, read)
        elif len(columns) != expected or not name:
            _refuse(number, columns, expected, name, read)
        elif speakers:
            rows.append(Row(number, name, columns[2], columns[1], None))
        else:
            rows.append(Row(number, name, columns[-1], None, columns[1] if written else None))


def _say_header(record: tuple[int, list[str]], expected: int, read: Rows) -> None:
    number, columns = record
    read.leave_out(
        number, "names the columns; it is passed over.", without_audio_suffix(columns[0]), severity="info",
        value=len(columns), threshold=expected,
    )  # fmt: skip


def _refuse(number: int, columns: Sequence[str], expected: int, name: str, read: Rows) -> None:
    if name:
        message = f"has {len(columns):,} columns where the others have {expected}; it is left out."
    else:
        message = "has no id in its first column; it is left out."
    read.leave_out(number, message, clip_id(name)[:1000], value=len(columns), threshold=expected)


def _delimiter(lines: Sequence[str], index: AudioIndex, prefix: str, shown: str) -> str:
    """The delimiter of the file. Raises DatasetError where two would do equally well."""
    sample = [line for line in lines if line.strip()]
    sample = sample[: _SAMPLE // 2] + sample[_SAMPLE // 2 :: max(1, len(sample) // _SAMPLE)]
    found: dict[str, float] = {}
    even: list[str] = []
    for delimiter in DELIMITERS:
        columns = [_split(line, delimiter) for line in sample if delimiter in line]
        if not columns:
            continue
        if _header(columns[0], index, prefix) and delimiter in sample[0]:
            return delimiter
        found[delimiter] = share = sum(index.find(prefix + split[0]) is not None for split in columns) / len(sample)
        if share > _SURE:
            return delimiter
        _, most = Counter(map(len, columns)).most_common(1)[0]
        if most >= 0.9 * len(sample):
            even.append(delimiter)
    best = max(found, key=lambda delimiter: found[delimiter], default="|")
    if found.get(best):
        return best
    if "|" in even or not even:
        return "|"
    if len(even) > 1:
        raise DatasetError(
            f"The rows of {shown} may be separated by {' or by '.join(DELIMITERS[sign] for sign in even)}: both read"
            " equally well, and no recording is there to tell. Put the recordings in place, or separate by '|'."
        )
    return even[0]


def _split(line: str, delimiter: str) -> list[str]:
    if '"' in line and delimiter != "|":
        try:
            return [column.strip() for column in next(csv.reader([line], delimiter=delimiter))]
        except csv.Error:
            pass
    return [column.strip() for column in line.split(delimiter)]


def _header(columns: Sequence[str], index: AudioIndex, prefix: str) -> _Columns | None:
    """Where the columns are, if this row names them: a recording's and a text's."""
    if len(columns) > 1000:
        return None
    names = [name.strip().casefold() for name in columns]
    places = {name: place for place, name in reversed(list(enumerate(names)))}
    audio, text = first_of(places, AUDIO_FIELDS), first_of(places, TEXT_FIELDS)
    if audio is None or text is None or index.find(prefix + columns[0]) is not None:
        return None
    written = first_of({name: place for name, place in places.items() if place != text}, WRITTEN_FIELDS)
    return _Columns(audio, text, first_of(places, SPEAKER_FIELDS), written)


def _records(
    lines: Sequence[str], delimiter: str, read: Rows, first_number: int = 0
) -> Iterator[tuple[int, list[str]]]:
    """Rows with their line numbers; blank ones are passed over."""
    following = 0
    for place, line in enumerate(lines):
        number = first_number + place + 1
        if place < following or not line or line.isspace():
            continue
        if '"' not in line:
            yield number, list(map(str.strip, line.split(delimiter)))
        elif delimiter == "|":
            columns = line.split("|")
            if any(column.startswith('"') for column in columns):
                columns = _quoted_columns(number, line, columns, read)
            yield number, [column.strip() for column in columns]
        else:
            columns, following = _csv_record(lines, place, number, delimiter, read)
            yield number, columns


def _csv_record(lines: Sequence[str], place: int, number: int, delimiter: str, read: Rows) -> tuple[list[str], int]:
    """The columns of the record that starts in the line at `place`, as RFC 4180 has it, and the place after it."""
    record, after = lines[place], place + 1
    if len(record) > csv.field_size_limit():
        return [column.strip() for column in record.split(delimiter)], after
    while record.count('"') % 2 and after < min(len(lines), place + _RECORD_LINES):
        record += "\n" + lines[after]
        after += 1
    try:
        columns = next(csv.reader(record.split("\n"), delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration):
        line = lines[place]
        if line.count('"') % 2:
            read.leave_out(
                number, "opens a double quote and never closes it; it is read as it stands.",
                without_audio_suffix(line.split(delimiter, 1)[0].strip())[:1000], "quote", "warning",
            )  # fmt: skip
        return [column.strip() for column in line.split(delimiter)], place + 1
    return [" ".join(column.split("\n")).strip() for column in columns], after


def _quoted_columns(number: int, line: str, columns: list[str], read: Rows) -> list[str]:
    utterance_id = without_audio_suffix(columns[0].strip())[:1000]
    try:
        proper = next(csv.reader([line], delimiter="|", strict=True)) if len(line) < csv.field_size_limit() else None
    except csv.Error:
        proper = None
    if proper is not None:
        read.leave_out(number, "is quoted as CSV; the quotes are taken off.", utterance_id, "quote", "info")
        return proper
    if sum(column.count('"') for column in columns) % 2:
        message = "opens a double quote and never closes it; Piper's own trainer swallows the next rows."
        read.leave_out(number, message, utterance_id, "quote", "warning")
    else:
        message = "starts a column with a double quote, which Piper's own trainer drops."
        read.leave_out(number, message, utterance_id, "quote", "info")
    return columns


def _layout(records: Records, shown: str, delimiter: str) -> str:
    columns, _ = Counter(len(columns) for _, columns in records).most_common(1)[0]
    if columns == 1:
        raise DatasetError(
            f"The rows of {shown} have one column; they should be `id|text`, separated by '|' (tabs, semicolons and"
            " commas are read too)."
        )
    if columns > 3:
        raise DatasetError(
            f"Most rows of {shown} have {columns:,} columns; they should be `id|text`, `id|text|normalised text` or"
            " `id|speaker|text`, or a first row should name them (file_name, speaker, text)."
        )
    if columns == 2:
        return "ljspeech"
    pairs = [(columns[1], columns[2]) for _, columns in records if len(columns) == 3]
    return "piper" if _are_speakers(pairs) else "ljspeech-normalised"


def _are_speakers(pairs: Sequence[tuple[str, str]]) -> bool:
    """Whether the second of three columns names speakers, rather than being the text before normalisation.

    Speakers are few and short; a text before normalisation is mostly as long as after it, and often the same.
    """
    pairs = pairs if len(pairs) <= 10_000 else pairs[:: len(pairs) // 10_000]
    same = sum(second == third or _letters(second) == _letters(third) for second, third in pairs)
    if same > 0.05 * len(pairs):
        return False
    seconds = [second for second, _ in pairs]
    words = [len(second.split()) for second in seconds]
    if statistics.quantiles([*words, *words], n=20)[-1] > 3:
        return False
    return len(set(seconds)) <= max(1, len(pairs) // 2) or max(words) <= 1


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
