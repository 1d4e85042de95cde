"""What telling costs: our callbacks, metrics, status and TensorBoard, as a share of a real step.

    python -m benchmarks.overhead --dataset FOLDER [--presets tiny medium] [--steps 2000] [--repeats 5]

The callbacks of a run work in Lightning's own loop over a step that costs nothing, with and without them in turn: their
cost a step. Once a second they also write what they gathered; that cost is taken where they write at every step. A real
step of each preset is then timed, and `share` is both costs over it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import mock

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from benchmarks.prepare import processor
from piper_core.dataset.layouts import read_dataset
from piper_core.features import FeatureSettings
from piper_core.features.extraction import extract
from piper_core.runs.run import Run
from piper_core.training import callbacks, reporter
from piper_core.training.callbacks import LastStep, SaveCheckpoints, Watch
from piper_core.training.config import PRESETS, TrainingConfig
from piper_core.training.data import Batch, collate
from piper_core.training.events import Events
from piper_core.training.fit import prepare_torch
from piper_core.training.hyper_parameters import hyper_parameters
from piper_core.training.module import VitsModule
from piper_core.training.obedience import Obey
from piper_core.training.randomness import SeedSteps
from piper_core.training.reporter import Reporter
from piper_core.training.samples import SpeakSamples

NEVER = 1_000_000_000
LOSSES = ("loss_g", "loss_d", "mel", "kl", "dur", "fm", "gen", "disc")
WARM_UP_STEPS = 50


class Free(VitsModule):
    """A step that costs nothing, with losses to tell."""

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        self.steps_done += 1
        self.batches_done_in_epoch += 1
        self.latest = {name: torch.tensor(1.0) for name in LOSSES}


class Timed(pl.Callback):
    """Seconds a step, the warm-up left out."""

    seconds = 0.0

    def __init__(self, warm_up: int) -> None:
        self._warm_up, self._marks = warm_up, (0, 0.0)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx + 1 == self._warm_up:
            self._marks = (batch_idx + 1, time.perf_counter())
        elif batch_idx + 1 > self._warm_up:
            self.seconds = (time.perf_counter() - self._marks[1]) / (batch_idx + 1 - self._warm_up)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True, help="real speech")
    parser.add_argument("--presets", nargs="+", default=["tiny", "medium"], choices=list(PRESETS))
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--real-steps", type=int, default=5, help="of which the first two warm up")
    options = parser.parse_args()
    prepare_torch(torch.device("cpu"))
    free: dict[str, list[float]] = {"without": [], "with": [], "each told": []}
    for _ in range(options.repeats):
        for kind, found in free.items():
            steps = options.steps // 10 if kind == "each told" else options.steps
            found.append(free_step_s(kind, steps))
    without, told, each_told = (statistics.median(found) for found in free.values())
    step_s, tell_s = told - without, each_told - told
    clips = [utterance for utterance in read_dataset(options.dataset).usable][: options.batch_size]
    shares, real = {}, {}
    for preset in options.presets:
        settings = FeatureSettings(sample_rate=PRESETS[preset].sample_rate, language="en-us")
        batch = collate([(*extract(clip.path, clip.text, settings), 0) for clip in clips])
        real[preset] = real_step_s(preset, batch, options.real_steps)
        told_share = tell_s / max(real[preset], callbacks.FLUSH_EVERY_S)
        shares[preset] = round(step_s / real[preset] + told_share, 6)
    spread = sorted(one - two for one, two in zip(free["with"], free["without"], strict=True))
    print(
        json.dumps(
            {
                "benchmark": "overhead",
                "share": max(shares.values()),
                "shares": shares,
                "step_us": round(step_s * 1e6, 1),
                "step_us_spread": [round(spread[0] * 1e6, 1), round(spread[-1] * 1e6, 1)],
                "tell_us": round(tell_s * 1e6, 1),
                "real_step_seconds": {preset: round(seconds, 3) for preset, seconds in real.items()},
                "batch_size": options.batch_size,
                "clips": len(clips),
                "steps": options.steps,
                "repeats": options.repeats,
                "machine": processor(),
                "cores": len(os.sched_getaffinity(0)),
                "versions": {name: version(name) for name in ("torch", "pytorch-lightning", "tensorboard")}
                | {"python": platform.python_version()},
            }
        )
    )


def free_step_s(kind: str, steps: int) -> float:
    """Seconds a step that costs nothing takes in Lightning's loop: without our callbacks, with them, telling each."""
    config = TrainingConfig(name="overhead", dataset="/none", preset="tiny", max_steps=NEVER)
    module = Free(hyper_parameters(config), discriminator_width=PRESETS["tiny"].discriminator_width)
    with tempfile.TemporaryDirectory() as scratch:
        run = Run(Path(scratch))
        ours = [] if kind == "without" else our_callbacks(run)
        every_s = 0.0 if kind == "each told" else 1.0
        with (
            mock.patch.object(callbacks, "FLUSH_EVERY_S", every_s),
            mock.patch.object(reporter, "WRITE_EVERY_S", every_s),
        ):
            return step_s(module, [torch.zeros(())] * steps, ours, warm_up=WARM_UP_STEPS)


def our_callbacks(run: Run) -> list[pl.Callback]:
    """Those of a run; no checkpoint, sample or validation falls due."""
    tell = Reporter(run)
    events = Events.open(run.folder / "events", 0)
    watch = Watch(run, tell, events, total_steps=NEVER)
    saver = SaveCheckpoints(run, tell, watch, every_steps=NEVER, keep=3)
    speak = SpeakSamples(run, (), events, every_steps=NEVER)
    return [SeedSteps(1234), LastStep(NEVER), watch, saver, speak, Obey(run, tell, watch, saver, lambda: False)]


def real_step_s(preset: str, batch: Batch, steps: int) -> float:
    """Seconds a whole training step on `batch` takes, without our callbacks, in float32."""
    config = TrainingConfig(name="overhead", dataset="/none", preset=preset, max_steps=NEVER)
    module = VitsModule(hyper_parameters(config), discriminator_width=PRESETS[preset].discriminator_width)
    return step_s(module, [batch] * steps, [], warm_up=2)


def step_s(module: VitsModule, batches: list[Any], ours: list[pl.Callback], warm_up: int) -> float:
    timed = Timed(warm_up)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=1,
        callbacks=[*ours, timed],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(batches, batch_size=None))  # type: ignore[arg-type]
    return timed.seconds


if __name__ == "__main__":
    main()
