"""Checkpoints as trainers write them, and a voice exported from one, for the tests beside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from piper_core.training.config import NUM_SYMBOLS, PRESETS
from piper_core.vits.discriminators import MultiPeriodDiscriminator
from piper_core.vits.synthesizer import Synthesizer
from piper_core.voices.export import export
from piper_core.voices.networks import described_by, synthesizer_config
from piper_core.voices.voice import Exported

CheckpointWriter = Callable[..., Path]


def optimizer_state(network: torch.nn.Module) -> dict[str, Any]:
    return {"state": {}, "param_groups": [{"lr": 2e-4, "params": list(range(len(list(network.parameters()))))}]}


@pytest.fixture(scope="session")
def write_checkpoint() -> CheckpointWriter:
    """Writes a checkpoint of random weights, laid out as our trainer does; keywords replace its top-level entries."""
    torch.set_num_threads(2)

    def write(
        path: Path, preset: str = "tiny", num_speakers: int = 1, num_symbols: int = NUM_SYMBOLS, **entries: Any
    ) -> Path:
        torch.manual_seed(20)
        hyper_parameters = described_by(PRESETS[preset]) | {
            "num_symbols": num_symbols,
            "num_speakers": num_speakers,
            "gin_channels": 512 if num_speakers > 1 else 0,
            "hop_length": 256,
            "dataset": None,
        }
        generator = Synthesizer(synthesizer_config(hyper_parameters))
        weights = {f"model_g.{name}": tensor for name, tensor in generator.state_dict().items()}
        content: dict[str, Any] = {
            "epoch": 2,
            "global_step": 240,
            "pytorch-lightning_version": "2.6.6",
            "hyper_parameters": hyper_parameters,
        }
        if preset == "tiny":
            discriminator = MultiPeriodDiscriminator(PRESETS[preset].discriminator_width)
            weights |= {f"model_d.{name}": tensor for name, tensor in discriminator.state_dict().items()}
            content["optimizer_states"] = [optimizer_state(generator), optimizer_state(discriminator)]
            content["piper_studio"] = {
                "preset": preset,
                "name": "Kathleen-2",
                "language": "en-us",
                "speakers": {f"voice {number}": number for number in range(num_speakers)} if num_speakers > 1 else {},
                "step": 120,
            }
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(content | {"state_dict": weights} | entries, path)
        return path

    return write


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory, write_checkpoint: CheckpointWriter) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("tiny") / "tiny.ckpt")


@pytest.fixture(scope="session")
def tiny_voice(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Exported:
    """A voice of one speaker, 16 kHz, that speaks noise."""
    return export(tiny_checkpoint, tmp_path_factory.mktemp("voice"))


@pytest.fixture(scope="session")
def two_voices(tmp_path_factory: pytest.TempPathFactory, write_checkpoint: CheckpointWriter) -> Exported:
    """A voice of two speakers."""
    folder = tmp_path_factory.mktemp("two")
    return export(write_checkpoint(folder / "two.ckpt", num_speakers=2), folder, name="Two")
