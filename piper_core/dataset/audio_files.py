"""Where a dataset's audio files lie: each folder is listed once, so that 100,000 rows cost no look at the disk each.

Names from metadata never lead outside the dataset's folder, however they are written. Links that lie inside it may:
people link large audio into place, and whoever can write a link into the folder can read what it leads to. That is
said once (`linked_outside`). docs/layouts.md has the reasons.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

AUDIO_SUFFIXES = (
    ".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au", ".caf", ".w64", ".m4a", ".mp4", ".webm", ".aac",
    ".wma", ".raw",
)  # fmt: skip
"""In order of preference where several files share an id. What can't be decoded becomes a finding."""
_RANK = {suffix: rank for rank, suffix in enumerate(AUDIO_SUFFIXES)}
AUDIO_FOLDERS = ("wavs", "wav", "")
"""Looked through in this order, beneath the dataset's folder."""
CLIP_FOLDERS = ("wavs", "wav", "clips", "audio")
"""What a folder of recordings is called when it is no speaker's."""


def without_audio_suffix(name: str) -> str:
    """`name` without an audio file's extension: ids are written with it or without it."""
    if "." not in name[-6:]:
        return name
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - see `_key`
    return stem if suffix.lower() in _RANK else name


def is_audio(name: str) -> bool:
    """Whether a file of this name may be a recording."""
    return os.path.splitext(name)[1].lower() in _RANK  # noqa: PTH122 - see `_key`


def clip_id(name: str) -> str:
    """An id from a recording's name: without its extension, and without the folder that all recordings lie in."""
    name = without_audio_suffix(name)
    if "/" not in name:
        return name
    head, slash, tail = name.partition("/")
    return tail if slash and head in CLIP_FOLDERS else name


class AudioIndex:
    """The audio files of one dataset, found by the names that its metadata uses.

    `folders` are looked through in this order, beneath the dataset's folder.
    """

    def __init__(self, folder: Path, folders: Sequence[str] = AUDIO_FOLDERS) -> None:
        self._folder = folder
        self._folders = tuple(folders)
        self._roots = tuple({os.path.abspath(folder): None, os.path.realpath(folder): None})  # noqa: PTH100 - links stay
        self._listings: dict[str, _Names] = {}
        self._paths: dict[str, Path] = {}
        self._tails: dict[str, int] = {}
        self.renamed: dict[str, str] = {}
        """Names in the metadata -> the file's, where they are the same but for Unicode form or small letters."""
        self.moved: dict[str, str] = {}
        """Names that lead elsewhere -> the file inside that ends alike."""

    def holds(self, name: str) -> bool:
        """Whether `name`, as text, stays inside the dataset's folder."""
        return self.inside(name) is not None

    def find(self, name: str) -> Path | None:
        """The audio file that `name` means, or None."""
        inside = self.inside(name)
        if inside is None:
            return None
        head, _, tail = inside.rpartition("/")
        for near in (False, True):
            for base in self._folders:
                folder = f"{base}/{head}" if base and head else base or head
                names = self._listing(folder)
                real = names.near(tail) if near else names.get(tail)
                if real is not None:
                    if near:
                        self.renamed[name] = real
                    return self._path(folder) / real
        return None

    def find_by_tail(self, name: str) -> Path | None:
        """The file inside that the end of a path from elsewhere names: /data/set/wavs/a.wav -> wavs/a.wav.

        For manifests that were written on another machine or from another working folder.
        """
        parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
        if not parts or ".." in parts or "\0" in name or len(parts) > 64:
            return None
        head = "/".join(parts[:-1])
        known = self._tails.get(head)
        for start in range(1, len(parts)) if known is None else (known,):
            found = self.find("/".join(parts[start:]))
            if found is not None:
                self._tails[head] = start
                self.moved[name] = "/".join(parts[start:])
                return found
        return None

    def expected(self, name: str) -> Path:
        """Where the missing audio of `name` should have been."""
        inside = self.inside(name) or ""
        named = [base for base in self._folders if base]
        base = next((base for base in named if self._listing(base).whole), named[0] if named else "")
        name = inside if without_audio_suffix(inside) != inside else inside + ".wav"
        return self._folder / name if not base or name.startswith(f"{base}/") else self._folder / base / name

    def listed(self) -> Iterator[str]:
        """Every audio file in the folders that were looked through, as text: a Path of each would take longer."""
        for base in self._folders:
            self._listing(base)
        for folder, names in sorted(self._listings.items()):
            parent = str(self._path(folder))
            for name in sorted(names.whole.values()):
                yield os.path.join(parent, name)  # noqa: PTH118 - see above

    def linked_outside(self, meant: Collection[str] = ()) -> tuple[int, str]:
        """How many recordings are links that lead out of the dataset's folder, or lie behind one; where one leads.

        Links into a folder of `meant` are not counted.
        """
        count, example = 0, ""
        for folder, names in self._listings.items():
            if not names.whole:
                continue
            here = os.path.join(self._roots[0], folder)  # noqa: PTH118
            real = os.path.realpath(here)
            if not self._is_inside(real):
                count, example = count + len(names.whole), example or real
                continue
            for link in names.links:
                target = os.path.normpath(os.path.join(real, os.readlink(os.path.join(real, link))))  # noqa: PTH115, PTH118
                if not self._is_inside(target) and os.path.dirname(target) not in meant:  # noqa: PTH120
                    count, example = count + 1, example or os.path.dirname(target)  # noqa: PTH120
        return count, example

    def relative(self, path: Path) -> str:
        """`path` as it is written in findings."""
        return path.relative_to(self._folder).as_posix()

    def inside(self, name: str) -> str | None:
        """`name` relative to the dataset's folder with `..` worked out, or None where it leads outside."""
        if name.isalnum():
            return name
        name = name.replace("\\", "/")
        if "\0" in name or (len(name) > 1 and name[1] == ":"):
            return None
        if name.startswith("/"):
            prefix = next((root for root in self._roots if name.startswith(root.rstrip("/") + "/")), None)
            if prefix is None:
                return None
            name = name[len(prefix.rstrip("/")) + 1 :]
        if "/" not in name and name not in ("", ".", ".."):
            return name
        inside = os.path.normpath(name)
        return None if inside in (".", "..") or inside.startswith(("../", "/")) else inside

    def _is_inside(self, real: str) -> bool:
        return any(real == root or real.startswith(root.rstrip("/") + "/") for root in self._roots)

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
                    listed = [(entry.name, entry.is_symlink()) for entry in entries]
            except PermissionError:
                raise
            except (OSError, ValueError):
                listed = []  # no such folder, or an id that no folder can be named
            self._listings[folder] = _Names.of(listed)
        return self._listings[folder]


@dataclass
class _Names:
    """The audio files of a folder."""

    whole: dict[str, str]
    """Name with a small-letter extension -> name."""
    stems: dict[str, str]
    """Name without its extension -> name; of several, the one whose extension comes first in `AUDIO_SUFFIXES`."""
    links: list[str]
    _near: dict[str, str] | None = field(default=None, init=False)

    @classmethod
    def of(cls, entries: list[tuple[str, bool]]) -> _Names:
        split = [(name, *os.path.splitext(name)) for name, _ in entries]  # noqa: PTH122 - see `_key`
        audio = [(_RANK[suffix.lower()], name, stem) for name, stem, suffix in split if suffix.lower() in _RANK]
        return cls(
            {_key(name): name for _, name, _ in audio},
            {stem: name for _, name, stem in sorted(audio, reverse=True)},
            [name for name, is_link in entries if is_link and is_audio(name)],
        )

    def get(self, name: str) -> str | None:
        """The file that is called `name`, with or without its extension."""
        return self.whole.get(name) or self.stems.get(name) or self.whole.get(_key(name))

    def near(self, name: str) -> str | None:
        """The only file that is called so but for Unicode form (NFC, NFD) and small letters."""
        if self._near is None:
            self._near = {}
            for known, real in (*self.stems.items(), *self.whole.items()):
                key = _same(known)
                self._near[key] = "" if self._near.get(key, real) != real else real
        return self._near.get(_same(name)) or None


def _key(name: str) -> str:
    """The name with a small-letter extension: a.WAV is found as a.wav."""
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - called for every row, pathlib takes ten times as long
    return stem + suffix.lower()


def _same(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
