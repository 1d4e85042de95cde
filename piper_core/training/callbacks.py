"""What happens between the steps: losses and time left are told, checkpoints saved.

Order matters: `LastStep` first, then `Watch` (it knows the losses), `SaveCheckpoints`, `SpeakSamples` (samples.py), and
`Obey` (obedience.py) last.
A step is a batch; Lightning's own count, which counts each optimizer, is not used.
"""

from __future__ import annotations

import logging
import math
import time
from typing import Any

import psutil
import pytorch_lightning as pl
import torch
from torch import Tensor

from piper_core.runs.eta import Eta, StepClock
from piper_core.runs.metrics import MetricsWriter
from piper_core.runs.run import Run
from piper_core.runs.status import CheckpointRef
from piper_core.training.checkpoints import CheckpointNotSaved, keep_best
from piper_core.training.events import Events
from piper_core.training.module import VitsModule
from piper_core.training.reporter import Reporter

_LOGGER = logging.getLogger(__name__)

FLUSH_EVERY_S = 1.0
ESTIMATE_EVERY_S = 5.0
"""The time left is worked out anew after so long: over some 2,000 steps that takes 4 ms, an ETA is in minutes."""


class RunStopped(Exception):
    """The run was asked to stop, and has saved. Not an error."""


class TrainingDiverged(RuntimeError):
    """A loss is no longer a number. The message says what to try."""


class LastStep(pl.Callback):
    """Ends the training at `max_steps`, or with the last batch of the last epoch, on every process."""

    def __init__(self, max_steps: int | None) -> None:
        self._max_steps = max_steps

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._is_last_step(trainer, vits(pl_module)):
            trainer.should_stop = True  # all that a run's end brings (checkpoint, validation, samples) hangs on this

    def _is_last_step(self, trainer: pl.Trainer, module: VitsModule) -> bool:
        if self._max_steps is not None and module.steps_done >= self._max_steps:
            return True
        last_epoch = trainer.max_epochs is not None and 0 < trainer.max_epochs <= trainer.current_epoch + 1
        return last_epoch and trainer.fit_loop.epoch_loop.batch_progress.is_last_batch


class Watch(pl.Callback):
    """Counts and tells: metrics.jsonl, TensorBoard, and status.json about once a second.

    Losses stay on the device until the next flush, so that a card is not made to wait in every step.
    """

    def __init__(self, run: Run, reporter: Reporter, events: Events | None, *, total_steps: int) -> None:
        self._run = run
        self._reporter = reporter
        self._events = events
        self._total_steps = total_steps
        self._pending: list[tuple[int, int, float, float, dict[str, Tensor]]] = []
        """step, epoch, Unix time, learning rate, losses"""
        self.clock = StepClock(time.monotonic(), 0)
        """Begun anew with the first step."""
        self._flushed_at = float("-inf")
        self._eta, self._estimated_at = Eta(), float("-inf")
        self._metrics: MetricsWriter | None = None
        self._batch_size = 1

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        module = vits(pl_module)
        self._metrics = MetricsWriter(self._run.metrics_path)
        self._batch_size = int(module.hparams["batch_size"]) * trainer.world_size
        self.clock = StepClock(time.monotonic(), module.steps_done)
        self._reporter.memory(device=_device_name(module), total_bytes=_total_bytes(module.device))
        self._reporter.progress(
            step=module.steps_done, epoch=trainer.current_epoch, total_steps=self._total_steps, eta_minutes=None
        )
        self._reporter.update(state="training", message="Training: the first step is under way.")

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        module = vits(pl_module)
        rate = trainer.optimizers[0].param_groups[0]["lr"] * module.rate_factor(module.steps_done - 1)
        self._pending.append((module.steps_done, trainer.current_epoch, time.time(), rate, module.latest))
        self.clock.add(time.monotonic(), module.steps_done)
        self._reporter.note("memory", module.micro_batches.sentence)
        if time.monotonic() - self._flushed_at >= FLUSH_EVERY_S:
            self.flush(module)

    def flush(self, module: VitsModule) -> None:
        """Writes what the steps since the last flush gave. Raises TrainingDiverged."""
        if not self._pending:
            return
        assert self._metrics is not None
        names = list(self._pending[0][-1])
        rows = torch.stack([torch.stack([losses[name] for name in names]) for *_, losses in self._pending]).tolist()
        for (step, epoch, time_s, rate, _), row in zip(self._pending, rows, strict=True):
            losses = dict(zip(names, row, strict=True))
            self._metrics.append(step, {"epoch": epoch, **losses, "learning_rate": rate}, time_s)
            if self._events:
                self._events.scalars(step, losses)
            if not all(math.isfinite(value) for value in row):
                self._metrics.flush()
                raise TrainingDiverged(
                    f"The losses are no longer numbers since step {step}. Resume from the last checkpoint with "
                    "precision 32 or a lower learning rate."
                )
        self._metrics.flush()
        step, epoch, *_ = self._pending[-1]
        self._pending.clear()
        self._flushed_at = time.monotonic()
        self._tell(module, step, epoch, losses)

    def _tell(self, module: VitsModule, step: int, epoch: int, losses: dict[str, float]) -> None:
        now = time.monotonic()
        if self._eta.minutes is None or now - self._estimated_at >= ESTIMATE_EVERY_S:
            self._eta, self._estimated_at = self.clock.estimate(self._total_steps, now), now
        eta = self._eta
        rate = eta.steps_per_second or self._reporter.status.progress.steps_per_second
        self._reporter.memory(**device_memory(module.device))
        self._reporter.progress(
            step=step,
            epoch=epoch,
            progress_percent=round(min(100.0, 100.0 * step / self._total_steps), 2),
            eta_minutes=eta.minutes,
            eta_low_minutes=eta.low_minutes,
            eta_high_minutes=eta.high_minutes,
            steps_per_second=rate,
            samples_per_second=rate and rate * self._batch_size,
        )
        self._reporter.update(
            state="training",
            message=f"Training: step {step} of {self._total_steps}.",
            losses={**self._reporter.status.losses, **losses},
        )

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.flush(vits(pl_module))
        self._reporter.update(state="validating", message="Listening to the held-out clips.")

    def on_validation_batch_end(self, *_: Any) -> None:
        self._reporter.update()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        step = vits(pl_module).steps_done
        found = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("val_")}
        assert self._metrics is not None
        self._metrics.append(step, {"epoch": trainer.current_epoch, **found}, time.time())
        if self._events:
            self._events.scalars(step, found)
        self._reporter.update(
            state="training",
            message=f"Training: step {step} of {self._total_steps}.",
            losses={**self._reporter.status.losses, **found},
        )

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.flush(vits(pl_module))

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if self._metrics:
            self._metrics.close()
            self._metrics = None
        if self._events:
            self._events.close()


class SaveCheckpoints(pl.Callback):
    """last.ckpt every `every_steps` steps and at the end; the `keep` best by validation mel loss under their own names.

    A validation follows each save at the same step, so the best are links to what was just written.
    """

    def __init__(self, run: Run, reporter: Reporter, watch: Watch, *, every_steps: int, keep: int) -> None:
        self._run = run
        self._reporter = reporter
        self._watch = watch
        self._every_steps = every_steps
        self._keep = keep
        self.saved_step = -1
        """The step in last.ckpt, as far as this process wrote it."""
        self.trouble: str | None = None
        """Why the latest save failed; None when it did not."""

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if vits(pl_module).steps_done % self._every_steps == 0 or trainer.should_stop:
            self.save(trainer)

    def save(self, trainer: pl.Trainer) -> None:
        """Writes last.ckpt, unless it holds this step already. A full disk is told, and training goes on.

        Raises TrainingDiverged rather than save weights that are no longer numbers.
        """
        module = vits(trainer.lightning_module)
        if self.saved_step == module.steps_done:
            return
        self._watch.flush(module)
        try:
            trainer.save_checkpoint(self._run.last_checkpoint)
        except CheckpointNotSaved as error:
            self.trouble = str(error)
            self._tell_trouble(error)
            return
        self.saved_step, self.trouble = module.steps_done, None
        self._reporter.note("checkpoint", None)
        name = self._run.last_checkpoint.relative_to(self._run.folder).as_posix()
        self._reporter.update(checkpoint=CheckpointRef(name, self.saved_step))

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        val_mel = trainer.callback_metrics.get("val_mel")
        if val_mel is None or self.saved_step != vits(pl_module).steps_done:
            return
        try:
            keep_best(self._run.last_checkpoint, self.saved_step, float(val_mel), self._keep)
        except CheckpointNotSaved as error:
            self._tell_trouble(error)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        if not isinstance(exception, RunStopped | TrainingDiverged) and vits(pl_module).steps_done > 0:
            self.save(trainer)

    def _tell_trouble(self, error: CheckpointNotSaved) -> None:
        _LOGGER.error("%s", error)
        self._reporter.note("checkpoint", str(error))
        self._reporter.update(force=True)


def vits(module: pl.LightningModule) -> VitsModule:
    assert isinstance(module, VitsModule)
    return module


def _device_name(module: VitsModule) -> str:
    return f"cuda:{module.device.index or 0}" if module.device.type == "cuda" else module.device.type


def device_memory(device: torch.device) -> dict[str, int]:
    if device.type != "cuda":
        return {}
    return {
        "allocated_bytes": torch.cuda.memory_allocated(device),
        "reserved_bytes": torch.cuda.memory_reserved(device),
    }


def _total_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return int(psutil.virtual_memory().total)
