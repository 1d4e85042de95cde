"""The doctor's report: what a checkpoint is, and how it can be used."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from piper_core.training.config import NUM_SYMBOLS, PRESETS, StartMode, TrainingConfig
from piper_core.voices.networks import preset_shapes
from piper_core.voices.origin import origin_of
from piper_core.voices.starts import fitting_share, possible_starts

if TYPE_CHECKING:
    from piper_core.voices.checkpoint import Checkpoint


def describe(checkpoint: Checkpoint) -> dict[str, Any]:
    """The report, in the order to be read; plain values, so that it prints as lines and as JSON.

    `resume`, `warmstart`, `vocoder` and `export` are sentences: for which presets, or why not.
    """
    origin = origin_of(checkpoint.path, checkpoint.studio)
    return {
        "path": str(checkpoint.path),
        "size_bytes": checkpoint.path.stat().st_size,
        "made_by": checkpoint.made_by,
        "preset": checkpoint.preset,
        "quality": checkpoint.quality,
        "sample_rate": checkpoint.sample_rate,
        "parameters": checkpoint.parameters,
        "num_symbols": checkpoint.num_symbols,
        "num_speakers": checkpoint.num_speakers,
        "speakers": origin.speakers,
        "language": origin.language,
        "name": origin.name,
        "step": checkpoint.step,
        "epoch": checkpoint.epoch,
        "optimizer_state": bool(checkpoint.optimizer_parameters),
        "use_mrd": checkpoint.use_mrd,
        "averaged": checkpoint.averaged,
        **_starts(checkpoint, origin.language),
        "export": _export(checkpoint, origin.language),
    }


def starts_by_preset(
    checkpoint: Checkpoint, language: str, num_speakers: int
) -> dict[str, dict[StartMode, str | None]]:
    """For each preset, `possible_starts` of a run in `language` on a dataset of that many speakers."""
    return {name: possible_starts(checkpoint, _config(checkpoint, name, language), num_speakers) for name in PRESETS}


def _config(checkpoint: Checkpoint, preset: str, language: str | None) -> TrainingConfig:
    """A run with the checkpoint's discriminators, and in its language where no other is asked for."""
    config = TrainingConfig(name="run", dataset="", preset=preset, use_mrd=checkpoint.use_mrd, max_steps=1)
    return replace(config, language=language) if language else config


def _starts(checkpoint: Checkpoint, language: str | None) -> dict[str, str]:
    possible: dict[str, list[str]] = {"resume": [], "warmstart": [], "vocoder": []}
    reasons: dict[str, dict[str, str]] = {start: {} for start in possible}
    for name, preset in PRESETS.items():
        config = _config(checkpoint, name, language)
        share = fitting_share(checkpoint.shapes, preset_shapes(preset, NUM_SYMBOLS, checkpoint.num_speakers))
        for start, reason in possible_starts(checkpoint, config, checkpoint.num_speakers).items():
            if reason is not None:
                reasons[start][name] = reason
            elif start == "warmstart":
                possible[start].append(f"{name} ({share:.0%} of the networks)")
            else:
                possible[start].append(name)
    own = checkpoint.preset or "medium"
    return {
        start: f"possible for {', '.join(names)}" if names else f"not possible: {reasons[start][own]}"
        for start, names in possible.items()
    }


def _export(checkpoint: Checkpoint, language: str | None) -> str:
    if language is None:
        return "possible with --language: the file does not say which language it speaks"
    return f"possible: {checkpoint.quality} voice, {checkpoint.sample_rate} Hz, language {language}"
