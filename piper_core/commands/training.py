"""Runs: start one, say how it stands, stop, pause and resume it."""

from __future__ import annotations

import json
import time
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from piper_core.commands.progress import POLL_S, say
from piper_core.runs.run import Run, RunError, list_runs, open_run
from piper_core.runs.status import TrainingStatus, observe, status_of
from piper_core.settings import Settings
from piper_core.training.config import ConfigError, TrainingConfig

if TYPE_CHECKING:
    from piper_core.training.dry_run import TrialReport

TAKEN_AS_GIVEN = (
    "voice_name", "metadata", "language", "preset", "max_steps", "max_epochs", "precision", "seed", "learning_rate",
    "learning_rate_d", "lr_decay", "lr_decay_d", "warmup_steps", "gradient_clip", "ema_decay", "use_mrd", "devices",
    "num_nodes",
)  # fmt: skip
"""Options of `train` that go into the run's configuration as they are."""


def train(options: Namespace) -> int:
    from piper_core.runs.launcher import ReadyToStart, Started, launch

    settings = Settings.load()
    folder = _run_folder(options.run, settings)
    config = _training_config(options, folder.name)
    if options.dry_run or options.batch_size == "auto":
        report = _try_out(config, settings, choose_batch=options.batch_size == "auto")
        config = replace(config, batch_size=report.batch_size)
        if options.dry_run:
            print(json.dumps({"config": config.to_dict(), **report.to_dict()}, indent=2) if options.json else
                  "\n".join(f"{label}: {value}" for label, value in report.lines().items()))  # fmt: skip
            return 0
    outcome = launch(config, folder.parent, settings=settings)
    if isinstance(outcome, ReadyToStart):
        print(outcome.sentence)
        return 0
    if not isinstance(outcome, Started):
        raise RunError(outcome.sentence)
    if options.detach:
        print(outcome.run.folder)
        return 0
    return _follow(outcome.run)


def _training_config(options: Namespace, name: str) -> TrainingConfig:
    from piper_core.dataset.layouts import read_dataset
    from piper_core.system.machine import read_machine, suggest_training

    suggested = suggest_training(read_machine(), options.preset, len(read_dataset(options.dataset).utterances))
    given = {key: getattr(options, key) for key in TAKEN_AS_GIVEN}
    if options.checkpoint and not options.start:
        raise ConfigError("Say how to start from the checkpoint: --start resume, warmstart or vocoder.")
    return TrainingConfig(
        name=name,
        dataset=str(options.dataset.resolve()),
        batch_size=options.batch_size if isinstance(options.batch_size, int) else suggested.batch_size,
        num_workers=suggested.num_workers if options.num_workers is None else options.num_workers,
        checkpoint=str(options.checkpoint.resolve()) if options.checkpoint else None,
        start=options.start or "scratch",
        checkpoint_every_steps=options.checkpoint_every_steps,
        **given,
    )


def _try_out(config: TrainingConfig, settings: Settings, *, choose_batch: bool) -> TrialReport:
    from piper_core.training.dry_run import TrialFailed, dry_run

    report = dry_run(config, settings, choose_batch=choose_batch, on_progress=say)
    if isinstance(report, TrialFailed):
        raise RunError(report.reason)
    if choose_batch and not report.safe_batch_size:
        raise RunError("Not even one of the longest clips fits into memory; leave out the longest clips.")
    return report


def _follow(run: Run) -> int:
    """Print a run's progress until it ends; Ctrl-C asks it to stop, and waits for it to have saved."""
    from piper_core.runs.control import request_stop

    last = ""
    while True:
        try:
            status = observe(run, time.time())
            if status is not None:
                line = status_line(run, status)
                if line != last:
                    say(last := line)
                if not status.is_alive_state:
                    print(line)
                    return 0 if status.state in ("finished", "stopped") else 2
            time.sleep(POLL_S)
        except KeyboardInterrupt:
            request_stop(run)
            say("stopping after this step, saving first")


def status(options: Namespace) -> int:
    run = find_run(options.run)
    observed = observe(run, time.time())
    if observed is None:
        raise RunError(f"The run {run.name} has not started yet: it has no status.json.")
    print(json.dumps(observed.to_dict(), indent=2) if options.json else status_line(run, observed))
    return 0


def status_line(run: Run, status: TrainingStatus) -> str:
    """A run's state in one line, for people."""
    progress = status.progress
    parts = [f"{run.name}: {status.state}"]
    if progress.step is not None and progress.total_steps:
        parts.append(f"step {progress.step} of {progress.total_steps} ({progress.progress_percent or 0:.1f} %)")
    if status.is_alive_state and progress.eta_minutes is not None:
        parts.append(f"{progress.eta_minutes:.1f} min left")
    if status.is_alive_state and progress.steps_per_second:
        parts.append(f"{progress.steps_per_second:.2f} steps/s")
    if "mel" in status.losses:
        parts.append(f"mel loss {status.losses['mel']:.3f}")
    if status.error or status.message:
        parts.append(status.error or status.message)
    return ", ".join(parts)


def control(options: Namespace) -> int:
    from piper_core.runs import control as ask
    from piper_core.runs.launcher import ReadyToStart, Started, resume

    run = find_run(options.run)
    observed = observe(run, time.time())
    alive = observed is not None and observed.is_alive_state
    if options.action == "resume" and not alive:
        outcome = resume(run, settings=Settings.load())
        if isinstance(outcome, ReadyToStart):
            print(outcome.sentence)
            return 0
        if not isinstance(outcome, Started):
            raise RunError(outcome.sentence)
        print(f"{run.name}: goes on from its last checkpoint")
        return 0
    if not alive:
        raise RunError(f"The run {run.name} is not alive; there is nothing to {options.action}.")
    {"stop": ask.request_stop, "pause": ask.request_pause, "resume": ask.request_resume}[options.action](run)
    print(f"{run.name}: asked to {options.action}")
    return 0


def runs(options: Namespace) -> int:
    found = list_runs(Settings.load().runs_dir)
    if options.json:
        print(json.dumps({run.name: status_of(run, time.time()) for run in found}, indent=2))
        return 0
    for run in found:
        try:
            status = observe(run, time.time())
        except RunError as error:  # one unreadable run must not hide the others
            print(f"{run.name}: {error}")
        else:
            print(status_line(run, status) if status else f"{run.name}: not started")
    if not found:
        print("No runs yet: python -m piper_core train DATASET --run NAME --max-steps 1000 starts one.")
    return 0


def _run_folder(run: str, settings: Settings) -> Path:
    """A name is a run of the workspace; anything with a slash is a folder."""
    return Path(run).absolute() if "/" in run else settings.runs_dir / run


def find_run(run: str) -> Run:
    folder = _run_folder(run, Settings.load())
    return open_run(Path(run).absolute() if not folder.is_dir() and Path(run).is_dir() else folder)
