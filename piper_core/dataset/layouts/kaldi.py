"""Kaldi's data folder: wav.scp, text, utt2spk, segments (https://kaldi-asr.org/doc/data_prep.html).

A line is an id, white space, and the rest. wav.scp may hold commands that write audio to a pipe: they are never run.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

from piper_core.dataset.layouts.rows import Row, Rows, is_span
from piper_core.dataset.metadata_file import DatasetError, read_lines

NAMES = ("wav.scp", "text", "segments", "utt2spk")


class _Span(NamedTuple):
    recording: str
    offset_s: float
    length_s: float | None


def is_kaldi(folder: Path) -> bool:
    """Whether `folder` is a Kaldi data folder."""
    return (folder / "wav.scp").is_file() and (folder / "text").is_file()


def read_kaldi(folder: Path, data_folder: Path) -> Rows:
    """The utterances of `data_folder`, in the order of its file text. Raises DatasetError."""
    text_path = data_folder / "text"
    if not is_kaldi(data_folder):
        raise DatasetError(f"{data_folder} is no Kaldi data folder; it needs wav.scp and text.")
    read = Rows("kaldi", text_path, from_elsewhere=True)
    recordings = {key: rest for _, key, rest in _pairs(folder, data_folder / "wav.scp", read)}
    segments = data_folder / "segments"
    spans = _spans(folder, segments, read) if segments.is_file() else None
    utt2spk = data_folder / "utt2spk"
    speakers = {key: rest for _, key, rest in _pairs(folder, utt2spk, read)} if utt2spk.is_file() else {}
    # A speaker who is called as the utterance is Kaldi's way of saying that it is not known who speaks.
    speakers = {key: speaker for key, speaker in speakers.items() if speaker != key}
    prefix = "" if data_folder == folder else data_folder.relative_to(folder).as_posix() + "/"
    said: set[str] = set()
    for number, key, text in _pairs(folder, text_path, read, rows=True):
        span = _Span(key, 0.0, None) if spans is None else spans.get(key)
        if span is None:
            read.leave_out(number, "has no line in segments; it is left out.", key)
            continue
        name = recordings.get(span.recording)
        if name is None:
            read.leave_out(number, f"has no line in wav.scp ({span.recording[:200]}); it is left out.", key)
        elif (refusal := _refusal(name)) is not None:
            read.leave_out(number, refusal, key, "unreadable")
        else:
            said.add(key)
            name = name if name.startswith("/") or not prefix else prefix + name
            read.rows.append(Row(number, name, text, speakers.get(key), None, key, span.offset_s, span.length_s))
    if not read.rows and not read.findings:
        raise DatasetError(f"{text_path.relative_to(folder).as_posix()} has no rows; write a line for every recording.")
    without_text = len(set(recordings if spans is None else spans) - said)
    if without_text:
        read.say(f"{without_text:,} of the utterances have no line in text; they are left out.", code="columns")
    return read


def _refusal(name: str) -> str | None:
    if name.endswith("|") or name.startswith("|"):
        return f"reads its recording from a command ({name[:120]}); commands are never run. Write the audio to a file."
    head, colon, tail = name.rpartition(":")
    if colon and tail.isdigit() and head.endswith((".ark", ".wark")):
        return f"reads its recording from an archive ({name[:120]}); write the audio to a file of its own."
    return None


def _spans(folder: Path, path: Path, read: Rows) -> dict[str, _Span]:
    spans = {}
    for number, key, rest in _pairs(folder, path, read):
        columns = rest.split()
        start_s, end_s = (_seconds(value) for value in columns[1:3]) if len(columns) in (3, 4) else (math.nan, math.nan)
        # An end of -1 is the recording's.
        length_s = None if end_s == -1 else end_s - start_s
        if is_span(start_s, length_s):
            spans[key] = _Span(columns[0], start_s, length_s)
        else:
            message = f"Line {number} of segments ({key[:100]}) is no `id recording start end` in seconds."
            read.say(message, "warning", "columns")
    return spans


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _pairs(folder: Path, path: Path, read: Rows, *, rows: bool = False) -> list[tuple[int, str, str]]:
    """Line number, id and the rest of each line. The findings keep their line numbers where the lines are the rows."""
    lines = read_lines(path, folder)
    for finding in lines.findings:
        read.findings.append(finding if rows else finding.__class__(**{**finding.to_dict(), "row": None}))
    pairs = []
    for number, line in enumerate(lines.lines, start=1):
        parts = line.split(None, 1)
        if parts:
            pairs.append((number, parts[0], parts[1].strip() if len(parts) == 2 else ""))
    return pairs
