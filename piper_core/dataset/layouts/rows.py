"""What a layout's reader found -> `Utterance`s: rows whose audio is looked up, and findings about them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from piper_core.dataset.audio_files import AudioIndex, clip_id, without_audio_suffix
from piper_core.dataset.checks import CHECKS, Finding, Severity
from piper_core.dataset.export_log import linked_folders
from piper_core.dataset.layouts.utterance import Dataset, Utterance


class Row(NamedTuple):
    """What one row says. (A tuple: there may be a hundred thousand.)"""

    number: int
    """Counted from 1; over several files it goes on."""
    name: str
    """Of the recording, as written."""
    text: str
    speaker: str | None = None
    written_text: str | None = None
    utterance_id: str | None = None
    """Where the row gives the clip a name of its own."""
    offset_s: float = 0.0
    length_s: float | None = None
    path: Path | None = None
    """Of the recording, where the reader has seen it."""


@dataclass
class Rows:
    """A layout as it was read."""

    layout: str
    metadata_path: Path
    """The file that names the clips, or the folder where every clip has a file of its own."""
    rows: list[Row] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    from_elsewhere: bool = False
    """Whether names are paths, which may have been written on another machine."""
    ids_are_file_names: bool = False
    """Whether the folders in a name only say where the clip lies: its id is the file's, where no other is called so."""

    def leave_out(
        self, number: int, message: str, utterance_id: str | None = None, code: str = "columns",
        severity: Severity = "error", value: float | None = None, threshold: float | None = None,
    ) -> None:  # fmt: skip
        """Say why a row makes no utterance."""
        finding = CHECKS[code].finding(
            f"Row {number} {message}", utterance_id=utterance_id or None, row=number, severity=severity, value=value,
            unit="columns" if value is not None else "",
            threshold=threshold,
        )  # fmt: skip
        self.findings.append(finding)

    def say(self, message: str, severity: Severity = "info", code: str = "metadata-format", clips: int = 1) -> None:
        """A finding about the whole dataset."""
        self.findings.append(CHECKS[code].finding(message, severity=severity, clips=clips))


def assemble(folder: Path, read: Rows, index: AudioIndex, orphans: bool = True) -> Dataset:
    """The dataset: every row with its audio file, and what is wrong with rows and files."""
    utterances: list[Utterance] = []
    clips: dict[str, tuple[str, float, float | None]] = {}
    missing: list[Utterance] = []
    several = _files_with_several_clips(read.rows)
    alone = _file_names_of_one(read.rows) if read.ids_are_file_names else set()
    seen: set[tuple[str, float, float | None]] = set()
    for row in read.rows:
        name = row.name
        path = row.path or index.find(name)
        if path is None and read.from_elsewhere:
            path = index.find_by_tail(name)
        if path is None and not index.holds(name):
            message = f"points outside the dataset ({name[:200]}); it is left out and the file not opened."
            read.leave_out(row.number, message, row.utterance_id or clip_id(name), "path-escape")
            continue
        if "\0" in row.text:
            read.leave_out(row.number, "holds a zero character; it is left out.", row.utterance_id or clip_id(name))
            continue
        utterance_id = row.utterance_id or clip_id(name)
        if alone and not row.utterance_id and (stem := _stem(name)) in alone:
            utterance_id = stem
        if row.utterance_id is None and (name in several or utterance_id in several) and _is_span(row):
            utterance_id = span_id(utterance_id, row.offset_s, row.length_s)
        utterance = Utterance(
            utterance_id, path or index.expected(name), row.text, row.speaker, row.number, row.written_text,
            row.offset_s, row.length_s,
        )  # fmt: skip
        if path is None:
            missing.append(utterance)
        clip = (str(utterance.path), row.offset_s, row.length_s)
        if clips.setdefault(utterance_id, clip) != clip:
            # a.wav and a.flac are two clips, and so are anna/a.wav and bert/a.wav: the whole name tells them apart.
            whole = name if not _is_span(row) else span_id(name, row.offset_s, row.length_s)
            utterance = replace(utterance, utterance_id=whole)
            clips.setdefault(whole, clip)
        seen.add(clip)
        utterances.append(utterance)
    findings = [*read.findings, *_told(index, folder), *_missing(missing, index)]
    if len(seen) < len(utterances):
        findings += _duplicate_ids(utterances)
    if orphans:
        findings += _orphans(utterances, index)
    return Dataset(folder, read.layout, read.metadata_path, tuple(utterances), tuple(findings))


def renumbered(findings: list[Finding], first_number: int) -> list[Finding]:
    """Findings of a file whose rows are numbered after those of another."""
    if not first_number:
        return findings
    return [replace(found, row=found.row + first_number) if found.row else found for found in findings]


def span_id(name: str, offset_s: float, length_s: float | None) -> str:
    """An id for a span: the recording's, and start and end in milliseconds."""
    end = "" if length_s is None else f"-{round((offset_s + length_s) * 1000):07d}"
    return f"{name}_{round(offset_s * 1000):07d}{end}"


def one_line(text: str) -> str:
    """A text without line ends: it is one line in every layout."""
    if "\n" not in text and "\r" not in text:
        return text.strip()
    return " ".join(line for part in text.replace("\r", "\n").split("\n") if (line := part.strip()))


def is_span(offset_s: float, length_s: float | None) -> bool:
    """Whether two numbers are seconds that a clip can start at and last."""
    return 0 <= offset_s < math.inf and (length_s is None or 0 < length_s < math.inf)


def _is_span(row: Row) -> bool:
    return row.length_s is not None or row.offset_s > 0


def _files_with_several_clips(rows: Iterable[Row]) -> set[str]:
    """Names that several rows give, with different spans."""
    seen: set[str] = set()
    return {row.name for row in rows if _is_span(row) and (row.name in seen or seen.add(row.name))}  # type: ignore[func-returns-value]


def _stem(name: str) -> str:
    return without_audio_suffix(name.replace("\\", "/").rpartition("/")[2])


def _file_names_of_one(rows: Iterable[Row]) -> set[str]:
    """File names, without extension, that stand for one recording only."""
    names: dict[str, str] = {}
    again: set[str] = set()
    for row in rows:
        stem = _stem(row.name)
        if names.setdefault(stem, row.name) != row.name:
            again.add(stem)
    return names.keys() - again


def _told(index: AudioIndex, folder: Path) -> list[Finding]:
    """What had to be bridged between the names in the metadata and the files."""
    told = []
    if renamed := index.renamed:
        name, real = next(iter(renamed.items()))
        message = (
            f"{_many(len(renamed), 'name')} in the metadata differ from the file's in small letters or in the form of"
            f" accented characters (Unicode NFC and NFD): {name[:80]} is {real[:80]}. Other programs may not find them."
        )
        told.append(CHECKS["metadata-format"].finding(message, clips=len(renamed)))
    if moved := index.moved:
        name, real = next(iter(moved.items()))
        message = (
            f"{_many(len(moved), 'path')} in the metadata lead elsewhere ({name[:120]}); the files inside the dataset's"
            f" folder that end alike are read ({real[:80]}), and nothing outside is opened."
        )
        told.append(CHECKS["path-escape"].finding(message, severity="warning", clips=len(moved)))
    count, example = index.linked_outside(meant=linked_folders(folder))  # an export is not told of its own links
    if count:
        message = (
            f"{_many(count, 'recording')} are links that lead out of the dataset's folder, as to {example[:200]}: the"
            " dataset is not whole without that."
        )
        told.append(CHECKS["path-escape"].finding(message, severity="info", clips=count))
    return told


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}s"


def _missing(missing: Iterable[Utterance], index: AudioIndex) -> list[Finding]:
    return [
        CHECKS["missing-audio"].finding(
            f"There is no audio file for {u.utterance_id[:200]}; looked for {index.relative(u.path)[:200]}.",
            utterance_id=u.utterance_id, path=index.relative(u.path), row=u.row,
        )
        for u in missing
    ]  # fmt: skip


def _duplicate_ids(utterances: Iterable[Utterance]) -> list[Finding]:
    by_clip: dict[tuple[str, float, float | None], list[Utterance]] = {}
    for utterance in utterances:
        by_clip.setdefault((str(utterance.path), utterance.offset_s, utterance.length_s), []).append(utterance)
    findings = []
    for same in by_clip.values():
        if len(same) == 1:
            continue
        rows = ", ".join(str(u.row) for u in same[:20]) + (" …" if len(same) > 20 else "")
        differ = len({u.text for u in same}) > 1
        # One text is right, but not known which: with different texts none of the rows can be trusted.
        for utterance in same if differ else same[1:]:
            message = f"Rows {rows} name the same clip with {'different texts' if differ else 'the same text'}."
            findings.append(
                CHECKS["duplicate-id"].finding(
                    message, utterance_id=utterance.utterance_id, value=len(same), threshold=1, row=utterance.row
                )
            )
    return findings


def _orphans(utterances: Iterable[Utterance], index: AudioIndex) -> list[Finding]:
    named = {str(utterance.path) for utterance in utterances}
    orphans = [index.relative(Path(path)) for path in index.listed() if path not in named]
    return [CHECKS["orphan-audio"].finding(f"{path} has no row in the metadata.", path=path) for path in orphans]
