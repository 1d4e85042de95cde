"""Clips -> the metadata of each layout, as `read_dataset` and the layout's own programs read it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from piper_core.dataset.layouts.table import LAYOUTS

UNNAMED = "unnamed"
"""A speaker who is not known, where the layout wants one in every row."""


@dataclass(frozen=True)
class ExportedClip:
    """A clip as it is written: texts are one line, names are files' names."""

    name: str
    text: str
    speaker: str | None
    written_text: str | None
    audio: str
    """Of the recording, relative to the folder."""
    offset_s: float = 0.0
    length_s: float | None = None
    duration_s: float | None = None
    """Of a whole file, where the layout wants it written."""


@dataclass(frozen=True)
class Writer:
    """How a layout is written."""

    audio_name: Callable[[ExportedClip, str], str]
    """A clip and an extension -> where its recording goes."""
    write: Callable[[Path, Sequence[ExportedClip]], str]
    """Writes the metadata into a folder; gives its name as `read_dataset` takes it."""


def one_line(text: str) -> str:
    """`text` as one line: what would end a row, or a file, becomes a space."""
    return re.sub(r"\s*[\x00\n\r\x0b\x0c\x85\u2028\u2029\t]\s*", " ", text).strip()


def csv_column(column: str) -> str:
    """A column between '|' that csv.reader, as Piper uses it, gives back unchanged."""
    return '"' + column.replace('"', '""') + '"' if column.startswith('"') or "|" in column else column


def _columns(folder: Path, rows: Sequence[Sequence[str]]) -> str:
    _write(folder / "metadata.csv", ["|".join(map(csv_column, row)) for row in rows])
    return "metadata.csv"


def _first(clip: ExportedClip) -> str:
    """The first column: the id where the recording lies in wavs/ under it, else the recording's path."""
    return clip.name if clip.audio.startswith(f"wavs/{clip.name}.") else clip.audio


def _ljspeech(folder: Path, clips: Sequence[ExportedClip]) -> str:
    return _columns(folder, [(_first(clip), clip.text) for clip in clips])


def _ljspeech_normalised(folder: Path, clips: Sequence[ExportedClip]) -> str:
    return _columns(folder, [(_first(clip), clip.written_text or clip.text, clip.text) for clip in clips])


def _piper(folder: Path, clips: Sequence[ExportedClip]) -> str:
    return _columns(folder, [(_first(clip), clip.speaker or UNNAMED, clip.text) for clip in clips])


def _vctk(folder: Path, clips: Sequence[ExportedClip]) -> str:
    for clip in clips:
        _write(folder / "txt" / (clip.speaker or "") / f"{clip.name}.txt", [clip.text])
    return "txt"


def _mycroft(folder: Path, clips: Sequence[ExportedClip]) -> str:
    speakers = list(dict.fromkeys(clip.speaker or "" for clip in clips))
    for speaker in speakers:
        rows = [
            f"{clip.audio.removeprefix(f'{speaker}/')}|{clip.text}|{len(clip.text)}"
            for clip in clips
            if (clip.speaker or "") == speaker
        ]
        _write(folder / speaker / f"{speaker or 'recordings'}-metadata.txt", rows)
    only = speakers[0]
    return "." if len(speakers) > 1 else f"{only}/{only}-metadata.txt" if only else "recordings-metadata.txt"


def nemo_line(clip: ExportedClip) -> str:
    """A line of a NeMo manifest; `utterance_id` is ours, and others pass it over."""
    entry: dict[str, object] = {"audio_filepath": clip.audio, "text": clip.text, "utterance_id": clip.name}
    if clip.offset_s or clip.length_s is not None:
        entry["offset"] = clip.offset_s
    if (duration_s := clip.duration_s if clip.length_s is None else clip.length_s) is not None:
        entry["duration"] = duration_s
    if clip.speaker:
        entry["speaker"] = clip.speaker
    if clip.written_text:
        entry["original_text"] = clip.written_text
    return json.dumps(entry, ensure_ascii=False)


def _nemo(folder: Path, clips: Sequence[ExportedClip]) -> str:
    _write(folder / "manifest.json", [nemo_line(clip) for clip in clips])
    return "manifest.json"


def _audiofolder(folder: Path, clips: Sequence[ExportedClip]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    speakers, written = any(clip.speaker for clip in clips), any(clip.written_text for clip in clips)
    texts = ("transcription", "normalized_text") if written else ("transcription",)
    writer.writerow(("file_name", *texts, *(("speaker_id",) if speakers else ())))
    for clip in clips:
        said = (clip.written_text or clip.text, clip.text) if written else (clip.text,)
        writer.writerow((clip.audio, *said, *((clip.speaker or "",) if speakers else ())))
    (folder / "metadata.csv").write_text(buffer.getvalue(), encoding="utf-8")
    return "metadata.csv"


def _kaldi(folder: Path, clips: Sequence[ExportedClip]) -> str:
    ordered = sorted(clips, key=lambda clip: clip.name.encode())  # as LC_ALL=C, which Kaldi's programs insist on
    spans = any(clip.offset_s or clip.length_s is not None for clip in clips)
    recordings = {clip.audio: f"{clip.name}" for clip in reversed(ordered)}
    if spans:
        scp = [(name, audio) for audio, name in recordings.items()]
        ends = [-1.0 if clip.length_s is None else clip.offset_s + clip.length_s for clip in ordered]
        segments = [
            f"{clip.name} {recordings[clip.audio]} {clip.offset_s!r} {end!r}"
            for clip, end in zip(ordered, ends, strict=True)
        ]
        _write(folder / "segments", segments)
    else:
        scp = [(clip.name, clip.audio) for clip in ordered]
    _write(folder / "wav.scp", [f"{name} {audio}" for name, audio in sorted(scp, key=lambda each: each[0].encode())])
    _write(folder / "text", [f"{clip.name} {clip.text}" for clip in ordered])
    if any(clip.speaker for clip in clips):
        _write(folder / "utt2spk", [f"{clip.name} {clip.speaker or clip.name}" for clip in ordered])
        whose: dict[str, list[str]] = {}
        for clip in ordered:
            whose.setdefault(clip.speaker or clip.name, []).append(clip.name)
        whose = dict(sorted(whose.items(), key=lambda each: each[0].encode()))
        _write(folder / "spk2utt", [f"{speaker} {' '.join(names)}" for speaker, names in whose.items()])
    return "text"


def _text_files(folder: Path, clips: Sequence[ExportedClip]) -> str:
    for clip in clips:
        _write((folder / clip.audio).with_suffix(".txt"), [clip.text])
    return "."


def _write(path: Path, lines: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _in(folder: str) -> Callable[[ExportedClip, str], str]:
    return lambda clip, suffix: f"{folder}/{clip.name}{suffix}"


def _by_speaker(folder: str) -> Callable[[ExportedClip, str], str]:
    return lambda clip, suffix: "/".join(filter(None, (folder, clip.speaker, clip.name + suffix)))


WRITERS: Mapping[str, Writer] = {
    "ljspeech": Writer(_in("wavs"), _ljspeech),
    "ljspeech-normalised": Writer(_in("wavs"), _ljspeech_normalised),
    "piper": Writer(_in("wavs"), _piper),
    "vctk": Writer(_by_speaker("wav48"), _vctk),
    "mycroft": Writer(_by_speaker(""), _mycroft),
    "nemo": Writer(_in("wavs"), _nemo),
    "audiofolder": Writer(_in("data"), _audiofolder),
    "kaldi": Writer(_in("wavs"), _kaldi),
    "folder": Writer(_by_speaker(""), _text_files),
}
if WRITERS.keys() != LAYOUTS.keys():
    raise AssertionError("a layout that is read can't be written, or the other way about")
