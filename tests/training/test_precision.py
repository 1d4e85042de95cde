"""bfloat16 is taken where it is faster and sound, never where a processor computes its gradients wrongly."""

from __future__ import annotations

import pytest
import torch

from piper_core.training.config import PRESETS, TrainingConfig
from piper_core.training.data import Batch
from piper_core.training.hyper_parameters import hyper_parameters
from piper_core.training.module import VitsModule
from piper_core.training.precision import AGREES, Tried, decide, trial

UP = torch.tensor([1.0, 0.0])


def test_a_faster_and_sound_bfloat16_is_taken() -> None:
    assert decide(Tried(1.0, UP), Tried(0.5, UP + 0.01)).precision == "bf16-mixed"


def test_a_format_that_is_hardly_faster_is_not() -> None:
    assert decide(Tried(1.0, UP), Tried(0.95, UP)).precision == "32"


@pytest.mark.parametrize("wrong", [torch.tensor([0.3, 1.0]), -UP, UP * torch.nan])
def test_wrong_gradients_are_never_taken_however_fast(wrong: torch.Tensor) -> None:
    choice = decide(Tried(1.0, UP), Tried(0.1, wrong))
    assert choice.precision == "32"
    assert "gradients" in choice.reason


@pytest.mark.parametrize("preset", ["tiny", "x_low"])
def test_this_machine_computes_the_presets_soundly_in_bfloat16(preset: str) -> None:
    """tiny once had decoder widths for which the processor's kernels gave wrong gradients, and diverged."""
    torch.manual_seed(0)
    module = VitsModule(
        hyper_parameters(TrainingConfig("run", "/data", preset=preset, max_steps=1)),
        discriminator_width=PRESETS[preset].discriminator_width,
    )
    module.manual_backward = lambda loss: loss.backward()  # type: ignore[method-assign]
    samples = 16384
    batch = Batch(
        torch.randint(0, 256, (2, 30)), torch.tensor([30, 20]), torch.randint(-9000, 9000, (2, samples)).short(),
        torch.tensor([samples, samples - 4096]), torch.zeros(2, dtype=torch.int64),
    )  # fmt: skip
    float32, bfloat16 = trial(module, batch)
    assert torch.nn.functional.cosine_similarity(float32.gradient, bfloat16.gradient, dim=0) >= AGREES
