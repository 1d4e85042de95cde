"""A folder of clips and a metadata file -> `Utterance`s: which text, and which speaker, belongs to which audio file.

Read are `id|text`, `id|text|normalised` (LJSpeech) and `id|speaker|text` (Piper). The text that is trained on is the
last column, as in Piper. Audio is looked for in wavs/, wav/ and beside the metadata, with or without its extension.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from piper_core.dataset.audio_files import AudioIndex, without_audio_suffix
from piper_core.dataset.checks import CHECKS, Finding, Severity
from piper_core.dataset.layouts.utterance import Dataset, Utterance
from piper_core.dataset.metadata_file import DatasetError, find_metadata, parse_rows, read_lines

_HEADER_NAMES = frozenset({"id", "file", "filename", "file_name", "audio", "audio_file", "wav", "path", "utterance_id"})


def read_dataset(folder: Path, metadata: str | None = None) -> Dataset:
    """The dataset in `folder`, by its metadata file (`metadata` names another one inside the folder).

    Raises DatasetError with a sentence when there is none or it can't be read; single bad rows become findings.
    """
    try:
        return _read(Path(folder), metadata)
    except OSError as error:
        raise DatasetError(
            f"{folder} can't be read ({error.strerror}: {error.filename}); check its permissions."
        ) from error


def _read(folder: Path, metadata: str | None) -> Dataset:
    metadata_path = find_metadata(folder, metadata)
    rows, findings = parse_rows(read_lines(metadata_path))
    layout = _layout(rows, metadata_path)
    index = AudioIndex(folder)
    utterances: list[Utterance] = []
    paths: dict[str, Path] = {}
    for number, columns in rows:
        utterance = _utterance(number, columns, layout, index, findings)
        if utterance is None:
            continue
        first = paths.setdefault(utterance.utterance_id, utterance.path)
        if first is not utterance.path and first != utterance.path:
            # a.wav and a.flac are two clips: only the whole name tells them apart.
            utterance = replace(utterance, utterance_id=columns[0])
        utterances.append(utterance)
    findings += _missing(utterances, index)
    findings += _duplicate_ids(utterances)
    findings += _orphans(utterances, index)
    return Dataset(folder, layout, metadata_path, tuple(utterances), tuple(findings))


def _layout(rows: Sequence[tuple[int, list[str]]], metadata_path: Path) -> str:
    name = metadata_path.name
    if not rows:
        raise DatasetError(f"{name} has no rows; write a line `id|text` for every recording.")
    columns, _ = Counter(len(columns) for _, columns in rows).most_common(1)[0]
    if columns == 1:
        first = rows[0][1][0]
        other = next(
            (word for sign, word in (("\t", "tabs"), (";", "semicolons"), (",", "commas")) if sign in first), ""
        )
        hint = f" They seem to be separated by {other}: replace those by '|'." if other else ""
        raise DatasetError(f"The rows of {name} have one column; they should be `id|text`, separated by '|'.{hint}")
    if columns > 3:
        raise DatasetError(
            f"Most rows of {name} have {columns} columns; they should be `id|text`, `id|text|normalised text` or"
            " `id|speaker|text`."
        )
    if columns == 2:
        return "ljspeech"
    pairs = [(columns[1], columns[2]) for _, columns in rows if len(columns) == 3]
    return "piper" if _are_speakers(pairs) else "ljspeech-normalised"


def _are_speakers(pairs: Sequence[tuple[str, str]]) -> bool:
    """Whether the second of three columns names speakers, rather than being the text before normalisation.

    Speakers are few and short; a text before normalisation is mostly as long as after it, and often the same.
    """
    same = sum(_letters(second) == _letters(third) for second, third in pairs)
    if same > 0.05 * len(pairs):
        return False
    seconds = [second for second, _ in pairs]
    words = [len(second.split()) for second in seconds]
    if statistics.quantiles([*words, *words], n=20)[-1] > 3:
        return False
    return len(set(seconds)) <= max(1, len(pairs) // 2) or max(words) <= 1


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _utterance(
    number: int, columns: list[str], layout: str, index: AudioIndex, findings: list[Finding]
) -> Utterance | None:
    expected = 2 if layout == "ljspeech" else 3
    name, utterance_id = columns[0], without_audio_suffix(columns[0])
    is_header = number == 1 and name.casefold() in _HEADER_NAMES and index.find(name) is None
    if is_header or len(columns) != expected or not name:
        if is_header:
            message = f"Row {number} names the columns; it is passed over."
        elif not name:
            message = f"Row {number} has no id in its first column; it is left out."
        else:
            message = f"Row {number} has {len(columns)} columns where the others have {expected}; it is left out."
        severity: Severity = "info" if is_header else "error"
        finding = CHECKS["columns"].finding(
            message, utterance_id=utterance_id or None, row=number, severity=severity,
            value=len(columns), threshold=expected, unit="columns",
        )  # fmt: skip
        findings.append(finding)
        return None
    if not index.holds(name):
        message = f"Row {number} points outside the dataset ({name}); it is left out and the file not opened."
        findings.append(CHECKS["path-escape"].finding(message, utterance_id=utterance_id, path=name, row=number))
        return None
    path = index.find(name) or index.expected(name)
    speaker = columns[1] if layout == "piper" else None
    written = columns[1] if layout == "ljspeech-normalised" else None
    return Utterance(utterance_id, path, columns[-1], speaker, number, written)


def _missing(utterances: Iterable[Utterance], index: AudioIndex) -> list[Finding]:
    return [
        CHECKS["missing-audio"].finding(
            f"There is no audio file for {u.utterance_id}; looked for {index.relative(u.path)}.",
            utterance_id=u.utterance_id, path=index.relative(u.path), row=u.row,
        )
        for u in utterances
        if not index.is_listed(u.path)
    ]  # fmt: skip


def _duplicate_ids(utterances: Iterable[Utterance]) -> list[Finding]:
    by_path: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        by_path.setdefault(str(utterance.path), []).append(utterance)
    findings = []
    for same in by_path.values():
        if len(same) == 1:
            continue
        rows = ", ".join(str(u.row) for u in same)
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
