"""Stop, pause and the release of memory: what control.json and signals ask for, done between two steps."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl

from piper_core.runs.control import Control, read_control
from piper_core.runs.run import Run, RunError
from piper_core.training.callbacks import RunStopped, SaveCheckpoints, Watch, device_memory, vits
from piper_core.training.memory import release_memory
from piper_core.training.module import VitsModule
from piper_core.training.reporter import Reporter

_LOGGER = logging.getLogger(__name__)

POLL_S = 0.2


class Obey(pl.Callback):
    """Stop, pause and the release of memory, asked for in control.json or by a signal; looked at between two steps."""

    def __init__(
        self, run: Run, reporter: Reporter, watch: Watch, saver: SaveCheckpoints, stop_signalled: Callable[[], bool]
    ) -> None:
        self._run = run
        self._reporter = reporter
        self._watch = watch
        self._saver = saver
        self._stop_signalled = stop_signalled
        self._handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        self._read: tuple[tuple[int, int, int] | None, Control] = (None, Control())
        """Which control.json was read last, by inode, time and size, and what it says."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Lightning puts its own handler before ours, which ends the run without saving.
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        module = vits(pl_module)
        if not self._obey(module) and not self._wait_while_paused(trainer, module):
            return
        if trainer.should_stop:  # it has just finished
            return
        self._reporter.update(state="stopping", message="Saving a checkpoint, then stopping.")
        self._saver.save(trainer)
        raise RunStopped

    def on_validation_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        if self._obey(vits(pl_module)) and self._saver.saved_step == vits(pl_module).steps_done:
            raise RunStopped

    def _obey(self, module: VitsModule) -> bool:
        """Answers a request for memory; True when the run has to stop."""
        control = self._control()
        if control.clear_memory_request > self._reporter.status.memory.release_request:
            released = release_memory(module.device)
            self._reporter.memory(
                released_bytes=released,
                release_request=control.clear_memory_request,
                **device_memory(module.device),
            )
            self._reporter.update(force=True)
            _LOGGER.info("Released %d bytes of memory", released)
        return control.command == "stop" or self._stop_signalled()

    def _wait_while_paused(self, trainer: pl.Trainer, module: VitsModule) -> bool:
        """Waits for the pause to end; True when it ends in a stop."""
        if self._control().command != "pause" or trainer.should_stop:
            return False
        self._saver.save(trainer)
        self._watch.clock.pause(time.monotonic())
        self._reporter.update(state="paused", message=f"Paused at step {module.steps_done}; a checkpoint is saved.")
        stop = False
        while not stop and self._control().command != "run":
            time.sleep(POLL_S)
            stop = self._obey(module)
        self._watch.clock.go_on(time.monotonic())
        if not stop:
            self._reporter.update(state="training", message="Training goes on.")
        return stop

    def _control(self) -> Control:
        """control.json, read only where it is another file than at the last look: it is replaced whole."""
        try:
            stat = self._run.control_path.stat()
            version = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        except OSError:
            return Control()
        if version != self._read[0]:
            try:
                self._read = version, read_control(self._run)
            except RunError as error:
                _LOGGER.warning("%s", error)  # once, not at every step
                self._read = version, Control()
        return self._read[1]
