"""What a step is compared on: networks with weights that hide nothing, and a batch of real speech."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.peer.environment import PROJECT_ROOT
from cache_utils.store import CacheStore
from piper_core.dataset.layouts import Utterance, read_dataset
from piper_core.features import FeatureSettings, load_features, prepare
from piper_core.training.config import PRESETS, TrainingConfig
from piper_core.training.data import collate
from piper_core.training.hyper_parameters import hyper_parameters
from piper_core.training.module import VitsModule

CASES: Mapping[str, dict[str, Any]] = {
    "x_low": {"preset": "x_low"},
    "medium": {"preset": "medium"},
    "x_low-4-speakers": {"preset": "x_low", "num_speakers": 4},
    "x_low-mrd": {"preset": "x_low", "use_mrd": True},
}
CLIPS = 3
LEAST_BYTES, MOST_BYTES = 40_000, 130_000
"""Of a clip's file: about 1 to 3 s of 22.05 kHz."""
_GIGABYTE = 1_000_000_000


def speech() -> Path:
    """The folder of one voice's clips, inside the one that STUDIO_TEST_DATA names."""
    return (PROJECT_ROOT / os.environ.get("STUDIO_TEST_DATA", "../shared/data") / "kathleen").resolve()


def short_clips(count: int) -> list[Utterance]:
    """The first short clips of `speech`, each of another length."""
    fitting: dict[int, Utterance] = {}
    for utterance in read_dataset(speech()).usable:
        size = utterance.path.stat().st_size
        if LEAST_BYTES < size < MOST_BYTES:
            fitting.setdefault(size, utterance)
        if len(fitting) == count:
            return list(fitting.values())
    raise ValueError(f"{speech()} has fewer than {count} clips of 1 to 3 s.")


def write_case(path: Path, preset: str, num_speakers: int = 1, use_mrd: bool = False) -> None:
    """Hyper-parameters, weights and a batch, as `step` reads them."""
    config = TrainingConfig(name="parity", dataset="", preset=preset, use_mrd=use_mrd, max_steps=1)
    hyper = hyper_parameters(config, num_speakers)
    torch.manual_seed(0)
    module = VitsModule(hyper)
    stir(module)
    with tempfile.TemporaryDirectory() as folder:
        store = CacheStore(Path(folder), _GIGABYTE, 0.8)
        features = FeatureSettings(sample_rate=PRESETS[preset].sample_rate, language="en-us")
        prepared = prepare(short_clips(CLIPS), features, store, speakers={}, owner=folder)
        items = [(*load_features(store, utterance.key), 0) for utterance in prepared.utterances]
    # The peer's batches have the longest clip first.
    items = sorted(items, key=lambda item: len(item[1]), reverse=True)
    items = [(ids, audio, (2 * row + 1) % num_speakers) for row, (ids, audio, _) in enumerate(items)]
    batch = collate(items)._asdict()
    torch.save({"hyper_parameters": hyper, "state_dict": module.state_dict(), "batch": batch}, path)


def stir(module: nn.Module) -> None:
    """Layers that start at 0 hide what comes before them from the gradients: give them small random weights."""
    with torch.no_grad():
        for parameter in module.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.02)
