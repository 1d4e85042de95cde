"""What `make parity` is built of, and as much of it as goes without the peer's environment: its networks are in the
piper-tts wheel, so a whole step of its real VitsModel is compared here too."""

from __future__ import annotations

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
from torch.nn import functional as F

from benchmarks.parity.agreement import compare
from benchmarks.parity.cases import stir
from benchmarks.parity.legacy import write_legacy
from benchmarks.parity.noise import same_noise
from benchmarks.parity.step import all_in
from benchmarks.peer.peer_steps import peer_batch
from piper_core.training.config import TrainingConfig
from piper_core.training.data import Batch
from piper_core.training.hyper_parameters import hyper_parameters
from piper_core.training.module import VitsModule
from piper_core.vits.alignment import maximum_path
from piper_core.voices.checkpoint import describe, read_checkpoint


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_noise_is_the_same_in_any_order() -> None:
    x = torch.zeros(3, 4)
    with same_noise() as drawn:
        first, second, mask, start = torch.randn_like(x), torch.randn(3, 4), F.dropout(x + 1, 0.5), torch.rand([3])
    with same_noise():
        mask_again, start_again = F.dropout(x + 1, 0.5), torch.rand((3,))
        first_again, second_again = torch.randn((3, 4)), torch.randn_like(x)
        third = torch.randn_like(x)
    assert torch.equal(mask, mask_again)
    assert torch.equal(start, start_again)
    assert torch.equal(first_again, first), "however it is asked for: a stream for each distribution and shape"
    assert torch.equal(second_again, second)
    assert not torch.equal(third, second)
    assert (drawn["randn", (3, 4)], drawn["rand", (3, 4)], drawn["rand", (3,)]) == (2, 1, 1)
    assert set(mask.unique().tolist()) == {0.0, 2.0}
    with same_noise():
        kept = torch.empty(3, 4).bernoulli_(0.5)
    assert torch.equal(kept * 2, mask), "a mask drawn by hand is dropout's"
    with same_noise():
        in_float64 = torch.randn(3, 4, dtype=torch.float64)
    assert torch.equal(in_float64.float(), first)
    assert torch.randn is not torch.rand
    assert F.dropout(x, 0.5).shape == x.shape


def steps() -> tuple[dict[str, Any], dict[str, Any]]:
    """Two steps that agree."""
    torch.manual_seed(0)
    gradients = {"model_g.a": torch.randn(50).double(), "model_d.b": torch.randn(50).double()}
    ours = {"losses": {"mel": torch.tensor(2.0)}, "gradients": dict(gradients)}
    return ours, {"losses": {"mel": torch.tensor(2.0)}, "gradients": dict(gradients)}


def test_what_agrees_has_no_faults() -> None:
    found = compare(*steps())
    assert (found.parameters, found.largest, found.faults) == (2, 0.0, ())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda step: step["losses"].update(mel=torch.tensor(2.0001)), "loss mel"),
        (lambda step: step["losses"].update(more=torch.tensor(1.0)), "other losses: more"),
        (lambda step: step["gradients"].pop("model_d.b"), "other parameters"),
        (lambda step: step["gradients"].update({"model_d.b": torch.zeros(50).double()}), "model_d.b is 1.0e+00"),
        (lambda step: step["gradients"].update({"model_g.a": torch.full((50,), torch.nan)}), "model_g.a is nan"),
        (lambda step: step["gradients"]["model_g.a"].mul_(1.0001), "model_g.a is 1.0e-04"),
    ],
)
def test_what_differs_is_said(change: Any, said: str) -> None:
    ours, peer = steps()
    ours["gradients"] = {name: gradient.clone() for name, gradient in ours["gradients"].items()}
    change(ours)
    assert any(said in fault for fault in compare(ours, peer).faults)


def test_float64_decides_about_kinks() -> None:
    ours, peer = steps()
    _, exact = steps()
    ours["gradients"]["model_g.a"] = exact["gradients"]["model_g.a"] * (1 + 1e-3)
    assert compare(ours, peer).faults
    found = compare(ours, peer, (exact, exact))
    assert (found.faults, found.beyond) == ((), 1)
    assert compare(ours, peer, (ours, exact)).faults, "in float64 they differ too"
    ours["gradients"]["model_g.a"] = exact["gradients"]["model_g.a"] * 1.1
    assert compare(ours, peer, (exact, exact)).faults, "more than kinks do"


def test_gradients_that_are_zero_on_paper_are_counted_apart() -> None:
    ours, peer = steps()
    for step, rest in ((ours, 1e-12), (peer, -1e-12)):
        step["gradients"]["model_g.key.bias"] = torch.full((5,), rest, dtype=torch.float64)
    assert (compare(ours, peer).nothing, compare(ours, peer).faults) == (1, ())
    ours["gradients"]["model_g.key.bias"] = torch.full((5,), 0.1, dtype=torch.float64)
    assert compare(ours, peer).faults, "a gradient where the peer has none"


@pytest.fixture
def peer_model(monkeypatch: pytest.MonkeyPatch) -> Any:
    """piper.train.vits.lightning.VitsModel, with stand-ins for what is not in the wheel: alignment, `lightning`."""
    pytest.importorskip("librosa")
    alignment = types.ModuleType("piper.train.vits.monotonic_align")
    alignment.maximum_path = maximum_path  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, alignment.__name__, alignment)
    monkeypatch.setitem(sys.modules, "lightning", pl)
    trainer = pytest.importorskip("piper.train.vits.lightning")
    # Filters are kept without their rate: another test may have had another.
    monkeypatch.setattr("piper.train.vits.mel_processing.mel_basis", {})
    monkeypatch.setattr(sys.modules["piper.train.vits"], "monotonic_align", alignment, raising=False)
    return trainer.VitsModel


def speech_like() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    lengths = torch.tensor([12000, 10100])
    audio = (torch.randn(2, 12000, generator=generator) * 4000).to(torch.int16)
    phoneme_ids = torch.randint(3, 100, (2, 20), generator=generator)
    phoneme_ids[1, 15:] = 0
    return {
        "phoneme_ids": phoneme_ids,
        "phoneme_lengths": torch.tensor([20, 15]),
        "audio": audio * (torch.arange(12000) < lengths[:, None]),
        "audio_lengths": lengths,
        "speaker_ids": torch.tensor([1, 0]),
    }  # fmt: skip


def our_step(module: VitsModule, batch: dict[str, Tensor], number_format: str) -> dict[str, dict[str, Tensor]]:
    with all_in(number_format), same_noise():
        module.to(torch.get_default_dtype()).zero_grad()
        losses = module.gradients(Batch(**batch))
    gradients = {name: p.grad.double() for name, p in module.named_parameters() if p.grad is not None}
    return {"losses": losses, "gradients": gradients}


def peers_step(model: Any, batch: dict[str, Tensor], number_format: str) -> dict[str, dict[str, Tensor]]:
    """Each side's loss and its gradients, in the order of the peer's training_step."""
    with all_in(number_format), same_noise():
        dtype = torch.get_default_dtype()
        made = peer_batch(batch, model.hparams)
        made = replace(made, spectrograms=made.spectrograms.to(dtype), audios=made.audios.to(dtype))
        loss_g, loss_d, told = model.to(dtype)._compute_loss(made)
    gradients = {}
    for side, loss in (("model_g.", loss_g), ("model_d.", loss_d), ("model_mrd.", loss_d)):
        model.zero_grad()
        loss.backward(retain_graph=side != "model_mrd.")
        gradients |= {n: p.grad.double() for n, p in model.named_parameters() if n.startswith(side)}
    return {"losses": {"loss_g": loss_g.detach(), "loss_d": loss_d.detach(), **told}, "gradients": gradients}


@pytest.mark.slow
@pytest.mark.parametrize(("num_speakers", "use_mrd"), [(1, False), (2, True)])
def test_a_whole_step_beside_the_peers_own_model(peer_model: Any, num_speakers: int, use_mrd: bool) -> None:
    """In training mode, dropout and all: losses and every gradient within 1e-5, or beyond it by kinks alone."""
    config = TrainingConfig(name="t", dataset="", preset="x_low", use_mrd=use_mrd, max_steps=1)
    hyper = hyper_parameters(config, num_speakers)
    torch.manual_seed(0)
    ours = VitsModule(hyper)
    stir(ours)
    theirs = peer_model(**hyper)
    theirs.load_state_dict(ours.state_dict())
    batch = speech_like()

    float32 = our_step(ours, batch, "float32"), peers_step(theirs, batch, "float32")
    float64 = our_step(ours, batch, "float64"), peers_step(theirs, batch, "float64")
    found = compare(*float32, float64)
    assert not found.faults, found
    assert found.parameters == len(list(theirs.named_parameters()))
    assert found.nothing < 10
    assert not compare(*float64).faults


def test_the_old_shape_is_read_as_old(tmp_path: Path) -> None:
    config = TrainingConfig(name="t", dataset="", preset="x_low", max_steps=1)
    hyper = hyper_parameters(config)
    content = {"state_dict": VitsModule(hyper).state_dict(), "hyper_parameters": hyper, "global_step": 10, "epoch": 1}
    write_legacy(tmp_path / "old.ckpt", content)
    report = describe(read_checkpoint(tmp_path / "old.ckpt"))
    assert (report["preset"], report["num_symbols"], report["made_by"]) == (
        "x_low", 130, "piper-train, before piper-tts 1.3",
    )  # fmt: skip
    assert "130 phoneme symbols" in report["resume"]
    assert "x_low" in report["warmstart"]
