"""Starts a run's trainer in a process of its own, which outlives this one, and resumes a run that has ended.

Everything that can be known beforehand is refused here with a reason, before a folder is made.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields, replace
from itertools import islice
from pathlib import Path

from cache_utils.lock import file_lock
from piper_core.dataset.audio import Unreadable, read_header
from piper_core.dataset.layouts import Dataset, DatasetError, read_dataset
from piper_core.dataset.text import TextError, check_language
from piper_core.features.settings import FeatureSettings
from piper_core.runs.control import reset_control
from piper_core.runs.process import process_start_time, spawn_detached
from piper_core.runs.run import Run, RunError, last_line, write_json
from piper_core.runs.status import Launch, is_written_by, observe, read_status
from piper_core.settings import Settings
from piper_core.system import disk, gpu
from piper_core.training.config import ConfigError, TrainingConfig

PROJECT_ROOT = Path(__file__).resolve().parents[2]
TRAINER_MODULE = "piper_core.training.trainer"
FIRST_WORD_S = 60.0
"""How long to wait for the trainer's first status. Importing torch takes 5 to 20 s; a slower one is still started."""
POLL_S = 0.1
ALLOCATOR = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=2147483647"}
"""A trainer's memory, where glibc hands it out: in huge pages, and kept from step to step. As it is by default, a step
on a processor asks for a gigabyte anew, page by page. Other systems don't read it."""


@dataclass(frozen=True)
class Started:
    """The trainer is at work."""

    run: Run
    pid: int

    @property
    def sentence(self) -> str:
        """For people."""
        return f"The run {self.run.name} has started (process {self.pid})."


@dataclass(frozen=True)
class AlreadyRunning:
    """The run has a live trainer, or is being started at this moment."""

    run: Run

    @property
    def sentence(self) -> str:
        """For people."""
        return f"The run {self.run.name} is at work already; stop it first, or give this one another name."


@dataclass(frozen=True)
class StartFailed:
    """Refused, or ended before its first step was in sight."""

    reason: str
    """A sentence: what is wrong and what to do."""

    @property
    def sentence(self) -> str:
        """For people."""
        return self.reason


@dataclass(frozen=True)
class ReadyToStart:
    """A run on several machines: its folder is ready, and others start its processes."""

    run: Run
    devices: int
    num_nodes: int

    @property
    def sentence(self) -> str:
        """For people."""
        return (
            f"The run {self.run.name} is ready. Start it on each of the {self.num_nodes} machines, by torchrun or srun"
            f" with {self.devices} processes a machine: python -m {TRAINER_MODULE} {self.run.folder}"
        )


Outcome = Started | AlreadyRunning | StartFailed | ReadyToStart


def launch(
    config: TrainingConfig,
    runs_dir: Path,
    *,
    settings: Settings,
    resume_existing: bool = False,
    trainer_module: str = TRAINER_MODULE,
    first_word_s: float = FIRST_WORD_S,
) -> Outcome:
    """Start the run `config.name` in `runs_dir`, and wait for its trainer's first word.

    A name is taken once a run of it has taken a step; `resume_existing` goes on in its folder with `config`.
    Of several launches of one name at the same time, one wins.
    """
    run = Run(runs_dir.absolute() / config.name)
    return _launch(run, config, settings, resume_existing, trainer_module, first_word_s)


def resume(
    run: Run,
    *,
    settings: Settings,
    max_steps: int | None = None,
    max_epochs: int | None = None,
    trainer_module: str = TRAINER_MODULE,
    first_word_s: float = FIRST_WORD_S,
) -> Outcome:
    """Go on with a run that has ended, from its last checkpoint, or from its beginning when it saved none.

    `max_steps` and `max_epochs` lengthen it; a run that has finished needs one of them.
    """
    longer = max_steps is not None or max_epochs is not None
    try:
        config, status = run.config(), observe(run, time.time())
        if longer:
            config = replace(config, max_steps=max_steps, max_epochs=max_epochs)
    except (RunError, ConfigError) as error:
        return StartFailed(str(error))
    if not longer and status is not None and status.state == "finished":
        return StartFailed(f"The run {run.name} has finished; give it more steps or epochs to go on.")
    if run.last_checkpoint.is_file():
        config = replace(config, checkpoint=str(run.last_checkpoint.absolute()), start="resume")
    return _launch(run, config, settings, True, trainer_module, first_word_s)


def refusal(config: TrainingConfig, runs_dir: Path) -> str | None:
    """Why this configuration can't be trained on this machine now, as a sentence; None when it can."""
    try:
        dataset = read_dataset(Path(config.dataset), config.metadata)
        check_language(config.language)
    except (DatasetError, TextError) as error:
        return str(error)
    sizes = [utterance.path.stat().st_size for utterance in dataset.utterances if utterance.path.is_file()]
    if len(sizes) < 2:
        found = "none" if not sizes else "one"
        return (
            f"Of the {len(dataset.utterances)} clips that {dataset.metadata_path} lists, {found} has its audio file;"
            " look at the findings on Setup."
        )
    if (too_long := _nearly_all_too_long(dataset)) is not None:
        return too_long
    cards = gpu.devices()
    if isinstance(cards, list) and 0 < len(cards) < config.devices and config.num_nodes == 1:
        return f"The run asks for {config.devices} cards, and this machine has {len(cards)}."
    if config.checkpoint is not None and not Path(config.checkpoint).is_file():
        return f"There is no checkpoint {config.checkpoint}; check the path."
    return disk.refusal(runs_dir, disk.required_bytes(config, audio_bytes=sum(sizes)))


def _nearly_all_too_long(dataset: Dataset) -> str | None:
    """A sentence where fewer than two clips are short enough to be trained on; by their headers, up to the second."""
    limit_s = FeatureSettings.longest_s
    short = (
        utterance
        for utterance in dataset.usable
        if isinstance(header := read_header(utterance.path, utterance.offset_s, utterance.length_s), Unreadable)
        or header.duration_s <= limit_s
    )
    if len(list(islice(short, 2))) == 2:
        return None
    return (
        f"Of the {len(dataset.usable)} clips fewer than two are at most {limit_s:g} s long, the longest that are"
        " trained on; cut them into sentences."
    )


def settings_environment(settings: Settings) -> dict[str, str]:
    """`settings` as environment variables with absolute paths, for a process that works in another folder.

    The token is left out: a trainer serves nobody.
    """
    environment = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.name == "studio_token":
            continue
        if isinstance(value, tuple):
            text = os.pathsep.join(str(path.absolute()) for path in value)
        else:
            text = str(value.absolute() if isinstance(value, Path) else value)
        environment[field.name.upper()] = text
    return environment


def _launch(
    run: Run, config: TrainingConfig, settings: Settings, existing: bool, trainer_module: str, first_word_s: float
) -> Outcome:
    reason = refusal(config, run.folder.parent)
    if reason is not None:
        return StartFailed(reason)
    with ExitStack() as held:
        try:
            run.folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(file_lock(run.lock_path, wait=False))
        except BlockingIOError:  # another launch of this name is between here and its trainer's first word
            return AlreadyRunning(run)
        except OSError as error:
            return StartFailed(f"{run.folder} can't be written: {error.strerror}.")
        try:
            return _launch_alone(run, config, settings, existing, trainer_module, first_word_s)
        except RunError as error:
            return StartFailed(str(error))
        except OSError as error:
            return StartFailed(f"The trainer could not be started: {error.strerror or error}.")


def _launch_alone(
    run: Run, config: TrainingConfig, settings: Settings, existing: bool, trainer_module: str, first_word_s: float
) -> Outcome:
    observed = observe(run, time.time())
    if observed is not None and observed.is_alive_state:
        return AlreadyRunning(run)
    if not existing and _has_begun(run):
        return StartFailed(f"There is a run {run.name} already; resume it, or give this one another name.")
    write_json(run.config_path, config.to_dict())
    reset_control(run)
    if config.num_nodes > 1:
        return ReadyToStart(run, config.devices, config.num_nodes)
    log_start = run.log_path.stat().st_size if run.log_path.is_file() else 0
    launched_at = time.time()
    process = spawn_detached(
        [sys.executable, "-m", trainer_module, str(run.folder)],
        folder=PROJECT_ROOT,
        environment=ALLOCATOR
        | os.environ
        | settings_environment(settings)
        | {"PYTHONPATH": _python_path(), "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"},
        log=run.log_path,
    )
    started = process_start_time(process.pid) or launched_at  # gone already: the wait below says so
    launched = Launch(process.pid, started, launched_at)
    write_json(run.launch_path, asdict(launched))
    return _wait_for_first_word(run, launched, process, log_start, first_word_s)


def _wait_for_first_word(
    run: Run, launched: Launch, process: subprocess.Popen[bytes], log_start: int, first_word_s: float
) -> Outcome:
    deadline = time.monotonic() + first_word_s
    while True:
        exit_status = process.poll()  # before the status: what it wrote before its end is then seen
        status = read_status(run)
        if status is not None and is_written_by(status, launched):
            if status.state == "failed":
                return StartFailed(status.error or status.message or _last_words(run, exit_status, log_start))
            return Started(run, launched.pid)
        if exit_status is not None:
            return StartFailed(_last_words(run, exit_status, log_start))
        if time.monotonic() > deadline:
            return Started(run, launched.pid)
        time.sleep(POLL_S)


def _last_words(run: Run, exit_status: int | None, log_start: int) -> str:
    line = last_line(run.log_path, log_start) or "It said nothing"
    return f"The trainer ended before it began (exit status {exit_status}). {line.rstrip('.')}. See {run.log_path}."


def _has_begun(run: Run) -> bool:
    """Whether there is something that another run of this name would spoil."""
    if run.metrics_path.is_file() and run.metrics_path.stat().st_size > 0:
        return True
    return any(run.checkpoints_dir.glob("*.ckpt"))


def _python_path() -> str:
    inherited = os.environ.get("PYTHONPATH", "")
    return f"{PROJECT_ROOT}{os.pathsep}{inherited}" if inherited else str(PROJECT_ROOT)
