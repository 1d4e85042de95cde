"""A dataset -> another folder, in any of `LAYOUTS`: cleaned, with edited texts, and a log of what was changed and why.

Everything is written into a folder beside the target, read back and compared, and takes the target's name only then.
Nothing of the source is touched. Recordings are linked, copied, or left where they are (a manifest alone); a clip that
is a span of its file is cut out of it, unless the layout can name spans and no recordings are written.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import soundfile

from piper_core.dataset.audio_files import without_audio_suffix
from piper_core.dataset.cleaning import LeftOut, clean
from piper_core.dataset.decisions import Reason
from piper_core.dataset.decoding import MAX_CLIP_S, Unreadable, decode, read_header
from piper_core.dataset.export_log import LEFT_OUT, LOG_NAME, LogEntry, linked, log_bytes
from piper_core.dataset.layouts import LAYOUTS, AudioMode, Dataset, DatasetError, Utterance, read_dataset
from piper_core.dataset.layouts.writing import UNNAMED, WRITERS, ExportedClip, one_line

_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\s]+')
_LONGEST_NAME_BYTES = 120
_CUT_SUBTYPES = {"PCM_U8": "PCM_16", "PCM_S8": "PCM_16", "PCM_24": "PCM_24", "PCM_32": "PCM_32", "FLOAT": "FLOAT",
                 "DOUBLE": "FLOAT"}  # fmt: skip


@dataclass(frozen=True)
class Exported:
    """What an export wrote."""

    folder: Path
    metadata: str
    """The metadata file inside the folder, as `read_dataset` takes it."""
    log: Path
    clips: int
    left_out: int
    entries: tuple[LogEntry, ...]
    """What the log says."""

    @classmethod
    def of(cls, metadata_path: Path, folder: Path, log: Path, clips: int, entries: Sequence[LogEntry]) -> Exported:
        """`clips` of them in `folder`, and what became of the others."""
        behind = len({entry.row for entry in entries if entry.what == LEFT_OUT})
        return cls(folder, metadata_path.relative_to(folder).as_posix(), log, clips, behind, tuple(entries))


def export_dataset(
    dataset: Dataset,
    target: Path,
    layout: str,
    *,
    texts: Mapping[int, str] | None = None,
    left_out: LeftOut | None = None,
    audio: AudioMode = "link",
) -> Exported:
    """Write `dataset` into the new folder `target`, in the layout of that code.

    `texts` are edited texts and `left_out` the clips that stay behind with one reason or several, both by row, as
    `cleaning.clean` takes them. Raises DatasetError with a sentence: for a target that holds something, a disk that is
    full, or clips that the layout can't hold.
    """
    target = Path(target)
    check_export(dataset, target, layout, audio)
    cleaned = clean(dataset, texts, left_out)
    log = list(cleaned.log)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".exporting-") as temporary:
            folder = Path(temporary) / "export"
            folder.mkdir()
            metadata, clips = _write(dataset, folder, layout, cleaned.utterances, audio, log)
            (folder / LOG_NAME).write_bytes(log_bytes(log))
            _compare(folder, layout, clips, audio)
            if target.exists():
                target.rmdir()  # an empty folder
            folder.replace(target)
    except OSError as error:
        raise DatasetError(
            f"The export to {target} stopped: {error.strerror or error}. Make room, or choose another folder."
        ) from error
    return Exported.of(target / metadata, target, target / LOG_NAME, len(clips), log)


def check_export(dataset: Dataset, target: Path, layout: str, audio: AudioMode) -> None:
    """Raises DatasetError where `dataset` can't be written into `target` so, as far as that shows before."""
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


def _write(
    dataset: Dataset, folder: Path, code: str, utterances: Sequence[Utterance], audio: AudioMode, log: list[LogEntry]
) -> tuple[str, list[ExportedClip]]:
    layout, writer = LAYOUTS[code], WRITERS[code]
    if not layout.speakers and len({utterance.speaker for utterance in utterances}) > 1:
        log.append(LogEntry("", 0, f"speakers dropped: {layout.name} has no column for them"))
    clips: list[ExportedClip] = []
    links: set[Path] = set()
    names = _Names()
    for utterance in utterances:
        text = one_line(utterance.text)
        if text != utterance.text:
            log.append(LogEntry(utterance.utterance_id, utterance.row, "text made one line", Reason("layout"),
                              utterance.text, text))  # fmt: skip
        name = names.take(utterance.utterance_id)
        if name != utterance.utterance_id:
            log.append(LogEntry(utterance.utterance_id, utterance.row, f"called {name}, which is a file's name"))
        speaker = one_line(utterance.speaker) if utterance.speaker and layout.speakers else None
        if code == "piper" and speaker is None:
            speaker = UNNAMED
            log.append(LogEntry(utterance.utterance_id, utterance.row, f"its speaker is called {UNNAMED}"))
        if speaker and layout.plain_speakers and speaker != (safe := _safe(speaker)):
            log.append(LogEntry(utterance.utterance_id, utterance.row, f"speaker {speaker} called {safe}"))
            speaker = safe
        cut = utterance.is_span and not (audio == "none" and layout.spans)
        suffix = ".wav" if cut else utterance.path.suffix
        clip = ExportedClip(
            name, text, speaker, one_line(utterance.written_text) if utterance.written_text else None, "",
            utterance.offset_s, utterance.length_s, _duration_s(utterance) if code == "nemo" else None,
        )  # fmt: skip
        if audio == "none":
            if cut:
                log.append(
                    LogEntry(
                        utterance.utterance_id,
                        utterance.row,
                        LEFT_OUT,
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
            log.append(LogEntry(utterance.utterance_id, utterance.row, LEFT_OUT, reason, utterance.text))
            continue
        if audio == "link" and not cut:
            links.add(utterance.path.resolve().parent)
        if cut:
            log.append(LogEntry(utterance.utterance_id, utterance.row, f"cut out of {utterance.path.name}"))
        clips.append(replace(clip, audio=inside, offset_s=0.0, length_s=None))
    if not clips:
        raise DatasetError("No clip can be exported so; the layout can't name spans of files, or none can be read.")
    log[:0] = linked(links)
    return writer.write(folder, clips), clips


def _duration_s(utterance: Utterance) -> float | None:
    """Seconds, as the header says; None where it can't be read."""
    header = read_header(utterance.path, utterance.offset_s, utterance.length_s)
    return None if isinstance(header, Unreadable) else round(header.duration_s, 6)


def _put_audio(utterance: Utterance, path: Path, audio: AudioMode, cut: bool) -> str | None:
    """Link, copy or cut the recording to `path`; why it can't be, or None. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = Path(os.path.realpath(utterance.path))  # Path.resolve raises for a link to itself
    if cut:
        decoded = decode(source, MAX_CLIP_S, utterance.offset_s, utterance.length_s)
        if isinstance(decoded, Unreadable):
            return decoded.reason
        header, samples = decoded
        subtype = _CUT_SUBTYPES.get(header.subtype, "PCM_16" if header.subtype.startswith("PCM") else "FLOAT")
        # Not by libsndfile to the disk: it has no OSError for a full one, nor any for a file cut off at its end.
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, header.sample_rate, format="WAV", subtype=subtype)
        path.write_bytes(buffer.getvalue())
        return None
    if not source.is_file():
        return "The recording is not there any more."
    try:
        source.open("rb").close()
    except OSError as error:
        return f"The recording can't be read ({error.strerror})."
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
