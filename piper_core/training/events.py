"""TensorBoard's event files, where tensorboard is installed; a run goes on the same without."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


class Events:
    """One folder of event files: scalars by loss, audio by sample."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    @classmethod
    def open(cls, folder: Path, step: int) -> Events | None:
        """Events in `folder` from `step` on (what a crashed run wrote later is hidden); None without tensorboard."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return None
        return cls(SummaryWriter(str(folder), purge_step=step + 1 if step else None, flush_secs=5))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """One point for each loss, all in one event: `add_scalar` writes one each, and takes several times as long."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        points = [
            Summary.Value(tag=f"{'validation' if name.startswith('val_') else 'training'}/{name}", simple_value=value)
            for name, value in values.items()
        ]
        self._writer.file_writer.add_summary(Summary(value=points), step)

    def audio(self, step: int, name: str, audio: np.ndarray, sample_rate: int) -> None:
        """int16 [N]."""
        self._writer.add_audio(name, audio.astype(np.float32) / 32768.0, step, sample_rate)

    def close(self) -> None:
        """Flushes and closes."""
        self._writer.close()
