"""Where a dataset's audio files lie: each folder is listed once, so that 100,000 rows cost no look at the disk each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au", ".caf", ".w64", ".m4a", ".raw")
"""In order of preference where several files share an id. What can't be decoded becomes a finding."""
_RANK = {suffix: rank for rank, suffix in enumerate(AUDIO_SUFFIXES)}
AUDIO_FOLDERS = ("wavs", "wav", "")
"""Looked through in this order, beneath the dataset's folder."""


def without_audio_suffix(name: str) -> str:
    """`name` without an audio file's extension: ids are written with it or without it."""
    suffix = PurePosixPath(name).suffix
    return name.removesuffix(suffix) if suffix.lower() in AUDIO_SUFFIXES else name


class AudioIndex:
    """The audio files of one dataset, found by the first column of its metadata."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._root = os.path.abspath(folder)  # noqa: PTH100 - links must stay: users link large audio into place
        self._listings: dict[str, _Names] = {}
        self._paths: dict[str, Path] = {}
        self._inside_of: dict[str, str] = {}

    def holds(self, name: str) -> bool:
        """Whether `name`, as text, stays inside the dataset's folder."""
        return self._inside(name) is not None

    def find(self, name: str) -> Path | None:
        """The audio file that `name` means, or None."""
        inside = self._inside(name)
        if inside is None:
            return None
        head, _, tail = inside.rpartition("/")
        for base in AUDIO_FOLDERS:
            folder = "/".join(part for part in (base, head) if part)
            names = self._listing(folder)
            real = names.whole.get(_key(tail)) or names.stems.get(tail)
            if real is not None:
                return self._path(folder) / real
        return None

    def expected(self, name: str) -> Path:
        """Where the missing audio of `name` should have been."""
        inside = self._inside(name) or ""
        base = next((base for base in AUDIO_FOLDERS if base and self._listing(base).whole), "wavs")
        name = inside if without_audio_suffix(inside) != inside else inside + ".wav"
        return self._folder / name if name.startswith(f"{base}/") else self._folder / base / name

    def is_listed(self, path: Path) -> bool:
        """Whether `path`, as `find` gave it, is there."""
        parent, name = os.path.split(path)
        if parent not in self._inside_of:
            inside = path.parent.relative_to(self._folder).as_posix()
            self._inside_of[parent] = "" if inside == "." else inside
        return _key(name) in self._listing(self._inside_of[parent]).whole

    def listed(self) -> Iterator[str]:
        """Every audio file in the folders that were looked through, as text: a Path of each would take longer."""
        for base in AUDIO_FOLDERS:
            self._listing(base)
        for folder, names in sorted(self._listings.items()):
            parent = str(self._path(folder))
            for name in sorted(names.whole.values()):
                yield os.path.join(parent, name)  # noqa: PTH118 - see above

    def relative(self, path: Path) -> str:
        """`path` as it is written in findings."""
        return path.relative_to(self._folder).as_posix()

    def _inside(self, name: str) -> str | None:
        """`name` relative to the dataset's folder with `..` worked out, or None where it leads outside."""
        name = name.replace("\\", "/")
        if "\0" in name or (len(name) > 1 and name[1] == ":"):
            return None
        if name.startswith("/"):
            prefix = self._root.rstrip("/") + "/"
            if not name.startswith(prefix):
                return None
            name = name[len(prefix) :]
        inside = os.path.normpath(name)
        return None if inside in (".", "..") or inside.startswith("../") else inside

    def _path(self, folder: str) -> Path:
        """`folder` beneath the dataset's; made once, since joining takes longer than looking a name up."""
        if folder not in self._paths:
            self._paths[folder] = self._folder / folder
        return self._paths[folder]

    def _listing(self, folder: str) -> _Names:
        """The audio files of one folder."""
        if folder not in self._listings:
            try:
                with os.scandir(self._folder / folder) as entries:
                    self._listings[folder] = _Names.of([entry.name for entry in entries])
            except PermissionError:
                raise
            except OSError:
                self._listings[folder] = _Names({}, {})  # no such folder, or an id that no folder can be named
        return self._listings[folder]


@dataclass(frozen=True)
class _Names:
    whole: dict[str, str]
    """Name with a small-letter extension -> name."""
    stems: dict[str, str]
    """Name without its extension -> name; of several, the one whose extension comes first in `AUDIO_SUFFIXES`."""

    @classmethod
    def of(cls, names: list[str]) -> _Names:
        split = [(name, *os.path.splitext(name)) for name in names]  # noqa: PTH122 - see `_key`
        audio = [(_RANK[suffix.lower()], name, stem) for name, stem, suffix in split if suffix.lower() in _RANK]
        return cls(
            {_key(name): name for _, name, _ in audio}, {stem: name for _, name, stem in sorted(audio, reverse=True)}
        )


def _key(name: str) -> str:
    """The name with a small-letter extension: a.WAV is found as a.wav."""
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - called for every row, pathlib takes ten times as long
    return stem + suffix.lower()
