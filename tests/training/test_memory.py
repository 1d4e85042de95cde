"""A run that runs short of memory goes on in smaller parts, and learns the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from piper_core.runs.control import request_stop
from piper_core.runs.run import Run
from piper_core.training.config import PRESETS, TrainingConfig
from piper_core.training.data import Batch
from piper_core.training.hyper_parameters import hyper_parameters
from piper_core.training.memory import TRY_LARGER_AFTER_STEPS, DoesNotFit, MicroBatches, is_out_of_memory
from piper_core.training.module import VitsModule
from tests.training.test_trainer import Start, make_run, start, steps_in, wait_for  # noqa: F401


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def clips(size: int, seconds: float = 0.8) -> Batch:
    """Noise of different lengths."""
    generator = torch.Generator().manual_seed(1)
    lengths = torch.tensor([int(seconds * 16000) - 700 * row for row in range(size)])
    audio = (torch.randn(size, int(lengths[0]), generator=generator) * 4000).to(torch.int16)
    return Batch(
        torch.randint(3, 100, (size, 20), generator=generator),
        torch.tensor([20 - row for row in range(size)]),
        audio * (torch.arange(audio.shape[1]) < lengths[:, None]),
        lengths,
        torch.zeros(size, dtype=torch.int64),
    )


def tiny() -> VitsModule:
    torch.manual_seed(0)
    config = TrainingConfig(name="t", dataset="/nowhere", preset="tiny", max_steps=1)
    module = VitsModule(hyper_parameters(config), discriminator_width=PRESETS["tiny"].discriminator_width)
    return module.eval()  # without dropout, whose noise would be another in each part


@pytest.fixture
def same_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every clip draws the same noise, whichever batch it is in and however far it is padded."""
    drawn, really = torch.randn(256, 4096), torch.randn

    def noise(*shape: Any, **how: Any) -> Tensor:
        sizes = tuple(shape[0]) if len(shape) == 1 else shape
        if len(sizes) != 3:
            return really(*sizes, **how)
        return drawn[: sizes[1], : sizes[2]].expand(sizes).clone()

    monkeypatch.setattr(torch, "randn", noise)
    monkeypatch.setattr(torch, "randn_like", lambda tensor, **_: noise(tuple(tensor.shape)).to(tensor.dtype))
    monkeypatch.setattr(torch, "rand", lambda *shape, **_: torch.full(tuple(shape[0]), 0.4))


def step(module: VitsModule, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
    losses = module.step_gradients(batch)
    gradients = {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}
    module.zero_grad(set_to_none=True)
    return {name: float(value) for name, value in losses.items()}, gradients


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float = 1e-5) -> None:
    """Each network's gradient within `tolerance` of its norm: single values next to nothing are rounding."""
    assert found.keys() == expected.keys()
    for network in ("model_g", "model_d"):
        names = [name for name in expected if name.startswith(network)]
        difference = torch.cat([(found[name] - expected[name]).flatten() for name in names]).norm()
        assert difference / torch.cat([expected[name].flatten() for name in names]).norm() < tolerance, network


@pytest.mark.parametrize("size", [1, 2, 3])
def test_micro_batches_give_the_step_of_the_whole_batch(same_noise: None, size: int) -> None:
    module, batch = tiny(), clips(5)
    losses, gradients = step(module, batch)
    module.micro_batches.size = size
    in_parts, summed = step(module, batch)
    assert in_parts == pytest.approx(losses, rel=1e-5)
    assert_same(summed, gradients)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        MemoryError("std::bad_alloc"),
    ],
)
def test_a_step_that_runs_out_of_memory_is_done_again_in_parts(
    same_noise: None, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """An injected error: five clips at once are too many, and so are two after the first part of one step."""
    module, batch = tiny(), clips(5)
    losses, gradients = step(module, batch)
    really, sizes = module.gradients, []

    def short(part: Batch, *rest: Any) -> dict[str, Tensor]:
        sizes.append(len(part.audio))
        if len(part.audio) == 5 or (len(sizes) == 3 and len(part.audio) == 2):
            really(part, *rest)  # what it left in the gradients must not be counted
            raise error
        return really(part, *rest)

    monkeypatch.setattr(module, "gradients", short)
    in_parts, summed = step(module, batch)
    assert sizes == [5, 2, 2, 1, 1, 1, 1, 1]
    assert in_parts == pytest.approx(losses, rel=1e-5)
    assert_same(summed, gradients)
    assert "one clip at a time" in str(module.micro_batches.sentence)


def test_other_errors_are_no_shortage(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> dict[str, Tensor]:
        raise RuntimeError("The size of tensor a must match the size of tensor b.")

    module = tiny()
    monkeypatch.setattr(module, "gradients", broken)
    with pytest.raises(RuntimeError, match="must match"):
        module.step_gradients(clips(2))
    assert module.micro_batches.size is None


def test_a_clip_that_is_too_much_alone_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def short(*_: Any) -> dict[str, Tensor]:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    module = tiny()
    monkeypatch.setattr(module, "gradients", short)
    with pytest.raises(DoesNotFit, match=r"A clip of 0\.8 s does not fit .* even alone\. Leave out"):
        module.step_gradients(clips(4))
    assert not is_out_of_memory(DoesNotFit())


def test_larger_parts_are_tried_again_and_ever_more_seldom() -> None:
    parts, batch = MicroBatches(), clips(4)
    for wait in (TRY_LARGER_AFTER_STEPS, 2 * TRY_LARGER_AFTER_STEPS):
        parts.halve(batch, 16000)
        for _ in range(wait - 1):
            parts.step_done()
        assert parts.size == 2
        parts.step_done()
        assert parts.size is None
    assert parts.shortages == 2


SHORT_OF_MEMORY = """
import sys, torch
from piper_core.training import trainer
from piper_core.training.module import VitsModule

really = VitsModule.gradients

def gradients(module, batch, *rest):
    losses = really(module, batch, *rest)
    if len(batch.audio) > 3:
        torch.empty(2**60, dtype=torch.uint8)  # at the end of the step: its gradients are there, and must not count
    return losses

VitsModule.gradients = gradients
sys.exit(trainer.main())
"""


def test_a_trainer_whose_allocator_refuses_goes_on(
    make_run: Callable[..., Run],  # noqa: F811
    start: Start,  # noqa: F811
) -> None:
    """torch's own allocator refuses what a batch of more than three clips asks for, as it does when memory is out.

    (Under a limit of the whole process whatever allocates next meets it, and native code that does not look dies.)
    """
    run = make_run(batch_size=8, checkpoint_every_steps=4)
    process = start(run, program=("-c", SHORT_OF_MEMORY))
    told = wait_for(run, process, lambda status: "at a time" in status.message)
    later = wait_for(
        run,
        process,
        lambda status: status.state == "training" and status.progress.step >= told.progress.step + 4,
    )
    assert "Memory ran out, so each step is computed" in later.message
    assert later.losses["val_mel"] > 0
    request_stop(run)
    assert process.wait(120) == 0, run.log_path.read_text()
    steps = steps_in(run)
    assert steps == list(range(1, len(steps) + 1))
    # 11 clips in batches of 8 at most: one of 6 and one of 5.
    assert re.search(r"Memory ran out with [56] clips: .*allocate memory", run.log_path.read_text())
