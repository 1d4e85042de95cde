"""The settings that change the mathematics: each does what it says, and its default leaves training as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from piper_core.training.averaging import WeightAverage, decay_at
from piper_core.training.config import TrainingConfig
from piper_core.training.hyper_parameters import hyper_parameters
from piper_core.training.module import VitsModule
from piper_core.training.samples import Sentence, speak
from piper_core.training.schedules import scaled_rates, warmup_factor
from piper_core.voices.checkpoint import AVERAGE_KEY, CheckpointError, load_weights, read_checkpoint
from piper_core.voices.export import build_synthesizer


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Drifting(VitsModule):
    """The real loops over a step whose gradients are made up: all ones, or all `gradient`."""

    gradient = 1.0

    def step_gradients(self, *_: Any) -> dict[str, Tensor]:
        for parameter in self.parameters():
            parameter.grad = torch.full_like(parameter, self.gradient)
        return {"loss_g": torch.zeros(())}


def tiny(kind: type[VitsModule] = Drifting, **changes: Any) -> VitsModule:
    torch.manual_seed(0)
    options = {name: changes.pop(name) for name in ("warmup_steps", "ema_decay") if name in changes}
    config = TrainingConfig(name="t", dataset="/nowhere", preset="tiny", max_steps=1, **changes)
    return kind(hyper_parameters(config), discriminator_width=0.0625, studio={"language": "en-us"}, **options)


def fit(module: VitsModule, steps: int, checkpoint: Path | None = None, callbacks: tuple[Any, ...] = ()) -> pl.Trainer:
    trainer = pl.Trainer(
        max_epochs=1, limit_train_batches=steps, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=list(callbacks),
    )  # fmt: skip
    trainer.fit(module, DataLoader([torch.zeros(1)] * steps), ckpt_path=checkpoint, weights_only=False)
    return trainer


class Rates(pl.Callback):
    """Notes the rates that each step is taken with."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: torch.optim.Optimizer) -> None:
        self.taken.append(optimizer.param_groups[0]["lr"])


def test_warmup_rises_evenly_to_the_full_rate_and_stays() -> None:
    assert [warmup_factor(done, 4) for done in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    assert warmup_factor(0, 0) == 1


def test_rates_are_as_before_after_a_step_that_failed() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3)
    seen = []
    with pytest.raises(KeyError), scaled_rates([optimizer], 0.1):
        seen.append(optimizer.param_groups[0]["lr"]) or {}["a step failed"]
    assert seen == [pytest.approx(0.03)]
    assert optimizer.param_groups[0]["lr"] == 0.3


def test_a_run_warms_up_and_stores_the_full_rate() -> None:
    rates = Rates()
    trainer = fit(tiny(warmup_steps=4), 3, callbacks=(rates,))
    assert rates.taken[::2] == pytest.approx([2e-4 * share for share in (0.25, 0.5, 0.75)])
    assert rates.taken[1::2] == pytest.approx([1e-4 * share for share in (0.25, 0.5, 0.75)])
    assert [optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers] == [2e-4, 1e-4]


@pytest.mark.parametrize(("limit", "expected"), [(0.0, 3.0), (1.5, 1.5), (1e9, 3.0)])
def test_clipping_limits_the_norm_of_each_side(limit: float, expected: float) -> None:
    module = tiny(gradient_clip=limit)
    taken = []
    for side in (module.model_g, module.model_d):
        numbers = sum(parameter.numel() for parameter in side.parameters())
        for parameter in side.parameters():
            parameter.grad = torch.full_like(parameter, 3.0 / numbers**0.5)
    optimizers, _ = module.configure_optimizers()
    for optimizer in optimizers:
        optimizer.register_step_pre_hook(
            lambda optimizer, *_: taken.append(
                torch.stack([p.grad.norm() for g in optimizer.param_groups for p in g["params"]]).norm().item()
            )
        )
    module.update(optimizers)
    assert taken == pytest.approx([expected, expected], rel=1e-4)
    assert module.steps_done == 1
    assert all(parameter.grad is None for parameter in module.parameters())


def test_the_average_is_the_formulas() -> None:
    network = nn.Linear(2, 1, bias=False)
    nn.init.constant_(network.weight, 1.0)
    average = WeightAverage(network, 0.5)
    expected = 1.0
    for step, value in enumerate((3.0, -2.0, 5.0), start=1):
        nn.init.constant_(network.weight, value)
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    assert average.state_dict()["weight"].tolist() == [[pytest.approx(expected)] * 2]
    assert (decay_at(1, 0.999), decay_at(10**6, 0.999)) == (pytest.approx(2 / 11), 0.999)


def test_the_networks_own_weights_come_back_whatever_happens() -> None:
    network = nn.Linear(2, 2)
    average = WeightAverage(network, 0.9)
    first = network.weight.detach().clone()
    with torch.no_grad():
        network.weight.add_(1)
    own = network.weight.detach().clone()
    seen = []
    with pytest.raises(KeyError), average.applied():
        seen.append(network.weight.detach().clone()) or {}["a step failed"]
    assert torch.equal(seen[0], first)
    assert torch.equal(network.weight, own)
    assert torch.equal(average.state_dict()["weight"], first)


def test_without_an_average_the_checkpoint_holds_none(tmp_path: Path) -> None:
    module = tiny()
    trainer = fit(module, 2)
    trainer.save_checkpoint(tmp_path / "plain.ckpt")
    assert AVERAGE_KEY not in torch.load(tmp_path / "plain.ckpt", weights_only=True)
    assert not read_checkpoint(tmp_path / "plain.ckpt").averaged


def test_the_average_goes_through_a_checkpoint_and_speaks(tmp_path: Path) -> None:
    whole = tiny(ema_decay=0.9)
    fit(whole, 4).save_checkpoint(tmp_path / "whole.ckpt")
    half = tiny(ema_decay=0.9)
    fit(half, 2).save_checkpoint(tmp_path / "half.ckpt")
    resumed = tiny(ema_decay=0.9)
    trainer = pl.Trainer(
        max_epochs=2, limit_train_batches=2, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(resumed, DataLoader([torch.zeros(1)] * 2), ckpt_path=tmp_path / "half.ckpt", weights_only=True)
    trainer.save_checkpoint(tmp_path / "resumed.ckpt")

    stored = {name: torch.load(tmp_path / f"{name}.ckpt", weights_only=True) for name in ("whole", "half", "resumed")}
    for name, average in stored["whole"][AVERAGE_KEY].items():
        assert average.dtype == torch.float32
        assert not torch.equal(average, stored["whole"]["state_dict"][f"model_g.{name}"]), name
        assert not torch.equal(average, stored["half"][AVERAGE_KEY][name]), name
        # The resumed run's second epoch has decayed the rate once, by 1e-4 of it.
        torch.testing.assert_close(stored["resumed"][AVERAGE_KEY][name], average, atol=1e-6, rtol=1e-5)

    path = tmp_path / "whole.ckpt"
    checkpoint = read_checkpoint(path)
    assert checkpoint.averaged
    raw, spoken = load_weights(path), load_weights(path, averaged=True)
    name = "model_g.dec.conv_pre.weight"
    assert torch.equal(raw[name], whole.state_dict()[name])
    assert torch.equal(spoken[name], stored["whole"][AVERAGE_KEY]["dec.conv_pre.weight"])
    assert torch.equal(build_synthesizer(checkpoint).dec.conv_pre.weight, spoken[name])


def test_samples_and_validation_hear_the_average() -> None:
    module = tiny(VitsModule, ema_decay=0.5)
    sentence = Sentence("a", tuple(range(1, 12)))
    fresh = speak(module, sentence)
    module.on_fit_start()
    before = module.model_g.state_dict()["dec.conv_post.weight"].clone()
    with torch.no_grad():
        for parameter in module.model_g.parameters():
            parameter.add_(0.05)
    assert (speak(module, sentence) == fresh).all(), "the average has not moved yet"
    assert torch.equal(module.model_g.state_dict()["dec.conv_post.weight"], before + 0.05)
    with module.averaged():
        assert torch.equal(module.model_g.state_dict()["dec.conv_post.weight"], before)


def test_an_average_of_another_network_is_refused(tmp_path: Path) -> None:
    fit(tiny(ema_decay=0.9), 1).save_checkpoint(tmp_path / "odd.ckpt")
    content = torch.load(tmp_path / "odd.ckpt", weights_only=True)
    content[AVERAGE_KEY]["dec.conv_pre.weight"] = torch.zeros(3)
    torch.save(content, tmp_path / "odd.ckpt")
    with pytest.raises(CheckpointError, match="averaged weights"):
        read_checkpoint(tmp_path / "odd.ckpt")
