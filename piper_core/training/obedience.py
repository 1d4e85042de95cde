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
from piper_core.training.together import GO, PAUSE, STOP, Word

_LOGGER = logging.getLogger(__name__)

POLL_S = 0.2


class Obey(pl.Callback):
    """Stop, pause and the release of memory, asked for in control.json or by a signal; looked at between two steps.

    Rank 0's: it reads what is asked for, and passes it on to the other processes, which `Follow`.
    """

    def __init__(
        self, run: Run, reporter: Reporter, watch: Watch, saver: SaveCheckpoints, stop_signalled: Callable[[], bool]
    ) -> None:
        self._run = run
        self._reporter = reporter
        self._watch = watch
        self._saver = saver
        self._stop_signalled = stop_signalled
        self._handlers = our_handlers()
        self._word = Word()
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
        command = self._hear(module)
        if command == PAUSE and not trainer.should_stop:
            command = self._wait_while_paused(trainer, module)
        if command != STOP or trainer.should_stop:  # at its last step it has just finished
            return
        self._reporter.update(state="stopping", message="Saving a checkpoint, then stopping.")
        self._saver.save(trainer)
        raise RunStopped

    def on_validation_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        module = vits(pl_module)
        if self._hear(module, may_stop=self._saver.saved_step == module.steps_done) == STOP:
            raise RunStopped

    def _hear(self, module: VitsModule, may_stop: bool = True) -> int:
        """Answers a request for memory; returns the command that all processes obey now."""
        control = self._control()
        wish = PAUSE if control.command == "pause" else GO
        if may_stop and (control.command == "stop" or self._stop_signalled()):
            wish = STOP
        command, request = self._word.next(wish, control.clear_memory_request)
        if request > self._reporter.status.memory.release_request:
            released = release_memory(module.device)
            self._reporter.memory(released_bytes=released, release_request=request, **device_memory(module.device))
            self._reporter.update(force=True)
            _LOGGER.info("Released %d bytes of memory", released)
        return command

    def _wait_while_paused(self, trainer: pl.Trainer, module: VitsModule) -> int:
        """Waits for the pause to end; returns the command that ended it."""
        self._saver.save(trainer)
        self._watch.clock.pause(time.monotonic())
        self._reporter.update(state="paused", message=f"Paused at step {module.steps_done}; a checkpoint is saved.")
        while (command := self._hear(module)) == PAUSE:
            time.sleep(POLL_S)
        self._watch.clock.go_on(time.monotonic())
        if command != STOP:
            self._reporter.update(state="training", message="Training goes on.")
        return command

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


class Follow(pl.Callback):
    """What rank 0 obeys, the other processes obey in the same step."""

    def __init__(self) -> None:
        self._handlers = our_handlers()
        self._word = Word()
        self._released = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        command = self._hear(vits(pl_module))
        while command == PAUSE and not trainer.should_stop:
            command = self._hear(vits(pl_module))
        if command == STOP and not trainer.should_stop:
            raise RunStopped

    def on_validation_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        if self._hear(vits(pl_module)) == STOP:
            raise RunStopped

    def _hear(self, module: VitsModule) -> int:
        command, request = self._word.next()
        if request > self._released:
            self._released = request
            release_memory(module.device)
        return command


def our_handlers() -> dict[signal.Signals, Any]:
    """The handlers of the signals that ask to stop, as they are before Lightning replaces them."""
    return {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
