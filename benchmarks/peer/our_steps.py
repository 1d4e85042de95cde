"""Our trainer's steps, `python -m benchmarks.peer.our_steps BATCHES CKPT PRECISION [FOLDER MARK_S ...]`.

The module, the arithmetic and the number format are those of a run; PRECISION is a TrainingConfig's. Steps come on
request (stepping.Served), or, with a FOLDER, one after the other until the last mark (stepping.Marked).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from benchmarks.peer.process import Requests
from benchmarks.peer.stepping import Marked, Over, Served
from piper_core.training.data import Batch
from piper_core.training.fit import prepare_torch
from piper_core.training.module import VitsModule
from piper_core.training.precision import Choice, choose_precision

LONG_RUN = 1_000_000


def main(batches: str, checkpoint: str, precision: str, folder: str = "", *marks_s: str) -> None:
    requests = Requests()
    device = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    prepare_torch(device)
    content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    module = VitsModule(content["hyper_parameters"])
    module.load_state_dict(content["state_dict"])
    del content
    made = [Batch(**values) for values in torch.load(batches, weights_only=True)]
    choice = Choice(precision, "As asked.") if precision != "auto" else None  # type: ignore[arg-type]
    choice = choice or choose_precision(module, made[0], LONG_RUN, device)
    trainer = pl.Trainer(
        accelerator="cuda" if device.type == "cuda" else "cpu",
        devices=1,
        precision=choice.lightning,
        max_epochs=-1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )

    def told() -> dict[str, Any]:
        losses = {name: float(value) for name, value in module.latest.items()}
        return {"precision": choice.precision, **losses}

    if not folder:
        trainer.fit(module, Served(made, requests, told))
        return
    marked = Marked(made, module.model_g, Path(folder), [float(mark) for mark in marks_s])
    try:
        trainer.fit(module, marked)
    except Over:
        requests.answer(steps=marked.steps, precision=choice.precision)


if __name__ == "__main__":
    main(*sys.argv[1:])
