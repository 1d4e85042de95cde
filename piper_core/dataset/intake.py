"""Uploads -> a dataset's folder: a zip, or many files. Names come from strangers: none leads outside, none is trusted.

Files arrive in a folder beside the wanted one, which takes its name once all are in: a failed upload leaves nothing.
"""

from __future__ import annotations

import lzma
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from piper_core.dataset.audio_files import AUDIO_FOLDERS, AUDIO_SUFFIXES

MAX_FILES = 200_000
MAX_TOTAL_BYTES = 50 * 1024**3
MAX_RATIO = 200
"""Unpacked bytes for a packed one: speech packs 2 times, metadata 5 times, a bomb a thousand times."""
_RATIO_FREE_BYTES = 10 * 1024**2  # digital silence packs a thousand times too; a file of this size is no bomb
METADATA_SUFFIXES = (".csv", ".txt", ".json", ".jsonl", ".tsv", ".lab", ".scp")
METADATA_NAMES = ("text", "utt2spk", "spk2utt", "segments")
"""Kaldi's files have no extension."""
_CHUNK_BYTES = 1 << 20
_DAMAGED = (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error, lzma.LZMAError)


class IntakeError(ValueError):
    """An upload that can't become a dataset. The message says why and what to do."""


def unpack_zip(zip_file: IO[bytes] | Path, folder: Path) -> Path:
    """Unpack a zipped dataset into the new `folder`, and return it.

    A folder around everything is taken off; hidden files, what macOS adds, and whatever is neither audio nor metadata
    are left out. Raises IntakeError; `folder` then does not exist.
    """
    try:
        archive = zipfile.ZipFile(zip_file)
    except _DAMAGED as error:
        raise IntakeError(f"The upload is no zip that can be opened ({error}); pack it again.") from error
    with archive, _arriving(folder) as arriving:
        entries = [entry for entry in archive.infolist() if not entry.is_dir() and not _is_link(entry)]
        _refuse_bomb(entries, arriving)
        room = _Room(arriving)
        for entry in entries:
            name = safe_name(entry.filename)
            if name is None:
                continue
            try:
                with archive.open(entry) as source:
                    room.save(name, source)
            except _DAMAGED as error:
                raise IntakeError(
                    f"{name} can't be unpacked ({error}); pack the zip again, without password."
                ) from error
    return folder


def save_files(files: Iterable[tuple[str, IO[bytes]]], folder: Path) -> Path:
    """Save uploaded files, `(name, open file)` each, into the new `folder`, and return it.

    Names may be flat or relative paths, as a browser sends a folder. Files are copied in pieces and may be an iterator.
    Raises IntakeError; `folder` then does not exist.
    """
    with _arriving(folder) as arriving:
        room = _Room(arriving)
        for given, source in files:
            name = safe_name(given)
            if name is not None:
                room.save(name, source)
    return folder


def safe_name(given: str) -> str | None:
    """The relative path that an uploaded file may have; None for files that no dataset needs.

    Raises IntakeError for a name that leads outside (zip slip, CWE-22).
    """
    parts = [part for part in given.replace("\\", "/").split("/") if part not in ("", ".")]
    if given.startswith(("/", "\\")) or ".." in parts or "\0" in given or (parts and parts[0][1:2] == ":"):
        raise IntakeError(f"The upload names a file outside its own folder ({given!r}), so nothing of it was taken.")
    if not parts or any(part.startswith(".") or part == "__MACOSX" for part in parts):
        return None
    if Path(parts[-1]).suffix.lower() not in (*AUDIO_SUFFIXES, *METADATA_SUFFIXES) and parts[-1] not in METADATA_NAMES:
        return None
    if any(len(part.encode(errors="surrogateescape")) > 255 for part in parts):
        raise IntakeError(f"The name {parts[-1][:40]}… is too long; shorten it to 255 bytes.")
    return "/".join(parts)


class _Room:
    """The folder that files arrive in, and how much is in it: counted as it comes, whatever was announced."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = 0
        self._size_bytes = 0

    def save(self, name: str, source: IO[bytes]) -> None:
        """Copy `source` to `name`. Raises IntakeError at a limit, or for a name that is taken."""
        self._files += 1
        if self._files > MAX_FILES:
            raise IntakeError(f"The upload holds more than {MAX_FILES:,} files; open the folder by its path instead.")
        target = self._folder / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            file = target.open("xb")
        except (FileExistsError, NotADirectoryError):
            raise IntakeError(f"Two uploaded files are called {name}; give every recording its own name.") from None
        with file:
            while chunk := source.read(_CHUNK_BYTES):
                self._size_bytes += len(chunk)
                if self._size_bytes > MAX_TOTAL_BYTES:
                    raise IntakeError(f"The upload has more than {_gb(MAX_TOTAL_BYTES)}; open the folder by its path.")
                file.write(chunk)


@contextmanager
def _arriving(folder: Path) -> Iterator[Path]:
    """A folder to fill, that becomes `folder` when all went well and is removed when not."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise IntakeError(f"There is a dataset {folder.name} already; choose another name.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".arriving-") as temporary:
        arriving = Path(temporary) / "upload"
        arriving.mkdir()
        yield arriving
        root = _without_wrapping(arriving)
        _require_dataset(root)
        _gather_audio(root)
        root.replace(folder)


def _without_wrapping(folder: Path) -> Path:
    """`folder`, or the one folder in it that holds everything."""
    while True:
        entries = list(folder.iterdir())
        if len(entries) != 1 or not entries[0].is_dir() or entries[0].name in AUDIO_FOLDERS:
            return folder
        folder = entries[0]


def _require_dataset(root: Path) -> None:
    files = [path for path in root.rglob("*") if path.is_file()]
    if not any(path.suffix.lower() in AUDIO_SUFFIXES for path in files):
        raise IntakeError("The upload holds no recordings; add the audio files (WAV, FLAC, OGG, MP3 …).")
    if not any(path.suffix.lower() in METADATA_SUFFIXES for path in files):
        raise IntakeError("The upload holds no metadata.csv; add one with a line `id|text` for every recording.")


def _gather_audio(root: Path) -> None:
    """Recordings that came beside metadata.csv go to wavs/; in other layouts they belong where they are."""
    if not any((root / name).is_file() for name in ("metadata.csv", "metadata.txt")):
        return
    loose = [path for path in root.iterdir() if path.is_file() and path.suffix.lower() in AUDIO_SUFFIXES]
    for path in loose:
        target = root / "wavs" / path.name
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            path.replace(target)


def _refuse_bomb(entries: list[zipfile.ZipInfo], folder: Path) -> None:
    total_bytes = sum(entry.file_size for entry in entries)
    if len(entries) > MAX_FILES or total_bytes > MAX_TOTAL_BYTES:
        raise IntakeError(
            f"The zip holds {len(entries):,} files of {_gb(total_bytes)}; at most {MAX_FILES:,} files of"
            f" {_gb(MAX_TOTAL_BYTES)} are taken. Unpack it yourself and open the folder by its path."
        )
    for entry in entries:
        if entry.file_size > max(_RATIO_FREE_BYTES, MAX_RATIO * entry.compress_size):
            raise IntakeError(
                f"{entry.filename} would grow {entry.file_size // max(1, entry.compress_size):,} times in unpacking,"
                " as no recording does; nothing was taken."
            )
    free_bytes = shutil.disk_usage(folder).free
    if total_bytes > free_bytes:
        raise IntakeError(f"The zip needs {_gb(total_bytes)}, the disk has {_gb(free_bytes)} left; make room first.")


def _is_link(entry: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(entry.external_attr >> 16)


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / 1024**3:.1f} GB"
