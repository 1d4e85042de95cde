"""Which layout a folder has, and reading it: what is found first counts, what else is there is said."""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from pathlib import Path

from piper_core.dataset.audio_files import AUDIO_FOLDERS, AudioIndex, is_audio
from piper_core.dataset.layouts import kaldi, mycroft, text_files
from piper_core.dataset.layouts.delimited import DELIMITERS, read_delimited
from piper_core.dataset.layouts.json_lines import read_json_lines
from piper_core.dataset.layouts.rows import Rows, assemble
from piper_core.dataset.layouts.utterance import Dataset
from piper_core.dataset.metadata_file import DatasetError, is_ours

METADATA_NAMES = ("metadata.csv", "metadata.txt", "metadata.tsv", "metadata.jsonl")
"""Read where they are there, in this order."""
_PART_NAMES = ("metadata.csv", "metadata.tsv", "metadata.jsonl")
WHOLE = "."
"""As `metadata`: the folder, where no single file names the clips."""
_JSON = (".json", ".jsonl")
_COLUMNS = (".csv", ".txt", ".tsv")
_PATH_FOLDERS = ("", "wavs", "wav", "clips", "audio")
"""Where recordings are looked for whose names are paths from the metadata on."""


def read_dataset(folder: Path, metadata: str | None = None) -> Dataset:
    """The dataset in `folder`, in whichever of `LAYOUTS` it is written.

    `metadata` names another file inside the folder (or "." for the folder as a whole), as `Dataset.metadata` gives it.
    Raises DatasetError with a sentence when there is none or it can't be read; single bad rows become findings.
    """
    collects = gc.isenabled()
    gc.disable()  # a hundred thousand rows hold no cycles, and looking for them took 30 % of the time
    try:
        return _read(Path(folder), metadata)
    except OSError as error:
        raise DatasetError(
            f"{folder} can't be read ({error.strerror or error}: {error.filename}); check its permissions."
        ) from error
    finally:
        if collects:
            gc.enable()


def _read(folder: Path, metadata: str | None) -> Dataset:
    if "\0" in str(folder) or not folder.exists():
        raise DatasetError(f"There is no folder {folder}; check the path.")
    if not folder.is_dir():
        raise DatasetError(f"{folder} is a file; choose the folder that holds metadata.csv and wavs/.")
    if metadata is None or metadata == WHOLE:
        read, index = _recognised(folder, whole=metadata == WHOLE)
    else:
        read, index = _named(folder, metadata)
    return assemble(folder, read, index)


def _named(folder: Path, metadata: str) -> tuple[Rows, AudioIndex]:
    if Path(metadata).is_absolute() or ".." in Path(metadata).parts or "\0" in metadata:
        raise DatasetError(f"The metadata file {metadata} lies outside the dataset; name a file inside {folder}.")
    path = folder / metadata
    if metadata == text_files.VCTK_TEXTS and path.is_dir():
        return text_files.read_vctk(folder), AudioIndex(folder, ())
    if not path.is_file():
        raise DatasetError(f"There is no {metadata} in {folder}; check the metadata file's name.")
    return _read_file(folder, path)


def _read_file(folder: Path, path: Path) -> tuple[Rows, AudioIndex]:
    """The rows of one metadata file, in whichever layout it is."""
    inside = path.parent.relative_to(folder).as_posix()
    prefix = "" if inside == "." else inside + "/"
    if path.name in kaldi.NAMES and kaldi.is_kaldi(path.parent):
        return kaldi.read_kaldi(folder, path.parent), AudioIndex(folder, ("", prefix.rstrip("/")) if prefix else ("",))
    if path.name.endswith(mycroft.SUFFIX):
        return mycroft.read_mycroft(folder, [path]), AudioIndex(folder, ("", "wavs", "wav"))
    if path.suffix.lower() in _JSON:
        return read_json_lines(folder, path, prefix), AudioIndex(folder, _PATH_FOLDERS)
    folders = AUDIO_FOLDERS if not prefix else ("", *(prefix + name for name in ("wavs", "wav")))
    index = AudioIndex(folder, (*folders, "clips", "audio"))
    return read_delimited(folder, path, index, prefix), index


def _recognised(folder: Path, *, whole: bool) -> tuple[Rows, AudioIndex]:
    candidates = _candidates(folder)
    if not whole and candidates:
        first, rest = candidates[0], candidates[1:]
        names = ", ".join(path.relative_to(folder).as_posix() for path in rest[:4])
        if first.name not in (*METADATA_NAMES, *kaldi.NAMES) and rest:
            first_name = first.relative_to(folder).as_posix()
            raise DatasetError(f"{folder} holds several metadata files ({first_name}, {names}); say which one to use.")
        read, index = _read_file(folder, first)
        if rest:
            read.say(f"{first.name} is read. Metadata is also in {names}: to read that, name it as the metadata file.")
        return read, index
    recorded = sorted(path for depth in ("", "*/", "*/*/") for path in folder.glob(f"{depth}*{mycroft.SUFFIX}"))
    if recorded:
        return mycroft.read_mycroft(folder, recorded), AudioIndex(folder, ("",))
    if text_files.is_vctk(folder):
        return text_files.read_vctk(folder), AudioIndex(folder, ())
    if parts := _in_subfolders(folder):
        return parts
    bare = text_files.read_folder(folder)
    if bare is not None:
        return bare, AudioIndex(folder, ("",))
    if not any(folder.iterdir()):
        raise DatasetError(f"{folder} is empty; it needs metadata.csv and a folder wavs/ with the recordings.")
    for name in METADATA_NAMES:
        if (folder / name).exists():
            raise DatasetError(f"{name} in {folder} is no file but a folder, a pipe or a device; put a file there.")
    raise DatasetError(
        f"{folder} has no metadata.csv; write one with a line `id|text` for every recording, and put those in wavs/."
        " (Other layouts that are read: VCTK, Mycroft, NeMo, AudioFolder, Kaldi, and a .txt beside each recording.)"
    )


def _candidates(folder: Path) -> list[Path]:
    """The folder's metadata files, the one that is read first."""
    known = [folder / name for name in METADATA_NAMES if (folder / name).is_file()]
    if kaldi.is_kaldi(folder):
        known.append(folder / "text")
    if known:
        return known
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if not is_ours(entry.name) and not entry.name.startswith("."))
    stems = {os.path.splitext(name)[0] for name in names if is_audio(name)}  # noqa: PTH122
    found = []
    for name in names:
        suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122
        path = folder / name
        if name.endswith(mycroft.SUFFIX) or suffix not in (*_COLUMNS, *_JSON) or not path.is_file():
            continue
        if suffix == ".txt" and os.path.splitext(name)[0] in stems:  # noqa: PTH122 - the text of one clip
            continue
        if _is_metadata(path, suffix):
            found.append(path)
    return found


def _is_metadata(path: Path, suffix: str) -> bool:
    with path.open("rb") as file:
        head = file.read(65536).replace(b"\0", b"")  # UTF-16 has one in every second place
    if suffix in _JSON:
        return b'"audio_filepath"' in head or b'"file_name"' in head
    first, _, rest = head.partition(b"\n")
    if suffix == ".txt":
        return b"|" in first or b"\t" in first
    return any(sign.encode() in first or sign.encode() in rest for sign in DELIMITERS)


def _in_subfolders(folder: Path) -> tuple[Rows, AudioIndex] | None:
    """AudioFolder with a metadata file in each of train/, test/ ... ; or Kaldi data folders beneath."""
    subfolders = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    files = [[path / name for name in _PART_NAMES if (path / name).is_file()] for path in subfolders]
    parts = [found[0] for found in files if found]
    if parts:
        return _together(folder, parts)
    data = [path for depth in ("*", "data/*") for path in sorted(folder.glob(depth)) if kaldi.is_kaldi(path)]
    if len(data) > 1:
        names = ", ".join((path / "text").relative_to(folder).as_posix() for path in data[:5])
        raise DatasetError(f"{folder} holds several Kaldi data folders; name one as the metadata file ({names}).")
    return _read_file(folder, data[0] / "text") if data else None


def _together(folder: Path, files: Sequence[Path]) -> tuple[Rows, AudioIndex]:
    """The rows of several metadata files, numbered on."""
    index = AudioIndex(folder, ("",))
    all_rows = Rows("", folder if len(files) > 1 else files[0], ids_are_file_names=True)
    number = 0
    for path in files:
        prefix = path.parent.relative_to(folder).as_posix() + "/"
        if path.suffix == ".jsonl":
            read = read_json_lines(folder, path, prefix, number)
        else:
            read = read_delimited(folder, path, index, prefix, number)
        if all_rows.layout not in ("", read.layout):
            raise DatasetError(f"{folder} holds several datasets ({all_rows.layout}, {read.layout}); open one of them.")
        all_rows.layout = read.layout
        all_rows.rows += read.rows
        all_rows.findings += read.findings
        number = max([number, *(row.number for row in read.rows), *(found.row or 0 for found in read.findings)])
    if len(files) > 1:
        all_rows.say("The clips of " + ", ".join(path.parent.name for path in files[:6]) + " are read together.")
    return all_rows, index
