"""One whole training step of either trainer: `python -m benchmarks.parity.step SIDE FORMAT FOLDER CASE ...`.

SIDE is ours or peer, and the process in that side's environment; FORMAT is float32 or float64. Each case is
FOLDER/CASE.case.pt as `cases` writes it; what a step gave goes to FOLDER/CASE.SIDE.FORMAT.pt: `{"losses": ...,
"gradients": ...}`, gradients as they are when each optimizer takes them. Lightning's own loop drives the step.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks.parity.noise import same_noise

_LIGHTNINGS = {"float32": "32-true", "float64": "64-true"}


def main(side: str, number_format: str, folder: str, *cases: str) -> None:
    torch.set_num_threads(1)
    for case in cases:
        content = torch.load(Path(folder) / f"{case}.case.pt", weights_only=True)
        run = peer_step if side == "peer" else our_step
        torch.save(run(content, number_format), Path(folder) / f"{case}.{side}.{number_format}.pt")


def our_step(case: dict[str, Any], number_format: str) -> dict[str, dict[str, Tensor]]:
    import pytorch_lightning as pl

    from piper_core.training.data import Batch
    from piper_core.training.module import VitsModule

    with all_in(number_format):
        module = VitsModule(case["hyper_parameters"])
        module.load_state_dict(case["state_dict"])
        gradients = fit(pl, module, Batch(**case["batch"]), number_format)
    return {"losses": {name: value.double() for name, value in module.latest.items()}, "gradients": gradients}


def peer_step(case: dict[str, Any], number_format: str) -> dict[str, dict[str, Tensor]]:
    from benchmarks.peer import alignment

    alignment.install()
    import lightning as pl
    from piper.train.vits.lightning import VitsModel

    from benchmarks.peer.peer_steps import peer_batch

    hyper = case["hyper_parameters"]
    with all_in(number_format):
        model = VitsModel(**hyper)
        model.load_state_dict(case["state_dict"])
        told: dict[str, Tensor] = {}
        model.log = lambda name, value, **_: told.update({name: value.detach()})
        model.log_dict = lambda values, **_: told.update(values)
        gradients = fit(pl, model, peer_batch(case["batch"], hyper), number_format)
    return {
        "losses": {name.removeprefix("train_"): value.double() for name, value in told.items()},
        "gradients": gradients,
    }


def fit(pl: ModuleType, module: Any, batch: Any, number_format: str) -> dict[str, Tensor]:
    """Trains one step of `module`; returns every gradient as its optimizer got it, by the parameter's name."""
    gradients: dict[str, Tensor] = {}
    names = {parameter: name for name, parameter in module.named_parameters()}

    class Capture(pl.Callback):  # type: ignore[name-defined]
        def on_train_start(self, trainer: Any, _: Any) -> None:
            for optimizer in trainer.optimizers:
                optimizer.register_step_pre_hook(take)

    def take(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    gradients[names[parameter]] = parameter.grad.detach().clone().double()

    trainer = pl.Trainer(
        accelerator="cpu",
        precision=_LIGHTNINGS[number_format],
        max_epochs=1,
        callbacks=[Capture()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    with same_noise():
        loader: Any = DataLoader([batch], batch_size=None, collate_fn=lambda one: one)  # type: ignore[arg-type]
        trainer.fit(module, loader)
    return gradients


@contextmanager
def all_in(number_format: str) -> Iterator[None]:
    """In float64 also where either side asks for float32, which both do where mixed precision would hurt."""
    if number_format == "float32":
        yield
        return
    former, default = torch.Tensor.float, torch.get_default_dtype()
    torch.Tensor.float = torch.Tensor.double  # type: ignore[method-assign]
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.Tensor.float = former  # type: ignore[method-assign]
        torch.set_default_dtype(default)


if __name__ == "__main__":
    main(*sys.argv[1:])
