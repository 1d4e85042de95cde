"""TensorBoard's files are written where tensorboard is there, and missed without a stir where it is not."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from piper_core.training.events import Events


def test_scalars_and_audio_can_be_read_back(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = Events.open(tmp_path, step=0)
    assert events is not None
    events.scalars(3, {"mel": 0.5, "val_mel": 0.75})
    events.audio(3, "sample 1", np.zeros(1600, np.int16), 16000)
    events.close()
    read = accumulator.EventAccumulator(str(tmp_path)).Reload()
    assert [(point.step, point.value) for point in read.Scalars("training/mel")] == [(3, 0.5)]
    assert [(point.step, point.value) for point in read.Scalars("validation/val_mel")] == [(3, 0.75)]
    assert read.Audio("sample 1")[0].sample_rate == 16000


def test_without_tensorboard_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    assert Events.open(tmp_path, step=0) is None
    assert list(tmp_path.iterdir()) == []
