"""The measure for our networks: Piper's own, with the same weights, inputs and random numbers."""

from __future__ import annotations

import math
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from piper_core.training.config import PRESETS
from piper_core.vits.synthesizer import Synthesizer, SynthesizerConfig

DECODER_FIELDS = (
    "resblock", "resblock_kernel_sizes", "resblock_dilation_sizes",
    "upsample_rates", "upsample_initial_channel", "upsample_kernel_sizes",
)  # fmt: skip
ENCODER_FIELDS = ("hidden_channels", "filter_channels", "n_heads", "n_layers", "kernel_size", "p_dropout")


@pytest.fixture(autouse=True, scope="module")
def few_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # the tensors are small: threads would wait for each other
    yield
    torch.set_num_threads(before)


def plain_search(scores: np.ndarray, frames: int, phonemes: int) -> np.ndarray:
    """Monotonic alignment search of one utterance, cell by cell as the paper writes it: scores [F, T] -> path [F, T].

    A cell that a path can't pass is never looked at, and of two equal ways back the one that stays is taken.
    """
    best = np.full((frames, phonemes), -np.inf, dtype=np.float32)
    for f in range(frames):
        for t in range(max(0, phonemes - frames + f), min(phonemes, f + 1)):
            before = []
            if f == t == 0:
                before.append(np.float32(0))
            if f > t:
                before.append(best[f - 1, t])
            if f > 0 and t > 0:
                before.append(best[f - 1, t - 1])
            best[f, t] = np.float32(scores[f, t]) + max(before)
    path = np.zeros(scores.shape, dtype=np.float32)
    t = phonemes - 1
    for f in range(frames - 1, -1, -1):
        path[f, t] = 1
        if t > 0 and (t == f or best[f - 1, t] < best[f - 1, t - 1]):
            t -= 1
    return path


def plain_maximum_path(scores: Tensor, mask: Tensor) -> Tensor:
    """`plain_search` of each utterance of a batch; scores and mask [B, F, T]."""
    frames = mask[:, :, 0].sum(1).long().tolist()
    phonemes = mask[:, 0, :].sum(1).long().tolist()
    paths = [plain_search(score, f, t) for score, f, t in zip(scores.detach().numpy(), frames, phonemes, strict=True)]
    return torch.from_numpy(np.stack(paths)).to(scores.dtype)


@pytest.fixture(scope="session")
def plain_path() -> Callable[[Tensor, Tensor], Tensor]:
    return plain_maximum_path


@pytest.fixture(scope="session")
def piper_models() -> types.ModuleType:
    """piper.train.vits.models. Its wheel does not compile the alignment search, so the plain one stands in."""
    stand_in = types.ModuleType("piper.train.vits.monotonic_align")
    stand_in.maximum_path = plain_maximum_path  # type: ignore[attr-defined]
    sys.modules[stand_in.__name__] = stand_in
    from piper.train.vits import models

    sys.modules["piper.train.vits"].monotonic_align = stand_in  # type: ignore[attr-defined]
    return models


def config_for(preset: str, num_speakers: int = 1) -> SynthesizerConfig:
    """The networks' sizes of one of our presets."""
    fields = ("inter_channels", "hidden_channels", "filter_channels", "n_heads", "n_layers", *DECODER_FIELDS)
    chosen: dict[str, Any] = {field: getattr(PRESETS[preset], field) for field in fields}
    return SynthesizerConfig(num_speakers=num_speakers, **chosen)


VOICES = {
    "x_low": config_for("x_low"),
    "medium": config_for("medium"),
    "high": config_for("high"),
    "medium with 4 speakers": config_for("medium", num_speakers=4),
}


def peer_for(models: types.ModuleType, config: SynthesizerConfig) -> nn.Module:
    """Piper's SynthesizerTrn of the same sizes."""
    fields = ("inter_channels", *ENCODER_FIELDS, *DECODER_FIELDS, "gin_channels")
    return models.SynthesizerTrn(
        n_vocab=config.num_symbols,
        spec_channels=config.spec_channels,
        segment_size=config.segment_frames,
        n_speakers=config.num_speakers,
        **{field: getattr(config, field) for field in fields},
    )


def stir(module: nn.Module) -> None:
    """Layers that start at 0 make an untrained network blind to its inputs: give them small random weights."""
    with torch.no_grad():
        for parameter in module.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.02)


class Twins(NamedTuple):
    """Our synthesizer and Piper's, with the same weights."""

    ours: Synthesizer
    theirs: Any


def make_twins(models: types.ModuleType, config: SynthesizerConfig) -> Twins:
    theirs = peer_for(models, config)
    stir(theirs)
    ours = Synthesizer(config)
    ours.load_state_dict(theirs.state_dict())
    return Twins(ours, theirs)


@pytest.fixture
def short_segment_twins(piper_models: types.ModuleType) -> Twins:
    """Twins of x_low, in training mode, that decode 8 frames a step; the test's own to change."""
    torch.manual_seed(0)
    return make_twins(piper_models, replace(VOICES["x_low"], segment_size=8 * 256))


@pytest.fixture(scope="session")
def twins(piper_models: types.ModuleType) -> Callable[[str], Twins]:
    """Twins by the name of a voice in VOICES, in evaluation mode. Made once: leave the weights as they are."""
    made: dict[str, Twins] = {}

    def get(voice: str) -> Twins:
        if voice not in made:
            torch.manual_seed(len(made))
            made[voice] = make_twins(piper_models, VOICES[voice])
        made[voice].ours.eval()
        made[voice].theirs.eval()
        return made[voice]

    return get


class Inputs(NamedTuple):
    """A ragged batch."""

    phoneme_ids: Tensor
    phoneme_lengths: Tensor
    spectrogram: Tensor
    spectrogram_lengths: Tensor
    speaker_ids: Tensor | None


@pytest.fixture(scope="session")
def batch() -> Callable[[SynthesizerConfig], Inputs]:
    def make(config: SynthesizerConfig) -> Inputs:
        generator = torch.Generator().manual_seed(5)
        return Inputs(
            phoneme_ids=torch.randint(0, config.num_symbols, (3, 21), generator=generator),
            phoneme_lengths=torch.tensor([21, 12, 5]),
            spectrogram=torch.rand(3, config.spec_channels, 50, generator=generator),
            spectrogram_lengths=torch.tensor([50, 41, 34]),
            speaker_ids=torch.tensor([0, 3, 1]) if config.num_speakers > 1 else None,
        )

    return make


@pytest.fixture(scope="session")
def close() -> Callable[..., None]:
    """Assert equality within 1e-5: of 1 below it, relative above; sums of many terms round more the larger they are."""

    def check(ours: Tensor, theirs: Tensor, tolerance: float = 1e-5) -> None:
        assert ours.shape == theirs.shape
        assert torch.isfinite(theirs).all()
        assert math.isfinite(theirs.abs().max().item())
        torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)

    return check
