"""What is free on a disk, and what a run needs: a full disk at epoch 400 loses 400 epochs."""

from __future__ import annotations

import shutil
from pathlib import Path

from piper_core.settings import GIGABYTE
from piper_core.training.config import TrainingConfig

PARAMETERS: dict[str, int] = {
    "tiny": 3_000_000,
    "x_low": 7_100_000 + 46_700_000,
    "low": 23_700_000 + 46_700_000,
    "medium": 23_700_000 + 46_700_000,
    "high": 36_300_000 + 46_700_000,
}
"""Of the networks of each preset: synthesizer and discriminators, rounded up."""
BYTES_A_PARAMETER = 12
"""In a checkpoint: the weight and AdamW's two moments, float32."""
LOGS_BYTES = 300 * 1024**2
"""For metrics, TensorBoard events, samples and the exported voice."""


def free_bytes(path: Path) -> int:
    """What may still be written to the disk that `path`, there already or not, lies on. Raises OSError."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def checkpoint_bytes(preset: str) -> int:
    """The size of one checkpoint of `preset`, about."""
    return PARAMETERS[preset] * BYTES_A_PARAMETER


def required_bytes(config: TrainingConfig, audio_bytes: int = 0) -> int:
    """What a whole run of `config` may write: the last checkpoint, the best few, the one being written beside them,
    features about the size of the dataset's audio files (`audio_bytes`), and logs."""
    return (config.keep_best + 2) * checkpoint_bytes(config.preset) + audio_bytes + LOGS_BYTES


def refusal(path: Path, needed_bytes: int) -> str | None:
    """A sentence when the disk of `path` has less than `needed_bytes` left; None when there is room."""
    free = free_bytes(path)
    if free >= needed_bytes:
        return None
    return (
        f"The disk of {path} is too small: {free / GIGABYTE:.1f} GB are free, and this needs about"
        f" {needed_bytes / GIGABYTE:.1f} GB for checkpoints and features. Free some,"
        " keep fewer of the best checkpoints, or choose a smaller preset."
    )
