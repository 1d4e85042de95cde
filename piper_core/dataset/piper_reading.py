"""What Piper's own trainer makes of a metadata file: each row kept, altered or dropped, and why. A dry run, no audio.

The rules are those of piper-tts 1.8.0, `VitsDataModule` in piper/train/vits/dataset.py, looked up in its source:

- the file is opened as UTF-8 (a byte-order mark stays in the first id) and read by `csv.reader(delimiter="|")`, quoting
  on: balanced quotes at a column's start vanish, an open one swallows the rows up to the next quote;
- a blank row has no first column, so the trainer ends there; so it does at a column beyond csv's limit of 131,072
  characters, and with several speakers at a row of fewer than three columns;
- the audio file is `audio_dir/ID`, else `audio_dir/ID.wav`; a row without one is logged and left out;
- the text is the last column, even where it is the only one;
- features are cached under the row's number and the text, cut to 50 characters, whatever the audio holds.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from piper_core.dataset.layouts import Dataset, Utterance
from piper_core.dataset.metadata_file import MAX_METADATA_BYTES
from piper_core.dataset.printable import lines_for_terminal

Outcome = Literal["kept", "altered", "dropped", "stops"]
OUTCOMES: Mapping[Outcome, str] = {
    "kept": "Piper trains on the same audio and text as are read here.",
    "altered": "Piper trains on the row, but with another text than the one that stands there.",
    "dropped": "Piper leaves the row out with a line in its log.",
    "stops": "Piper's trainer ends with an error at this row; nothing after it is prepared.",
}
"""What can become of a row, and what it means."""
CACHE_KEY_LENGTH = 50
"""Characters of Piper's cache key, the row's number and its underscore among them."""
_FIELD_LIMIT = 131_072
"""Characters of a column that csv.reader takes unless told otherwise."""
_READABLE_LAYOUTS = ("ljspeech", "piper")


@dataclass(frozen=True)
class PiperRow:
    """One row of the metadata as Piper's trainer treats it."""

    row: int
    """Line of the metadata file that it begins at, from 1."""
    utterance_id: str
    outcome: Outcome
    reason: str
    """A sentence; empty where the row is kept as it is."""
    text: str | None
    """What Piper trains on; None where it does not train on the row."""
    written: str | None
    """The text as it is read here."""
    cache_key: str | None = None
    """The name that Piper keeps the row's features under."""


@dataclass(frozen=True)
class PiperReading:
    """What Piper would train on."""

    audio_dir: str
    """`--data.audio_dir` that this holds for, relative to the dataset's folder."""
    multispeaker: bool
    rows: tuple[PiperRow, ...]
    refusal: str | None = None
    """Why Piper can't read the dataset at all, and what to do; None where it can."""

    @property
    def counts(self) -> dict[Outcome, int]:
        """Rows of each outcome."""
        found = Counter(row.outcome for row in self.rows)
        return {outcome: found[outcome] for outcome in OUTCOMES}

    @property
    def stop(self) -> PiperRow | None:
        """The first row that ends Piper's trainer, if one does."""
        return next((row for row in self.rows if row.outcome == "stops"), None)

    def to_dict(self) -> dict[str, Any]:
        """As `inspect --piper --json` writes it."""
        return {
            "audio_dir": self.audio_dir,
            "multispeaker": self.multispeaker,
            "refusal": self.refusal,
            "counts": self.counts,
            "rows": [asdict(row) for row in self.rows],
        }

    def summary_text(self) -> str:
        """For a terminal: how many rows become what, and the first of each that is not kept."""
        if self.refusal is not None:
            return f"Piper's own trainer: {self.refusal}"
        counted = ", ".join(f"{count:,} {outcome}" for outcome, count in self.counts.items() if count)
        lines = [f"Piper's own trainer (audio_dir {self.audio_dir}): rows {counted or 'none'}."]
        shown: set[Outcome] = {"kept"}
        for row in self.rows:
            if row.outcome not in shown:
                shown.add(row.outcome)
                lines.append(f"  {row.outcome:8} row {row.row:,} {row.utterance_id[:120]}: {row.reason}")
        return lines_for_terminal(lines)


def read_as_piper(dataset: Dataset, *, audio_dir: str | None = None, unreadable: Collection[str] = ()) -> PiperReading:
    """The dry run for `dataset`; `audio_dir` is relative to its folder, by default where most of its clips lie.

    `unreadable` are paths, relative to the folder, that can't be decoded: Piper's trainer ends at the first of them.
    Several speakers are trained with `--model.num_speakers`, so the first of three columns' second one is read then.
    """
    if audio_dir is None:
        audio_dir = _usual_audio_dir(dataset)
    multispeaker = len(dataset.speakers) > 1
    refusal, content = _content(dataset)
    if content is None:
        return PiperReading(audio_dir, multispeaker, (), refusal)
    told = _Told(dataset.folder / audio_dir, dataset, multispeaker, unreadable)
    return PiperReading(audio_dir, multispeaker, tuple(told.rows(content)), refusal)


def cache_key(row_number: int, text: str, speaker_id: int | None = None) -> str:
    """The name of a row's features in Piper's cache: without what no file name may hold, and cut."""
    from pathvalidate import sanitize_filename

    speaker = "" if speaker_id is None else f"_{speaker_id}"
    return f"{row_number}{speaker}_{sanitize_filename(text)}"[:CACHE_KEY_LENGTH]


@dataclass(frozen=True)
class StaleFeatures:
    """A row whose features in Piper's cache are not those of its audio or text any more, yet would be trained on."""

    row: int
    utterance_id: str
    reason: str


def stale_features(reading: PiperReading, cache_dir: Path, audio: Mapping[int, Path]) -> list[StaleFeatures]:
    """What Piper would reuse wrongly from its `cache_dir`; `audio` maps a row's line to its file. Raises OSError.

    The key knows neither the audio nor the text beyond its cut, so both may have changed since.
    """
    found = []
    for row in reading.rows:
        if row.cache_key is None or row.text is None:
            continue
        features, text = (cache_dir / f"{row.cache_key}{suffix}" for suffix in (".audio.pt", ".txt"))
        if text.is_file() and (kept := text.read_text(encoding="utf-8")) != row.text:
            reason = f"The text has changed past the key's {CACHE_KEY_LENGTH} characters; kept are those of “{kept}”."
            found.append(StaleFeatures(row.row, row.utterance_id, reason))
        elif features.is_file() and row.row in audio and audio[row.row].stat().st_mtime > features.stat().st_mtime:
            reason = "The audio file is newer than the features that Piper kept of it; empty the cache folder."
            found.append(StaleFeatures(row.row, row.utterance_id, reason))
    return found


def _usual_audio_dir(dataset: Dataset) -> str:
    """The folder that most clips lie in, relative to the dataset's."""
    folders = Counter(utterance.path.parent for utterance in dataset.utterances)
    if not folders:
        return "wavs"
    folder = folders.most_common(1)[0][0]
    return folder.relative_to(dataset.folder).as_posix() if folder.is_relative_to(dataset.folder) else str(folder)


def _content(dataset: Dataset) -> tuple[str | None, str | None]:
    """Why Piper can't read the metadata at all, or its text."""
    name = dataset.metadata_path.name
    if not dataset.layout.startswith(_READABLE_LAYOUTS):
        return f"It reads `id|text` or `id|speaker|text` only, not {name}; export the dataset as Piper's layout.", None
    if dataset.metadata_path.stat().st_size > MAX_METADATA_BYTES:
        return f"{name} is too large to be looked through.", None
    try:
        # As `open` in text mode: all line ends become one.
        content = io.TextIOWrapper(io.BytesIO(dataset.metadata_path.read_bytes()), encoding="utf-8").read()
    except UnicodeDecodeError:
        return f"It ends at once: {name} is not UTF-8. Save it as UTF-8, or export the dataset.", None
    return None, content


@dataclass(frozen=True)
class _Read:
    """A row as csv.reader gives it."""

    number: int
    """Rows before it and itself: part of the cache key."""
    line: int
    last_line: int
    columns: tuple[str, ...]


def _csv_rows(content: str) -> list[_Read | str]:
    """The rows that Piper's trainer sees; a sentence last where csv gives up."""
    limit = csv.field_size_limit(_FIELD_LIMIT)  # one for the whole process: other modules may have raised it
    try:
        return list(_read_rows(content))
    finally:
        csv.field_size_limit(limit)


def _read_rows(content: str) -> Iterator[_Read | str]:
    reader = csv.reader(io.StringIO(content), delimiter="|")
    number, line = 0, 1
    while True:
        try:
            columns = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield f"csv.reader gives up here ({error}); shorten the column or close its quote."
            return
        number += 1
        yield _Read(number, line, reader.line_num, tuple(columns))
        line = reader.line_num + 1


class _Told:
    """Each row's outcome, beside what is read here."""

    def __init__(self, audio_dir: Path, dataset: Dataset, multispeaker: bool, unreadable: Collection[str]) -> None:
        self._audio_dir = audio_dir
        self._ours: dict[int, Utterance] = {utterance.row: utterance for utterance in dataset.utterances}
        self._multispeaker = multispeaker
        self._unreadable = {dataset.folder / path for path in unreadable}
        self._folder = dataset.folder
        self._speaker_ids: dict[str, int] = {}
        self._names = _Listed()

    def rows(self, content: str) -> Iterator[PiperRow]:
        line = 1
        for read in _csv_rows(content):
            if isinstance(read, str):
                ours = self._ours.get(line)
                yield PiperRow(
                    line, ours.utterance_id if ours else "", "stops", read, None, ours.text if ours else None
                )
                return
            yield self._row(read)
            yield from self._swallowed(range(read.line + 1, read.last_line + 1), read)
            line = read.last_line + 1

    def _row(self, read: _Read) -> PiperRow:
        ours = self._ours.get(read.line)
        written = ours.text if ours else None

        def row(outcome: Outcome, reason: str = "", text: str | None = None, key: str | None = None) -> PiperRow:
            name = ours.utterance_id if ours else read.columns[0] if read.columns else ""
            return PiperRow(read.line, name, outcome, reason, text, written, key)

        if not read.columns:
            return row("stops", "The row is blank: Piper's trainer ends with an IndexError. Delete it.")
        speaker_id = None
        if self._multispeaker:
            if len(read.columns) < 3:
                return row("stops", "The row has no speaker: Piper's trainer ends with an AssertionError.")
            speaker_id = self._speaker_ids.setdefault(read.columns[1], len(self._speaker_ids))
        path = self._audio(read.columns[0])
        if path is None:
            return row("dropped", self._why_missing(read, ours))
        if path in self._unreadable or self._names.is_folder(path):
            return row("stops", f"{path.name} can't be decoded: Piper's trainer ends with an error. Leave the row out.")
        text = read.columns[-1]
        key = cache_key(read.number, text, speaker_id)
        if read.last_line > read.line:
            lines = read.last_line - read.line
            reason = (
                f"A quote is open, so that the next {lines:,} {'rows are' if lines > 1 else 'row is'} its text too."
            )
            return row("altered", reason, text, key)
        if len(read.columns) == 1:
            return row("altered", "The row has one column, so its id is read as the text.", text, key)
        if ours is None:
            return row("altered", "Here the row is left out; Piper trains on it.", text, key)
        if text.strip() != written:
            return row("altered", "Double quotes at the start of a column vanish.", text, key)
        if not text.strip():
            return row("altered", "The text is empty: the clip is trained on without a phoneme.", text, key)
        return row("kept", "", text, key)

    def _swallowed(self, lines: Iterable[int], read: _Read) -> Iterator[PiperRow]:
        for line in lines:
            ours = self._ours.get(line)
            if ours is not None:
                reason = f"Row {read.line:,} opens a double quote; this row has become part of its text."
                yield PiperRow(line, ours.utterance_id, "dropped", reason, None, ours.text)

    def _audio(self, name: str) -> Path | None:
        for candidate in (self._audio_dir / name, self._audio_dir / f"{name}.wav"):
            if self._names.exists(candidate):
                return candidate
        return None

    def _why_missing(self, read: _Read, ours: Utterance | None) -> str:
        name = read.columns[0]
        if name.startswith("\ufeff"):
            return "The file begins with a byte-order mark, which Piper takes for a part of the first id. Save without."
        looked = f"There is no {name} and no {name}.wav in {self._audio_dir.name or self._audio_dir}"
        if ours is not None and self._names.exists(ours.path):
            inside = ours.path.relative_to(self._folder).as_posix()
            return f"{looked}; {inside} is found here, but not by Piper. Write the file's whole name, or export as WAV."
        return f"{looked}."


class _Listed:
    """Which files exist, each folder listed once: two looks at the disk a row would take seconds."""

    def __init__(self) -> None:
        self._names: dict[Path, set[str]] = {}

    def exists(self, path: Path) -> bool:
        parent = path.parent
        if parent not in self._names:
            try:
                self._names[parent] = {entry.name for entry in parent.iterdir()}
            except (OSError, ValueError):  # no such folder, or an id that can't be a file's name
                self._names[parent] = set()
        return path.name in self._names[parent] or (path.name in ("", "..") and parent.is_dir())

    def is_folder(self, path: Path) -> bool:
        return path.name in ("", "..") or (not path.suffix and path.is_dir())
