"""A dataset -> another folder, in any of `LAYOUTS`: cleaned, with edited texts, and a log of what was changed and why.

Everything is written into a folder beside the target, read back and compared, and takes the target's name only then.
Nothing of the source is touched. Recordings are linked, copied, or left where they are (a manifest alone); a clip that
is a span of its file is cut out of it, unless the layout can name spans and no recordings are written.
"""

from __future__ import annotations

import csv
import io
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import soundfile

from piper_core.dataset.audio_files import without_audio_suffix
from piper_core.dataset.decisions import Reason
from piper_core.dataset.decoding import MAX_CLIP_S, Unreadable, decode, read_header
from piper_core.dataset.layouts import LAYOUTS, AudioMode, Dataset, DatasetError, Utterance, read_dataset
from piper_core.dataset.layouts.writing import UNNAMED, WRITERS, ExportedClip
from piper_core.dataset.spreadsheet import no_formula

LOG_NAME = "export-log.csv"
_LOG_FIELDS = (
    "utterance_id", "row", "what", "rule", "value", "threshold", "unit", "reason", "text_before", "text_after",
)  # fmt: skip
_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\s]+')
_LONGEST_NAME_BYTES = 120
_CUT_SUBTYPES = {"PCM_U8": "PCM_16", "PCM_S8": "PCM_16", "PCM_24": "PCM_24", "PCM_32": "PCM_32", "FLOAT": "FLOAT",
                 "DOUBLE": "FLOAT"}  # fmt: skip


_NO_RULE = Reason("")


@dataclass(frozen=True)
class Exported:
    """What an export wrote."""

    folder: Path
    metadata: str
    """The metadata file inside the folder, as `read_dataset` takes it."""
    log: Path
    clips: int
    left_out: int


@dataclass(frozen=True)
class _Entry:
    """A line of the log."""

    utterance_id: str
    row: int
    what: str
    reason: Reason = _NO_RULE
    text_before: str = ""
    text_after: str = ""


def export_dataset(
    dataset: Dataset,
    target: Path,
    layout: str,
    *,
    texts: Mapping[int, str] | None = None,
    left_out: Mapping[int, Reason | Sequence[Reason]] | None = None,
    audio: AudioMode = "link",
) -> Exported:
    """Write `dataset` into the new folder `target`, in the layout of that code.

    `texts` are edited texts and `left_out` the clips that stay behind with one reason or several, both by row. Rows
    that name no recording, or one that another row names otherwise, stay behind too. Raises DatasetError with a
    sentence: for a target that holds something, a disk that is full, or clips that the layout can't hold.
    """
    target = Path(target)
    _check(dataset, target, layout, audio)
    log: list[_Entry] = []
    utterances = _kept(dataset, texts or {}, left_out or {}, log)
    if not utterances:
        raise DatasetError("No clip is left to export; take some back, or mend what the findings say.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".exporting-") as temporary:
            folder = Path(temporary) / "export"
            folder.mkdir()
            metadata, clips = _write(dataset, folder, layout, utterances, audio, log)
            _write_log(folder / LOG_NAME, log)
            _compare(folder, layout, clips, audio)
            if target.exists():
                target.rmdir()  # an empty folder
            folder.replace(target)
    except OSError as error:
        raise DatasetError(
            f"The export to {target} stopped: {error.strerror or error}. Make room, or choose another folder."
        ) from error
    behind = sum(entry.what == "left out" for entry in {(e.row, e.what): e for e in log}.values())
    return Exported(target, metadata, target / LOG_NAME, len(clips), behind)


def _check(dataset: Dataset, target: Path, layout: str, audio: AudioMode) -> None:
    if layout not in LAYOUTS:
        raise DatasetError(f"There is no layout {layout}; choose one of {', '.join(LAYOUTS)}.")
    if audio == "none" and not LAYOUTS[layout].one_file:
        raise DatasetError(f"{LAYOUTS[layout].name} can't be written without recordings; have them linked or copied.")
    if layout == "piper" and not dataset.speakers:
        raise DatasetError("No clip names a speaker; choose the layout LJSpeech (id and text).")
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise DatasetError(f"{target} holds something already; choose a folder that is empty or does not exist.")
    if target.resolve().is_relative_to(dataset.folder.resolve()):
        raise DatasetError(f"{target} lies in the dataset itself; choose a folder outside it.")


def _kept(
    dataset: Dataset, texts: Mapping[int, str], left_out: Mapping[int, Reason | Sequence[Reason]], log: list[_Entry]
) -> list[Utterance]:
    """The utterances that are exported, with their texts as edited."""
    broken: dict[int, list[Reason]] = {}
    for found in dataset.findings:
        if found.severity == "error" and found.row is not None:
            reason = Reason(found.code, found.value, found.threshold, found.unit, found.message)
            broken.setdefault(found.row, []).append(reason)
    kept = []
    rows = {utterance.row for utterance in dataset.utterances}
    for utterance in dataset.utterances:
        given = left_out.get(utterance.row, ())
        reasons = [given] if isinstance(given, Reason) else list(given)
        codes = {reason.code for reason in reasons}
        reasons += [reason for reason in broken.get(utterance.row, ()) if reason.code not in codes]
        if reasons:
            said = (utterance.utterance_id, utterance.row)
            log += [_Entry(*said, "left out", reason, utterance.text) for reason in reasons]
            continue
        text = texts.get(utterance.row)
        if text is not None and text != utterance.text:
            log.append(
                _Entry(utterance.utterance_id, utterance.row, "text edited", Reason("by hand"), utterance.text, text)
            )
            utterance = replace(utterance, text=text, written_text=None)
        kept.append(utterance)
    for row, reasons in broken.items():
        if row not in rows:
            log += [_Entry("", row, "left out", reason) for reason in reasons]
    return kept


def _write(
    dataset: Dataset, folder: Path, code: str, utterances: Sequence[Utterance], audio: AudioMode, log: list[_Entry]
) -> tuple[str, list[ExportedClip]]:
    layout, writer = LAYOUTS[code], WRITERS[code]
    if not layout.speakers and len({utterance.speaker for utterance in utterances}) > 1:
        log.append(_Entry("", 0, f"speakers dropped: {layout.name} has no column for them"))
    clips: list[ExportedClip] = []
    names = _Names()
    for utterance in utterances:
        text = _one_line(utterance.text)
        if text != utterance.text:
            log.append(_Entry(utterance.utterance_id, utterance.row, "text made one line", Reason("layout"),
                              utterance.text, text))  # fmt: skip
        name = names.take(utterance.utterance_id)
        if name != utterance.utterance_id:
            log.append(_Entry(utterance.utterance_id, utterance.row, f"called {name}, which is a file's name"))
        speaker = _one_line(utterance.speaker) if utterance.speaker and layout.speakers else None
        if code == "piper" and speaker is None:
            speaker = UNNAMED
            log.append(_Entry(utterance.utterance_id, utterance.row, f"its speaker is called {UNNAMED}"))
        if speaker and layout.plain_speakers and speaker != (safe := _safe(speaker)):
            log.append(_Entry(utterance.utterance_id, utterance.row, f"speaker {speaker} called {safe}"))
            speaker = safe
        cut = utterance.is_span and not (audio == "none" and layout.spans)
        suffix = ".wav" if cut else utterance.path.suffix
        clip = ExportedClip(
            name, text, speaker, _one_line(utterance.written_text) if utterance.written_text else None, "",
            utterance.offset_s, utterance.length_s, _duration_s(utterance) if code == "nemo" else None,
        )  # fmt: skip
        if audio == "none":
            if cut:
                log.append(
                    _Entry(
                        utterance.utterance_id,
                        utterance.row,
                        "left out",
                        Reason("layout", words="is a span of its file, which this layout can't name"),
                    )
                )
                continue  # fmt: skip
            clips.append(replace(clip, audio=utterance.path.relative_to(dataset.folder).as_posix()))
            continue
        inside = writer.audio_name(clip, suffix)
        problem = _put_audio(utterance, folder / inside, audio, cut)
        if problem is not None:
            reason = Reason("unreadable", words=problem)
            log.append(_Entry(utterance.utterance_id, utterance.row, "left out", reason, utterance.text))
            continue
        if cut:
            log.append(_Entry(utterance.utterance_id, utterance.row, f"cut out of {utterance.path.name}"))
        clips.append(replace(clip, audio=inside, offset_s=0.0, length_s=None))
    if not clips:
        raise DatasetError("No clip can be exported so; the layout can't name spans of files, or none can be read.")
    return writer.write(folder, clips), clips


def _duration_s(utterance: Utterance) -> float | None:
    """Seconds, as the header says; None where it can't be read."""
    header = read_header(utterance.path, utterance.offset_s, utterance.length_s)
    return None if isinstance(header, Unreadable) else round(header.duration_s, 6)


def _put_audio(utterance: Utterance, path: Path, audio: AudioMode, cut: bool) -> str | None:
    """Link, copy or cut the recording to `path`; why it can't be, or None. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = utterance.path.resolve()
    if cut:
        decoded = decode(source, MAX_CLIP_S, utterance.offset_s, utterance.length_s)
        if isinstance(decoded, Unreadable):
            return decoded.reason
        header, samples = decoded
        subtype = _CUT_SUBTYPES.get(header.subtype, "PCM_16" if header.subtype.startswith("PCM") else "FLOAT")
        soundfile.write(path, samples, header.sample_rate, subtype=subtype)
        return None
    if not source.is_file():
        return "The recording is not there any more."
    if audio == "copy":
        shutil.copyfile(source, path)
    else:
        path.symlink_to(source)
    return None


def _compare(folder: Path, code: str, clips: Sequence[ExportedClip], audio: AudioMode) -> None:
    """Read the export back. Raises DatasetError where another dataset would be read than was meant."""
    read, layout = read_dataset(folder), LAYOUTS[code]
    alone = len({clip.speaker for clip in clips}) == 1 and not layout.lone_speaker
    # Without recordings an id may be the recording's path in the source.
    wanted = [("" if audio == "none" else clip.name, clip.text, None if alone else clip.speaker) for clip in clips]
    there = {("" if audio == "none" else said.utterance_id, said.text, said.speaker) for said in read.utterances}
    unlike = [name or text for name, text, speaker in wanted if (name, text, speaker) not in there]
    if read.layout != code or unlike or len(read.utterances) != len(clips):
        example = f" (as {unlike[0][:80]})" if unlike else ""
        raise DatasetError(
            f"In the layout {layout.name} this dataset would be read otherwise than it is{example}; choose another."
        )


class _Names:
    """File names for ids, each its own on every file system."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, utterance_id: str) -> str:
        name, number = _safe(utterance_id), 2
        stem = name
        while (key := unicodedata.normalize("NFC", name).casefold()) in self._taken:
            name, number = f"{stem}-{number}", number + 1
        self._taken.add(key)
        return name


def _safe(name: str) -> str:
    """`name` as the name of a file: no separators, no spaces, not too long, and not hidden."""
    safe = _NOT_IN_NAMES.sub("_", name.encode("utf-8", "replace").decode()).lstrip(".-").rstrip(". ")
    safe = without_audio_suffix(safe)
    while len(safe.encode()) > _LONGEST_NAME_BYTES:
        safe = safe[: -max(1, (len(safe.encode()) - _LONGEST_NAME_BYTES) // 4)]
    return safe or "clip"


def _one_line(text: str) -> str:
    """`text` as one line: what would end a row, or a file, becomes a space."""
    return re.sub(r"\s*[\x00\n\r\x0b\x0c\x85\u2028\u2029\t]\s*", " ", text).strip()


def _write_log(path: Path, log: Iterable[_Entry]) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_LOG_FIELDS)
    for entry in log:
        reason = entry.reason
        row = (
            entry.utterance_id, entry.row or "", entry.what, reason.code, _number(reason.value),
            _number(reason.threshold), reason.unit, reason.words, entry.text_before, entry.text_after,
        )  # fmt: skip
        writer.writerow(no_formula(value) for value in row)
    path.write_text(buffer.getvalue(), encoding="utf-8", errors="replace")


def _number(value: float | None) -> object:
    return "" if value is None else value
