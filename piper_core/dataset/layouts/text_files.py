"""Layouts where every clip has a text file of its own: VCTK, and a bare folder.

VCTK (https://datashare.ed.ac.uk/handle/10283/3443): txt/<speaker>/<id>.txt beside wav48/<speaker>/<id>.wav, since 0.92
wav48_silence_trimmed/<speaker>/<id>_mic1.flac with a second microphone as _mic2. A bare folder: a .txt or .lab of the
same name beside each recording, as forced aligners take it; where they lie in several folders, those are the speakers.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from piper_core.dataset.audio_files import CLIP_FOLDERS, is_audio
from piper_core.dataset.layouts.rows import Row, Rows, one_line
from piper_core.dataset.metadata_file import DatasetError
from piper_core.dataset.text_encoding import DecodedText, EncodingError, decode_text

TEXT_SUFFIXES = (".txt", ".lab")
"""In order of preference where a clip has both."""
VCTK_TEXTS = "txt"
VCTK_AUDIO = ("wav48_silence_trimmed", "wav48", "wav22", "wav", "wavs", "flac", "audio")
MAX_TEXT_BYTES = 1 << 20
_MAX_DEPTH = 6
_MAX_ENTRIES = 2_000_000
_NO_CLIPS = frozenset({"readme", "license", "licence", "copying", "metadata", "notes", "changelog", "requirements"})
"""Text files that lie beside clips and are none of one."""
_TIMES = re.compile(r"^\s*\d+\s+\d+\s+\S")


@dataclass(frozen=True)
class _Folder:
    """A folder beneath the dataset's: its path inside ("" for itself) and the names of its files."""

    inside: str
    audio: dict[str, str]
    """Name without its extension -> name."""
    texts: dict[str, str]
    """The same for text files."""


def is_vctk(folder: Path) -> bool:
    """Whether `folder` has texts in txt/ and recordings in a folder beside it."""
    return (folder / VCTK_TEXTS).is_dir() and _vctk_audio(folder) is not None


def _vctk_audio(folder: Path) -> str | None:
    return next((name for name in VCTK_AUDIO if (folder / name).is_dir()), None)


def read_vctk(folder: Path) -> Rows:
    """Raises DatasetError."""
    audio_folder = _vctk_audio(folder)
    if not is_vctk(folder) or audio_folder is None:
        raise DatasetError(f"{folder} has no folder {VCTK_TEXTS}/ beside a folder of recordings ({VCTK_AUDIO[0]}/).")
    read = Rows("vctk", folder / VCTK_TEXTS)
    recordings = {found.inside: found.audio for found in _walk(folder / audio_folder)}
    texts = _Texts(folder, read)
    second = 0
    for found in _walk(folder / VCTK_TEXTS):
        audio = recordings.get(found.inside, {})
        second += sum(stem.endswith("_mic2") for stem in audio)
        for stem, name in sorted(found.texts.items()):
            real = audio.get(f"{stem}_mic1") or audio.get(stem) or audio.get(f"{stem}_mic2")
            head = f"{audio_folder}/{found.inside}/" if found.inside else f"{audio_folder}/"
            path = folder / (head + real) if real else None
            texts.add("/".join(filter(None, (VCTK_TEXTS, found.inside, name))), head + (real or f"{stem}.wav"), path,
                      found.inside or None, stem)  # fmt: skip
    texts.finish()
    if not read.rows and not read.findings:
        raise DatasetError(f"{folder / VCTK_TEXTS} holds no texts; write a file txt/<speaker>/<id>.txt for each clip.")
    if second:
        read.say(f"{second:,} recordings of a second microphone (_mic2) are not used: they say the same texts.")
    return read


def read_folder(folder: Path) -> Rows | None:
    """The rows of a bare folder; None where no recording has a text beside it."""
    read = Rows("folder", folder)
    found = [here for here in _walk(folder) if any(stem in here.audio for stem in here.texts)]
    if not found:
        return None
    several = len(found) > 1
    texts = _Texts(folder, read)
    unique = _once(stem for here in found for stem in here.audio)
    for here in found:
        head = f"{here.inside}/" if here.inside else ""
        speaker = _speaker(here.inside) if several else None
        for stem, name in sorted(here.audio.items()):
            text_name = here.texts.get(stem)
            if text_name is None:
                continue  # an orphan, which is told as in every layout
            utterance_id = stem if stem in unique else head + stem
            texts.add(head + text_name, head + name, folder / (head + name), speaker, utterance_id)
        for stem in sorted(here.texts.keys() - here.audio.keys()):
            if stem.casefold() not in _NO_CLIPS:
                texts.add(head + here.texts[stem], f"{head}{stem}.wav", None, speaker, stem)
    texts.finish()
    return read


def _once(stems: Iterable[str]) -> set[str]:
    seen: set[str] = set()
    again: set[str] = set()
    for stem in stems:
        (again if stem in seen else seen).add(stem)
    return seen - again


def _speaker(inside: str) -> str | None:
    """The folder's name, one that only says that recordings are in it aside."""
    parts = [part for part in inside.split("/") if part not in CLIP_FOLDERS]
    return parts[-1] if parts and parts[-1] else None


class _Texts:
    """Reads the text files. Those that are no UTF-8 are decided on together: a single one shows too little."""

    def __init__(self, folder: Path, read: Rows) -> None:
        self._folder = folder
        self._root = os.path.realpath(folder)
        self._read = read
        self._number = 0
        self._undecoded: list[tuple[int, bytes]] = []
        self._marked: dict[str, int] = {}
        self._real: dict[str, str] = {}

    def add(self, text_file: str, name: str, path: Path | None, speaker: str | None, utterance_id: str) -> None:
        """A row of the text in `text_file` and the recording `name`, both relative to the dataset's folder."""
        self._number += 1
        number = self._number
        if not name.isprintable() or not text_file.isprintable():
            shown = text_file.encode("utf-8", "replace").decode()
            self._read.leave_out(number, f"({shown!r}) has a name that is no text; rename it.")
            return
        try:
            data = self._bytes(text_file)
            decoded = decode_text(data) if data.startswith((b"\xef", b"\xff", b"\xfe")) or b"\0" in data else None
            text = decoded.text if decoded else data.decode()
        except UnicodeDecodeError:
            self._undecoded.append((len(self._read.rows), data))
            text = ""
        except (OSError, ValueError) as problem:
            reason = problem.strerror if isinstance(problem, OSError) else str(problem)
            code = "path-escape" if isinstance(problem, _LeadsOutside) else "metadata-format"
            self._read.leave_out(number, f"({text_file}) {reason}; it is left out.", utterance_id, code)
            return
        if decoded and decoded.encoding:
            self._marked[decoded.encoding] = self._marked.get(decoded.encoding, 0) + 1
        if text_file.endswith(".lab") and text.strip() and all(map(_TIMES.match, text.strip().splitlines())):
            self._read.leave_out(number, f"({text_file}) holds labels with times and no text.", utterance_id)
            return
        self._read.rows.append(Row(number, name, one_line(text), speaker, None, utterance_id, path=path))

    def finish(self) -> None:
        """Decode what is not UTF-8, and say how the texts were encoded. Raises DatasetError."""
        for encoding, count in self._marked.items():
            self._read.say(f"{count:,} texts are {encoding}, and read so.", clips=count)
        if not self._undecoded:
            return
        try:
            together: DecodedText = decode_text(b"\n\n".join(data for _, data in self._undecoded))
        except EncodingError as error:
            name = self._read.rows[self._undecoded[0][0]].utterance_id
            raise DatasetError(f"The text of {name} {error}; save the texts as UTF-8.") from None
        for place, data in self._undecoded:
            text = data.decode("cp1252", "replace") if together.inferred else data.decode("utf-8", "replace")
            self._read.rows[place] = self._read.rows[place]._replace(text=one_line(text))
        how = f"read as {together.encoding}" if together.inferred else "read as UTF-8 with damage"
        message = (
            f"{len(self._undecoded):,} texts are not UTF-8 and {how}; look whether their accented letters are right."
        )
        self._read.say(message, "warning", clips=len(self._undecoded))

    def _bytes(self, text_file: str) -> bytes:
        """The file's bytes. Raises OSError, and ValueError for one that is no text to read."""
        path = os.path.join(self._folder, text_file)  # noqa: PTH118 - a hundred thousand times
        # The text is shown and exported: a link must not turn any file of this machine into one.
        parent = os.path.dirname(path)  # noqa: PTH120
        if parent not in self._real:
            self._real[parent] = os.path.realpath(parent)
        real = os.path.realpath(path) if os.path.islink(path) else self._real[parent] + os.sep  # noqa: PTH114
        if not real.startswith(self._root.rstrip(os.sep) + os.sep):
            raise _LeadsOutside("is a link that leads out of the dataset's folder")
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ValueError("is no file")
            if status.st_size > MAX_TEXT_BYTES:
                raise ValueError(f"has {status.st_size / 1e6:,.1f} MB, as no text of a clip has")
            return os.read(descriptor, MAX_TEXT_BYTES)
        finally:
            os.close(descriptor)


class _LeadsOutside(ValueError):
    """A text file that lies elsewhere."""


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _walk(root: Path, inside: str = "", depth: int = 0, seen: set[str] | None = None) -> Iterator[_Folder]:
    """`root` and the folders beneath, hidden ones aside, by name. Linked folders are walked through once."""
    seen = set() if seen is None else seen
    here = os.path.join(root, inside) if inside else str(root)  # noqa: PTH118
    real = os.path.realpath(here)
    if real in seen:
        return
    seen.add(real)
    audio: dict[str, str] = {}
    texts: dict[str, str] = {}
    folders = []
    with os.scandir(here) as entries:
        for count, entry in enumerate(entries):
            if count > _MAX_ENTRIES:
                raise DatasetError(f"{here} holds more than {_MAX_ENTRIES:,} files; split the dataset.")
            name = entry.name
            stem, suffix = os.path.splitext(name)  # noqa: PTH122 - see AudioIndex
            if name.startswith("."):
                continue
            if is_audio(name):
                audio.setdefault(stem, name)
            elif suffix.lower() in TEXT_SUFFIXES:
                if suffix.lower() == ".txt" or stem not in texts:
                    texts[stem] = name
            elif depth < _MAX_DEPTH and _is_folder(entry):
                folders.append(name)
    yield _Folder(inside, audio, texts)
    for name in sorted(folders):
        yield from _walk(root, f"{inside}/{name}" if inside else name, depth + 1, seen)
