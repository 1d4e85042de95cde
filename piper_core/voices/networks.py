"""Hyper-parameters and presets as the networks that they describe: their sizes, and the shape of every weight."""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from piper_core.training.config import Preset
from piper_core.vits.discriminators import MultiPeriodDiscriminator, MultiResolutionDiscriminator
from piper_core.vits.synthesizer import Synthesizer, SynthesizerConfig


def synthesizer_config(hyper_parameters: dict[str, Any]) -> SynthesizerConfig:
    """The generator that `hyper_parameters` (a checkpoint's, or the trainer's own) describe.

    Values may be the strings that Piper's command line stores (`"(3, 5, 7)"`); what is not said is Piper's medium.
    `gin_channels` is 512 when there are several speakers and no other width is said.
    """
    values = {name: _literal(value) for name, value in hyper_parameters.items()}
    num_speakers = int(values.get("num_speakers", 1))
    given: dict[str, Any] = {
        name: int(values[name])
        for name in (
            "num_symbols", "filter_length", "hop_length", "segment_size", "inter_channels", "hidden_channels",
            "filter_channels", "n_heads", "n_layers", "kernel_size", "upsample_initial_channel",
        )
        if values.get(name) is not None
    }  # fmt: skip
    for name in ("resblock_kernel_sizes", "resblock_dilation_sizes", "upsample_rates", "upsample_kernel_sizes"):
        if values.get(name) is not None:
            given[name] = _tuples(values[name])
    if values.get("p_dropout") is not None:
        given["p_dropout"] = float(values["p_dropout"])
    if values.get("resblock") is not None:
        given["resblock"] = str(values["resblock"])
    gin_channels = int(values.get("gin_channels") or 0)
    return SynthesizerConfig(
        **given,
        num_speakers=num_speakers,
        gin_channels=(gin_channels or 512) if num_speakers > 1 else gin_channels,
    )


@functools.cache
def preset_shapes(
    preset: Preset, num_symbols: int, num_speakers: int, use_mrd: bool = False
) -> Mapping[str, tuple[int, ...]]:
    """The shapes of every weight that a run of `preset` trains, generator and discriminators."""
    described = described_by(preset) | {"num_symbols": num_symbols, "num_speakers": num_speakers}
    with torch.device("meta"):
        judges: dict[str, nn.Module] = {"model_d": MultiPeriodDiscriminator(preset.discriminator_width)}
        if use_mrd:
            judges["model_mrd"] = MultiResolutionDiscriminator(preset.discriminator_width)
    return MappingProxyType(
        generator_shapes(described)
        | {
            f"{part}.{name}": tuple(tensor.shape)
            for part, network in judges.items()
            for name, tensor in network.state_dict().items()
        }
    )


def generator_shapes(hyper_parameters: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """The shapes of the generator's weights. Raises what the networks raise for impossible values."""
    with torch.device("meta"):  # shapes alone: no memory, no random numbers
        generator = Synthesizer(synthesizer_config(hyper_parameters))
    return {f"model_g.{name}": tuple(tensor.shape) for name, tensor in generator.state_dict().items()}


def described_by(preset: Preset) -> dict[str, Any]:
    """The hyper-parameters in which presets differ."""
    names = (
        "sample_rate", "inter_channels", "hidden_channels", "filter_channels", "n_heads", "n_layers", "resblock",
        "resblock_kernel_sizes", "resblock_dilation_sizes", "upsample_rates", "upsample_initial_channel",
        "upsample_kernel_sizes",
    )  # fmt: skip
    return {name: getattr(preset, name) for name in names}


def _literal(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in "([":
        return ast.literal_eval(value)
    return value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, (list, tuple)) else value
