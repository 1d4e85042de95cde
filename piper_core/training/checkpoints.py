"""Checkpoints on disk: written whole or not at all, `last.ckpt` and the best few by validation mel loss."""

from __future__ import annotations

import errno
import os
import re
import shutil
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

_NEXT_TO_NOTHING_BYTES = 64 << 20
_BEST_NAME = re.compile(r"step=(\d+)-val_mel=(\d+\.\d+|inf)\.ckpt")


class CheckpointNotSaved(OSError):
    """A checkpoint that could not be written; the former one is untouched. The message says why."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes to a temporary file in the same folder, flushes it to the disk, then replaces. Reads plain data only."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any | None = None
    ) -> None:
        """Raises CheckpointNotSaved, leaving what was at `path`."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        except (OSError, RuntimeError) as error:  # torch's zip writer turns a full disk into a RuntimeError
            temporary.unlink(missing_ok=True)
            free = shutil.disk_usage(target.parent).free
            full = _said_full(error) or free < _NEXT_TO_NOTHING_BYTES
            why = f"the disk is full ({free / 1e9:.1f} GB free)" if full else str(error)
            raise CheckpointNotSaved(
                f"The checkpoint could not be saved: {why}. What was saved before is kept."
            ) from error

    def load_checkpoint(
        self, path: str | os.PathLike[str], map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """The checkpoint's content, unpickled by the allow-list of voices/checkpoint.py."""
        from piper_core.voices.checkpoint import load_content

        return load_content(Path(path))


def _said_full(error: BaseException | None) -> bool:
    """Whether the disk is behind the error: torch hides what the system said behind an error of its own."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return True
        error = error.__cause__ or error.__context__
    return False


def best_name(step: int, val_mel: float) -> str:
    """As `step=000200-val_mel=0.8123.ckpt`, which sorts by step."""
    return f"step={step:06d}-val_mel={val_mel:.4f}.ckpt"


def best_checkpoints(folder: Path) -> list[tuple[float, int, Path]]:
    """The kept checkpoints beside last.ckpt, `(val_mel, step, path)`, best first."""
    found = []
    for path in folder.glob("step=*.ckpt"):
        if match := _BEST_NAME.fullmatch(path.name):
            found.append((float(match[2]), int(match[1]), path))
    return sorted(found)


def keep_best(last: Path, step: int, val_mel: float, keep: int) -> Path | None:
    """Keeps last.ckpt under its own name if it is among the `keep` best of its folder, and drops the worst.

    A hard link: no second copy is written. Returns the path, None when it is not among the best.
    Raises CheckpointNotSaved.
    """
    others = [item for item in best_checkpoints(last.parent) if item[1] != step]
    if keep < 1 or (len(others) >= keep and others[keep - 1][0] <= val_mel):
        return None
    path = last.with_name(best_name(step, val_mel))
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.unlink(missing_ok=True)
        try:
            os.link(last, temporary)
        except OSError:  # a file system without hard links
            shutil.copyfile(last, temporary)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise CheckpointNotSaved(f"The best checkpoint could not be kept: {error.strerror or error}.") from error
    for _, other_step, other in best_checkpoints(last.parent):
        if other_step == step and other != path:
            other.unlink(missing_ok=True)
    for _, _, worse in best_checkpoints(last.parent)[keep:]:
        worse.unlink(missing_ok=True)
    return path


def remove_leftovers(folder: Path) -> None:
    """Removes the temporary files that a killed trainer left."""
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)
