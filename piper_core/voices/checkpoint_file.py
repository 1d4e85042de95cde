"""Reading a checkpoint file without running what is in it.

A checkpoint is a pickle, and unpickling runs code. Ours is read by torch's restricted unpickler
(`weights_only=True`), which builds tensors and plain containers only; a short list of harmless classes that
Lightning and the older Piper put into theirs is read as plain values. Everything else is refused by its name.
Tensors are mapped from disk, so that looking into a file of 850 MB reads little more than its index.
"""

from __future__ import annotations

import pickle
import re
import struct
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import torch

from piper_core.voices.pickle_names import names_in

_INDEX_MAX_BYTES = 256 * 1024**2
_READING_ERRORS = (
    pickle.UnpicklingError, RuntimeError, EOFError, LookupError, ValueError, TypeError, AttributeError,
    ArithmeticError, AssertionError, MemoryError, OSError, struct.error, zipfile.BadZipFile,
)  # fmt: skip
"""What a damaged or hand-made file makes the restricted unpickler raise."""


class CheckpointError(ValueError):
    """A checkpoint that can't be used. The message says why, and what to do instead."""


def load_content(path: Path) -> dict[str, Any]:
    """The table that the trainer saved, tensors mapped from disk. Raises CheckpointError."""
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint at {path}.")
    with path.open("rb") as file:
        start = file.read(4)
    is_zip = zipfile.is_zipfile(path)
    if start.startswith(b"PK") and not is_zip:
        raise CheckpointError(f"{path.name} is cut short: its end is missing. Copy or download it again.")
    if not is_zip and not start.startswith(b"\x80"):
        raise CheckpointError(f"{path.name} is not a checkpoint: those are written by a trainer and end in .ckpt.")
    try:
        if is_zip:
            _check_archive(path)
        with warnings.catch_warnings(), torch.serialization.safe_globals(_harmless()):
            warnings.simplefilter("ignore")  # torch warns of pickle protocols; what can't be read is said below
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except CheckpointError:
        raise
    except _READING_ERRORS as error:
        raise CheckpointError(_why_refused(path, is_zip, error)) from error
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{path.name} is not a trainer's checkpoint: it holds {type(content).__name__}, no table."
        )
    return content


def _check_archive(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    index = [entry for entry in entries if entry.filename.split("/")[-1] == "data.pkl"]
    if not index:
        raise CheckpointError(f"{path.name} is a zip file, but no checkpoint. Unpack it, and choose the .ckpt inside.")
    # torch stores its entries as they are: a compressed one is not from torch, and may unpack to any size.
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise CheckpointError(
            f"{path.name} was packed by another program. Take the checkpoint as the trainer wrote it."
        )
    if index[0].file_size > _INDEX_MAX_BYTES:
        raise CheckpointError(f"{path.name} has an index of {index[0].file_size} bytes: no trainer writes such a one.")


def _harmless() -> list[Any]:
    """Classes that are read as plain values, under every name that Python and Lightning gave them."""
    plain: list[Any] = [
        (plain_class, f"{module}.{name}")
        for module in ("pathlib", "pathlib._local")  # the latter: Python 3.13
        for plain_class, name in (
            (PurePosixPath, "PosixPath"),
            (PurePosixPath, "PurePosixPath"),
            (PureWindowsPath, "WindowsPath"),
            (PureWindowsPath, "PureWindowsPath"),
        )
    ]
    for module in (
        "pytorch_lightning.utilities.parsing", "lightning.pytorch.utilities.parsing",
        "lightning_fabric.utilities.data", "lightning.fabric.utilities.data",
    ):  # fmt: skip
        plain.append((dict, f"{module}.AttributeDict"))
    plain += [(OrderedDict, "collections.OrderedDict"), (dict, "builtins.dict"), (list, "builtins.list")]
    return plain


def _why_refused(path: Path, is_zip: bool, error: BaseException) -> str:
    asked = _foreign_names(path, is_zip)
    if not asked and isinstance(error, pickle.UnpicklingError) and (named := re.search(r"GLOBAL ([\w.]+)", str(error))):
        asked = [named.group(1)]
    if asked:
        return (
            f"{path.name} was refused: reading it would run {', '.join(asked)}, which weights have no need of."
            " Nothing was run. Take a checkpoint from a source that you trust."
        )
    return f"{path.name} is damaged or no checkpoint ({type(error).__name__}). Copy or download it again."


def _foreign_names(path: Path, is_zip: bool) -> list[str]:
    """The names in a refused file that weights have no need of."""
    try:
        if is_zip:
            with zipfile.ZipFile(path) as archive:
                index = next(name for name in archive.namelist() if name.split("/")[-1] == "data.pkl")
                with archive.open(index) as file:
                    content = file.read(_INDEX_MAX_BYTES)
        else:
            with path.open("rb") as plain:
                content = plain.read(_INDEX_MAX_BYTES)
    except (ValueError, zipfile.BadZipFile, OSError, EOFError, LookupError, NotImplementedError):
        return []
    known = {*torch._weights_only_unpickler._get_allowed_globals(), *(name for _, name in _harmless())}
    return sorted(names_in(content) - known)
