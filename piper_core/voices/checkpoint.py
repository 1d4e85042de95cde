"""What a Lightning checkpoint (.ckpt) of a Piper voice is: ours, piper-tts', or of the Piper before it.

The file is read safely (checkpoint_file.py), recognised by the shapes of its weights and its hyper-parameters,
and checked to hold the network that it describes. What it can be used for: starts.py and export.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from piper_core.training.config import PRESETS, Preset
from piper_core.voices.checkpoint_file import CheckpointError, load_content
from piper_core.voices.description import describe
from piper_core.voices.networks import described_by, generator_shapes, synthesizer_config
from piper_core.voices.starts import MRD, Applied, apply_start, possible_starts

__all__ = [
    "AVERAGE_KEY",
    "STUDIO_KEY",
    "Applied",
    "Checkpoint",
    "CheckpointError",
    "apply_start",
    "describe",
    "load_content",
    "load_weights",
    "possible_starts",
    "read_checkpoint",
    "synthesizer_config",
]

STUDIO_KEY = "piper_studio"
"""Where our trainer notes what Piper's hyper-parameters have no place for: language, voice name, speakers."""

AVERAGE_KEY = "piper_studio_average"
"""Where our trainer keeps the averaged weights of a run with `ema_decay`, by the generator's names; Piper's does not
look there."""

_EMBEDDING = "model_g.enc_p.emb.weight"
_SPEAKERS = "model_g.emb_g.weight"
_USUAL_RATE = 22050
_IMPOSSIBLE = (TypeError, ValueError, ArithmeticError, LookupError, RuntimeError, SyntaxError, MemoryError)
"""What hyper-parameters that fit no network make the networks' constructors raise."""
_LARGEST_NUMBER = 65536
_MOST_LAYERS = 100


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint is, its weights left on disk."""

    path: Path
    preset: str | None
    """The preset whose networks and sample rate it has; none when no preset is like it."""
    quality: str
    """The word for the voice's file name: x_low, low, medium or high."""
    sample_rate: int
    """Hertz."""
    num_symbols: int
    num_speakers: int
    step: int
    """Batches trained."""
    epoch: int
    made_by: str
    hyper_parameters: dict[str, Any] = field(repr=False)
    shapes: dict[str, tuple[int, ...]] = field(repr=False)
    """Of every weight, by its name in the state dict."""
    optimizer_parameters: tuple[int, ...] = field(default=(), repr=False)
    """Tensors that each stored optimizer state covers; empty when the file holds weights alone."""
    averaged: bool = False
    """Whether it holds averaged weights too, which are then those that speak."""
    studio: dict[str, Any] = field(default_factory=dict, repr=False)
    """Our trainer's note: language, name, speakers; empty in other trainers' checkpoints."""

    @property
    def parameters(self) -> int:
        """Numbers in the generator, the part that speaks."""
        return sum(math.prod(shape) for name, shape in self.shapes.items() if name.startswith("model_g."))

    @property
    def use_mrd(self) -> bool:
        """Whether it was trained with the multi-resolution discriminator too."""
        return any(name.startswith(MRD) for name in self.shapes)

    @property
    def language(self) -> str | None:
        """The espeak-ng voice of its phonemes, where the file says it."""
        language = self.studio.get("language")
        return language if isinstance(language, str) else None

    @property
    def speakers(self) -> dict[str, int]:
        """Speaker names and their rows in the speaker table, where the file says them."""
        speakers = self.studio.get("speakers")
        return dict(speakers) if isinstance(speakers, dict) else {}


def read_checkpoint(path: Path) -> Checkpoint:
    """What the checkpoint at `path` is. Raises CheckpointError."""
    content = load_content(path)
    weights = _weights(content, path)
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    given = content.get("hyper_parameters")
    hyper_parameters = dict(given) if isinstance(given, dict) else {}
    studio = content.get(STUDIO_KEY)
    num_speakers = shapes[_SPEAKERS][0] if _SPEAKERS in shapes else 1
    # The weights say how large the tables are; the hyper-parameters of edited checkpoints sometimes don't.
    hyper_parameters |= {"num_symbols": shapes[_EMBEDDING][0], "num_speakers": num_speakers}
    try:
        preset = _recognise(shapes, hyper_parameters)
    except _IMPOSSIBLE as error:
        raise CheckpointError(f"{path.name} describes a network that can't be built: {error}.") from error
    if preset is None and not given:
        raise CheckpointError(
            f"{path.name} holds weights of no known preset and no hyper-parameters that describe them."
            " Take the checkpoint as the trainer wrote it."
        )
    if preset is not None:
        hyper_parameters = described_by(preset) | hyper_parameters
    _check_numbers(path, hyper_parameters)
    _check_shapes(path, shapes, hyper_parameters)
    optimizers = _optimizer_parameters(content.get("optimizer_states"))
    sample_rate = int(hyper_parameters["sample_rate"])
    return Checkpoint(
        path=path,
        preset=preset.name if preset else None,
        quality=_quality(preset, hyper_parameters, sample_rate),
        sample_rate=sample_rate,
        num_symbols=shapes[_EMBEDDING][0],
        num_speakers=num_speakers,
        step=_batches(content, max(1, len(optimizers))),
        epoch=_whole(content.get("epoch")),
        made_by=_made_by(hyper_parameters, studio, shapes),
        hyper_parameters=hyper_parameters,
        shapes=shapes,
        optimizer_parameters=optimizers,
        averaged=bool(_average(content, weights, path)),
        studio=dict(studio) if isinstance(studio, dict) else {},
    )


def load_weights(path: Path, *, averaged: bool = False) -> dict[str, Tensor]:
    """The state dict, on the processor and mapped from disk: copy a tensor before changing it.

    With `averaged` the generator's weights are the averaged ones, where there are such: those that speak.
    Raises CheckpointError.
    """
    content = load_content(path)
    weights = _weights(content, path)
    return {**weights, **_average(content, weights, path)} if averaged else weights


def _average(content: dict[str, Any], weights: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    average = content.get(AVERAGE_KEY)
    if average is None:
        return {}
    named = {f"model_g.{name}": tensor for name, tensor in average.items()} if isinstance(average, dict) else {}
    alike = (isinstance(t, Tensor) and name in weights and t.shape == weights[name].shape for name, t in named.items())
    if not named or not all(alike):
        raise CheckpointError(f"{path.name} holds averaged weights that are not those of its network.")
    return named


def _weights(content: dict[str, Any], path: Path) -> dict[str, Tensor]:
    weights = content.get("state_dict")
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise CheckpointError(f"{path.name} holds no weights of a Lightning trainer (no state_dict).")
    if _EMBEDDING not in weights or "model_g.dec.conv_pre.weight" not in weights or weights[_EMBEDDING].dim() != 2:
        raise CheckpointError(f"{path.name} is a checkpoint of another model, not of a Piper voice.")
    return weights


def _recognise(shapes: dict[str, tuple[int, ...]], hyper_parameters: dict[str, Any]) -> Preset | None:
    """The preset that the hyper-parameters describe; where there are none, the one with these weights.

    low and medium have the same networks: the sample rate tells them apart, and medium is meant where none is said.
    """
    sizes = {name: hyper_parameters[name] for name in ("num_symbols", "num_speakers")}
    if len(hyper_parameters) > len(sizes):
        # Two settings of training alone, without a weight of their own.
        training = {"p_dropout": None, "segment_size": None}
        described = synthesizer_config(hyper_parameters | training)
        sample_rate = hyper_parameters.get("sample_rate", _USUAL_RATE)
        return next(
            (
                preset
                for preset in PRESETS.values()
                if preset.sample_rate == sample_rate and synthesizer_config(described_by(preset) | sizes) == described
            ),
            None,
        )
    generator = {name: shape for name, shape in shapes.items() if name.startswith("model_g.")}
    alike = [preset for preset in PRESETS.values() if generator_shapes(described_by(preset) | sizes) == generator]
    return max(alike, key=lambda preset: preset.sample_rate, default=None)


def _check_numbers(path: Path, hyper_parameters: dict[str, Any]) -> None:
    """Refuses numbers that would build a network of any size, before one is built."""
    hyper_parameters.setdefault("sample_rate", _USUAL_RATE)
    for name in ("sample_rate", "hop_length", "filter_length", "segment_size", "inter_channels", "hidden_channels",
                 "filter_channels", "n_heads", "n_layers", "kernel_size", "upsample_initial_channel"):  # fmt: skip
        value = hyper_parameters.get(name, 1)
        most = _MOST_LAYERS if name == "n_layers" else 4 * _LARGEST_NUMBER if name == "sample_rate" else _LARGEST_NUMBER
        if not isinstance(value, int) or not 0 < value <= most:
            raise CheckpointError(f"{path.name} gives {name} as {value!r}; no voice has that.")


def _check_shapes(path: Path, shapes: dict[str, tuple[int, ...]], hyper_parameters: dict[str, Any]) -> None:
    try:
        expected = generator_shapes(hyper_parameters)
    except _IMPOSSIBLE as error:
        raise CheckpointError(f"{path.name} describes a network that can't be built: {error}.") from error
    generator = {name: shape for name, shape in shapes.items() if name.startswith("model_g.")}
    unlike = sorted(name for name in expected.keys() | generator.keys() if expected.get(name) != generator.get(name))
    if unlike:
        name = unlike[0]
        raise CheckpointError(
            f"{path.name} does not hold the network that it describes: {len(unlike)} weights differ, the first"
            f" {name} (described {expected.get(name, 'none')}, stored {generator.get(name, 'none')})."
        )


def _quality(preset: Preset | None, hyper_parameters: dict[str, Any], sample_rate: int) -> str:
    if preset is not None:
        return preset.quality
    named = str(hyper_parameters.get("quality") or "").replace("-", "_")
    if named in ("x_low", "low", "medium", "high"):
        return named
    return "medium" if sample_rate >= _USUAL_RATE else "low"


def _made_by(hyper_parameters: dict[str, Any], studio: object, shapes: dict[str, tuple[int, ...]]) -> str:
    if isinstance(studio, dict):
        return "Piper Studio"
    if shapes[_EMBEDDING][0] < 256 or {"sample_bytes", "channels", "quality"} & hyper_parameters.keys():
        return "piper-train, before piper-tts 1.3"
    return "piper-tts"


def _batches(content: dict[str, Any], optimizers: int) -> int:
    """Batches trained: Lightning's loop counts them; its global_step counts every optimizer's step."""
    note = content.get(STUDIO_KEY)
    if isinstance(note, dict) and "step" in note:
        return _whole(note["step"])
    value: object = content.get("loops")
    for name in ("fit_loop", "epoch_loop.batch_progress", "total", "completed"):
        value = value.get(name) if isinstance(value, dict) else None
    return _whole(value) or _whole(content.get("global_step")) // optimizers


def _optimizer_parameters(states: object) -> tuple[int, ...]:
    if not isinstance(states, list):
        return ()
    groups = [state.get("param_groups") if isinstance(state, dict) else None for state in states]
    return tuple(
        sum(len(entry.get("params", ())) for entry in group if isinstance(entry, dict))
        if isinstance(group, list)
        else 0
        for group in groups
    )


def _whole(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
