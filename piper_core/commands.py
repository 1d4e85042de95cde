"""What each command of the command line does: its options in, the exit status out."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache_utils.store import CacheStore
from piper_core.runs.run import Run, RunError, list_runs, open_run
from piper_core.runs.status import TrainingStatus, observe, status_of
from piper_core.settings import GIGABYTE, Settings
from piper_core.training.config import ConfigError, TrainingConfig

if TYPE_CHECKING:
    from piper_core.training.dry_run import TrialReport

POLL_S = 0.5
INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it: 128 and the number of SIGINT."""
REPORT_FORMS = ("json", "html", "csv")
STDOUT = Path("-")
TAKEN_AS_GIVEN = (
    "voice_name", "metadata", "language", "preset", "max_steps", "max_epochs", "precision", "seed", "learning_rate",
    "learning_rate_d", "lr_decay", "lr_decay_d", "warmup_steps", "gradient_clip", "ema_decay", "use_mrd", "devices",
    "num_nodes",
)  # fmt: skip
"""Options of `train` that go into the run's configuration as they are."""


def say(line: str) -> None:
    """One line of progress, on stderr: over the last one in a terminal, below it elsewhere."""
    print(line, file=sys.stderr, end="\r\033[K" if sys.stderr.isatty() else "\n", flush=True)


def demo(options: Namespace) -> int:
    from piper_core.dataset.demo import write_demo

    print(write_demo(options.folder, clips=options.clips, defects=options.defects))
    return 0


def inspect(options: Namespace) -> int:
    from piper_core.dataset.inspection import inspect as inspect_dataset

    to_stdout = [form for form in REPORT_FORMS if getattr(options, form) == STDOUT]
    if len(to_stdout) > 1:
        raise ValueError(f"Only one of --{', --'.join(to_stdout)} can go to the standard output; name files.")
    settings = Settings.load()
    last = 0.0

    def on_progress(progress: Any) -> None:
        nonlocal last
        if time.monotonic() - last > POLL_S or progress.done == progress.total:
            last = time.monotonic()
            say(f"{progress.stage}: {progress.done} of {progress.total} clips, {progress.remaining_s:.0f} s left")

    try:
        report = inspect_dataset(
            options.dataset,
            metadata=options.metadata,
            language=options.language,
            jobs=options.jobs,
            validate_audio=settings.enable_audio_validation,
            audit=options.audit,
            pitch=not options.no_pitch,
            cache_dir=None if options.no_cache else settings.cache_dir / "inspection",
            on_progress=on_progress,
            dask=options.dask,
        )
    except KeyboardInterrupt:
        kept = "" if options.no_cache else " What was measured is kept: the same command goes on from here."
        print(f"piper_core: the inspection was stopped.{kept}", file=sys.stderr)
        return INTERRUPTED
    for form in REPORT_FORMS:
        target = getattr(options, form)
        if target is not None and target != STDOUT:
            getattr(report, f"write_{form}")(target)
    if to_stdout:
        sys.stdout.buffer.write(report.as_bytes(to_stdout[0]))
    summary = report.summary_text().encode(errors="backslashreplace").decode()  # a file's name may be no Unicode
    print(summary, file=sys.stderr if to_stdout else sys.stdout)
    bad = report.summary.errors + (report.summary.warnings if options.strict else 0)
    return 1 if bad else 0


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
    run = _find_run(options.run)
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

    run = _find_run(options.run)
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


def doctor(options: Namespace) -> int:
    from piper_core.voices.checkpoint import describe, read_checkpoint

    checkpoint = read_checkpoint(options.checkpoint)
    described = describe(checkpoint)
    for_dataset = _starts_for_dataset(checkpoint, options) if options.dataset else None
    if options.json:
        print(json.dumps(described | ({"for_dataset": for_dataset} if for_dataset else {}), indent=2))
        return 0
    print("\n".join(f"{name}: {value}" for name, value in described.items()))
    if for_dataset:
        preset = options.preset or checkpoint.preset or TrainingConfig.preset
        voices = "1 speaker" if for_dataset["speakers"] == 1 else f"{for_dataset['speakers']} speakers"
        print(f"\na {preset} voice of {options.dataset.name} ({voices}, {for_dataset['language']}):")
        for start, reason in for_dataset["starts"][preset].items():
            print(f"  {start}: {reason or 'possible'}")
    return 0


def _starts_for_dataset(checkpoint: Any, options: Namespace) -> dict[str, Any]:
    from piper_core.dataset.layouts import read_dataset
    from piper_core.features import speaker_ids
    from piper_core.voices.description import starts_by_preset

    utterances = read_dataset(options.dataset, options.metadata).utterances
    speakers = max(1, len(speaker_ids(utterance.speaker for utterance in utterances)))
    return {
        "dataset": str(options.dataset),
        "language": options.language,
        "speakers": speakers,
        "starts": starts_by_preset(checkpoint, options.language, speakers),
    }


def export(options: Namespace) -> int:
    from piper_core.voices.export import export as export_voice

    source = Path(options.source)
    if not source.is_file():
        source = _find_run(options.source).folder
    exported = export_voice(source, options.out, name=options.name, language=options.language)
    print(exported.onnx)
    print(exported.json)
    return 0


def speak(options: Namespace) -> int:
    from piper_core.voices.synthesis import speak as speak_text
    from piper_core.voices.synthesis import write_wav

    speech = speak_text(options.voice, options.text)
    write_wav(options.wav, speech)
    print(f"{options.wav}: {speech.seconds:.2f} s")
    return 0


def cache(options: Namespace) -> int:
    settings = Settings.load()
    store = CacheStore(settings.cache_dir, settings.max_cache_bytes, settings.cache_cleanup_threshold)
    freed = store.clean() if options.clean else store.clear() if options.clear else None
    if freed is not None:
        print(f"freed {freed.size_bytes} bytes in {freed.entries} entries")
    entries = len(store.entries())
    limit_gb = settings.max_cache_bytes / GIGABYTE
    print(f"{store.volume()} bytes in {entries} entries, of {settings.max_cache_bytes} ({limit_gb:g} GB)")
    return 0


def _run_folder(run: str, settings: Settings) -> Path:
    """A name is a run of the workspace; anything with a slash is a folder."""
    return Path(run).absolute() if "/" in run else settings.runs_dir / run


def _find_run(run: str) -> Run:
    folder = _run_folder(run, Settings.load())
    return open_run(Path(run).absolute() if not folder.is_dir() and Path(run).is_dir() else folder)
