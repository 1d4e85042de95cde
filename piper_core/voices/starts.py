"""The three ways to start a run from a checkpoint: which are possible, why the others are not, and doing it.

resume goes on as if never stopped (weights, optimizers, step; Lightning loads them). warmstart copies every weight
that fits. vocoder copies what turns latents into sound and back (decoder, posterior encoder, flow) and leaves the
text side new: another language or alphabet.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from piper_core.dataset.text import PhonemizerMissing, phoneme_id_map
from piper_core.training.config import NUM_SYMBOLS, PRESETS, StartMode, TrainingConfig
from piper_core.voices.networks import preset_shapes
from piper_core.voices.origin import Origin, origin_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    from piper_core.voices.checkpoint import Checkpoint

Shapes = Mapping[str, tuple[int, ...]]

VOCODER_PARTS = ("model_g.dec.", "model_g.enc_q.", "model_g.flow.")
LEAST_SHARE = 0.05
"""A warmstart that fills less than this share of the networks is refused: it would be one from scratch in disguise."""
MRD = "model_mrd."
_EMBEDDING = "model_g.enc_p.emb.weight"
_PARTS = {
    "model_g.enc_p.": "text encoder",
    "model_g.dp.": "duration predictor",
    "model_g.enc_q.": "posterior encoder",
    "model_g.flow.": "flow",
    "model_g.dec.": "decoder",
    "model_g.emb_g.": "speaker table",
    "model_d.": "discriminators",
    MRD: "multi-resolution discriminator",
}


@dataclass(frozen=True)
class Applied:
    """What a start copied into the new networks."""

    copied: int
    """Weights copied whole."""
    resized: tuple[str, ...]
    """Weights whose common rows were copied: a phoneme table of another size."""
    skipped: tuple[str, ...]
    """Weights of the new networks that stay as they were made."""

    @property
    def message(self) -> str:
        """A line for the log and the page."""
        total = self.copied + len(self.resized) + len(self.skipped)
        line = f"{self.copied} of {total} weights were copied"
        if self.resized:
            line += f", {len(self.resized)} in part (the phoneme table)"
        return f"{line}; new: {_parts(self.skipped)}." if self.skipped else f"{line}."


def possible_starts(
    checkpoint: Checkpoint, config: TrainingConfig, num_speakers: int = 1
) -> dict[StartMode, str | None]:
    """For each start, None when a run of `config` can start so from `checkpoint`, else why it can't, as a sentence.

    `num_speakers` is the dataset's; where the checkpoint comes from is read from its note and the files beside it.
    """
    preset = PRESETS[config.preset]
    origin = origin_of(checkpoint.path, checkpoint.studio)
    target = preset_shapes(preset, NUM_SYMBOLS, num_speakers, config.use_mrd)
    return {
        "resume": _why_no_resume(checkpoint, target, preset.name, preset.sample_rate, num_speakers)
        or _why_other_texts(origin, config.language),
        "warmstart": _why_no_warmstart(checkpoint.shapes, target, preset.name),
        "vocoder": _why_no_vocoder(checkpoint.shapes, target, preset.name),
    }


def fitting_share(source: Shapes, target: Shapes) -> float:
    """The share, 0 to 1, of the target generator's parameters that the source has in the same place and shape."""
    sizes = {name: math.prod(shape) for name, shape in target.items() if name.startswith("model_g.")}
    return sum(size for name, size in sizes.items() if source.get(name) == target[name]) / sum(sizes.values())


def apply_start(module: nn.Module, weights: Mapping[str, Tensor], start: StartMode) -> Applied:
    """Copies a checkpoint's `weights` into `module` (`model_g`, `model_d`) for `start` warmstart or vocoder.

    A phoneme table of another length gives its common rows: older Piper's 130 symbols are the first 130 of 256.
    Raises ValueError for resume, which the trainer does itself, and for scratch.
    """
    if start not in ("warmstart", "vocoder"):
        raise ValueError(f"The start {start!r} copies no weights here.")
    copied, resized, skipped = 0, [], []
    for name, target in module.state_dict().items():
        source = weights.get(name)
        wanted = start == "warmstart" or name.startswith(VOCODER_PARTS)
        if source is None or not wanted:
            skipped.append(name)
        elif source.shape == target.shape:
            target.copy_(source)
            copied += 1
        elif name == _EMBEDDING and source.dim() == 2 and source.shape[1] == target.shape[1]:
            rows = min(source.shape[0], target.shape[0])
            target[:rows].copy_(source[:rows])
            resized.append(name)
        else:
            skipped.append(name)
    return Applied(copied, tuple(resized), tuple(skipped))


def _why_no_resume(
    checkpoint: Checkpoint, target: Shapes, preset: str, sample_rate: int, num_speakers: int
) -> str | None:
    if checkpoint.sample_rate != sample_rate:
        return (
            f"It was trained at {checkpoint.sample_rate} Hz and a {preset} voice has {sample_rate} Hz."
            f" Choose {'the preset ' + checkpoint.preset if checkpoint.preset else 'warmstart'}."
        )
    if checkpoint.num_symbols != NUM_SYMBOLS:
        return (
            f"It knows {checkpoint.num_symbols} phoneme symbols and a voice today has {NUM_SYMBOLS}. Choose warmstart."
        )
    if checkpoint.num_speakers != num_speakers:
        return (
            f"It has {_speakers(checkpoint.num_speakers)} and the dataset {_speakers(num_speakers)}. Choose warmstart."
        )
    if checkpoint.use_mrd != any(name.startswith(MRD) for name in target):
        has = "has" if checkpoint.use_mrd else "lacks"
        return (
            f"It {has} the multi-resolution discriminator, which this run {'lacks' if checkpoint.use_mrd else 'has'}."
            f" Turn use_mrd {'on' if checkpoint.use_mrd else 'off'}, or choose warmstart."
        )
    unlike = [name for name in {**target, **checkpoint.shapes} if target.get(name) != checkpoint.shapes.get(name)]
    if unlike:
        return f"It is not a {preset} voice as this trainer trains it: {_parts(unlike)} differ. Choose warmstart."
    if len(checkpoint.optimizer_parameters) != 2 or 0 in checkpoint.optimizer_parameters:
        return "It holds weights without the optimizers' state. Choose warmstart."
    return None


def _why_other_texts(origin: Origin, language: str) -> str | None:
    """Why the text side has learned something else than the run would go on to teach it."""
    if origin.language and _family(origin.language) != _family(language):
        return f"It speaks {origin.language} and this run {language}. Choose warmstart or vocoder."
    moved = _renumbered(origin.phonemes or {})
    if moved:
        return (
            f"Its phoneme table gives other numbers than piper-tts to {len(moved)} phonemes, the first {moved[0]!r}."
            " Choose warmstart or vocoder."
        )
    return None


def _family(language: str) -> str:
    """`en` of en-us and en_GB: what one is trained on, the other can go on with."""
    return language.lower().replace("_", "-").split("-")[0]


def _renumbered(phonemes: Mapping[str, list[int]]) -> list[str]:
    try:
        known = phoneme_id_map() if phonemes else {}
    except PhonemizerMissing:
        return []
    return [phoneme for phoneme, ids in phonemes.items() if phoneme in known and known[phoneme] != ids]


def _why_no_warmstart(source: Shapes, target: Shapes, preset: str) -> str | None:
    share = fitting_share(source, target)
    if share >= LEAST_SHARE:
        return None
    return f"Only {share:.0%} of a {preset} voice's weights are in it. Choose the preset that it was trained with."


def _why_no_vocoder(source: Shapes, target: Shapes, preset: str) -> str | None:
    # Layers that only one side has (conditioning on speakers) stay new or are left; those that both have must agree.
    unlike = [
        name for name in target if name.startswith(VOCODER_PARTS) and name in source and source[name] != target[name]
    ]
    lacking = [part for part in VOCODER_PARTS if not any(name.startswith(part) for name in source)]
    if unlike or lacking:
        return f"Its {_parts([*unlike, *lacking])} can't serve a {preset} voice: the shapes differ."
    return None


def _parts(names: Iterable[str]) -> str:
    found = {label for name in names for prefix, label in _PARTS.items() if name.startswith(prefix)}
    ordered = [label for label in _PARTS.values() if label in found]
    return ", ".join(ordered) or "other weights"


def _speakers(count: int) -> str:
    return "1 speaker" if count == 1 else f"{count} speakers"
