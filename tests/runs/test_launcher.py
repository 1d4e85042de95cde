"""Trainers of their own: started, refused, outliving their server, resumed; with a stand-in for the trainer."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from piper_core.runs.control import read_control, request_memory_release, request_pause, request_stop
from piper_core.runs.launcher import (
    AlreadyRunning,
    Outcome,
    Started,
    StartFailed,
    launch,
    resume,
    settings_environment,
)
from piper_core.runs.memory import release_memory
from piper_core.runs.run import Run, list_runs, open_run
from piper_core.runs.status import TrainingStatus, observe, read_status, write_status
from piper_core.settings import Settings
from piper_core.system import disk
from piper_core.training.config import TrainingConfig

STAND_IN = "tests.runs.stand_in_trainer"
ROOT = Path(__file__).resolve().parents[2]


def config_for(clips: Path, name: str = "works", **changes: object) -> TrainingConfig:
    return TrainingConfig(name=name, dataset=str(clips), preset="tiny", max_steps=500, **changes)  # type: ignore[arg-type]


def start(config: TrainingConfig, settings: Settings, **options: object) -> Outcome:
    options = {"trainer_module": STAND_IN, "first_word_s": 30.0} | options
    return launch(config, settings.runs_dir, settings=settings, **options)  # type: ignore[arg-type]


def wait_until(run: Run, wanted: Callable[[TrainingStatus], bool], within_s: float = 60.0) -> TrainingStatus:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        status = observe(run, time.time())
        if status is not None and wanted(status):
            return status
        time.sleep(0.02)
    raise AssertionError(f"still {status}")


# Starting


def test_a_run_starts_and_tells_and_stops_when_asked(clips: Path, settings: Settings) -> None:
    outcome = start(config_for(clips), settings)
    assert isinstance(outcome, Started), outcome.sentence
    run = outcome.run
    status = wait_until(run, lambda status: status.progress.step > 2)
    assert (status.state, status.pid) == ("training", outcome.pid)
    assert status.message == str(settings.workspace_dir)  # settings go along by environment
    assert run.config() == config_for(clips)
    assert f"in {ROOT}" in run.log_path.read_text()
    assert os.getsid(outcome.pid) == outcome.pid != os.getsid(0)
    request_pause(run)
    wait_until(run, lambda status: status.state == "paused")
    request_stop(run)
    wait_until(run, lambda status: status.state == "stopped")
    assert [found.name for found in list_runs(settings.runs_dir)] == ["works"]


def test_memory_is_released_by_the_live_trainers_alone(clips: Path, settings: Settings) -> None:
    started = start(config_for(clips), settings)
    assert isinstance(started, Started)
    ended = Run(settings.runs_dir / "ended")
    ended.folder.mkdir()
    request_memory_release(started.run)
    assert release_memory([started.run, ended], timeout_s=10.0) == {"works": 2000}


def test_settings_travel_by_environment(tmp_path: Path) -> None:
    settings = Settings(
        enable_audio_validation=False, max_cache_size_gb=2.5, workspace_dir=Path("here"), studio_token="secret",
        data_roots=(Path("/a"), Path("/b")),
    )  # fmt: skip
    environment = settings_environment(settings)
    assert "secret" not in environment.values()
    there = Settings.load(environment, file=tmp_path / "none")
    assert there == replace(
        settings,
        workspace_dir=Path.cwd() / "here",
        tensorboard_log_dir=Path.cwd() / "logs/tensorboard",
        studio_token="",
    )


# Refusing


def test_a_live_run_is_not_started_twice(clips: Path, settings: Settings) -> None:
    first = start(config_for(clips), settings)
    assert isinstance(first, Started)
    assert start(config_for(clips), settings) == AlreadyRunning(first.run)
    assert start(config_for(clips), settings, resume_existing=True) == AlreadyRunning(first.run)
    assert resume(first.run, settings=settings, trainer_module=STAND_IN) == AlreadyRunning(first.run)


def test_of_launches_at_the_same_time_one_wins(clips: Path, settings: Settings) -> None:
    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(lambda _: start(config_for(clips), settings), range(6)))
    assert sum(isinstance(outcome, Started) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, AlreadyRunning) for outcome in outcomes) == 5
    trainers = [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if str(settings.runs_dir) in " ".join(process.info["cmdline"] or []) and STAND_IN in process.info["cmdline"]
    ]
    assert len(trainers) == 1


LAUNCHING = """
import sys
from pathlib import Path
from piper_core.runs.launcher import launch
from piper_core.settings import Settings
from piper_core.training.config import TrainingConfig
config = TrainingConfig(name="works", dataset=sys.argv[1], preset="tiny", max_steps=500)
settings = Settings(workspace_dir=Path(sys.argv[2]))
print(type(launch(config, settings.runs_dir, settings=settings, trainer_module=sys.argv[3])).__name__, flush=True)
sys.stdin.read()
"""


def launching_process(clips: Path, settings: Settings) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", LAUNCHING, str(clips), str(settings.workspace_dir), STAND_IN], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def test_of_processes_that_launch_at_the_same_time_one_wins(clips: Path, settings: Settings) -> None:
    processes = [launching_process(clips, settings) for _ in range(2)]
    said = sorted(process.communicate("", timeout=60)[0].strip() for process in processes)
    assert said == ["AlreadyRunning", "Started"]


def test_a_name_is_taken_once_its_run_has_begun(clips: Path, settings: Settings) -> None:
    first = start(config_for(clips), settings)
    assert isinstance(first, Started)
    wait_until(first.run, lambda status: status.progress.step > 1)
    request_stop(first.run)
    wait_until(first.run, lambda status: status.state == "stopped")
    again = start(config_for(clips, seed=5), settings)
    assert isinstance(again, StartFailed)
    assert "There is a run works already" in again.sentence
    assert first.run.config().seed == 1234


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda clips: (clips / "metadata.csv").unlink(), r"no metadata\.csv"),
        (lambda clips: (clips / "metadata.csv").write_text("no columns\n"), "one column"),
        (
            lambda clips: [path.unlink() for path in clips.glob("wavs/*.wav")],
            "Of the 3 clips .* none has its audio file",
        ),
    ],
)
def test_a_dataset_that_cannot_be_used_is_refused_before_a_folder_is_made(
    clips: Path, settings: Settings, spoil: Callable[[Path], object], says: str
) -> None:
    spoil(clips)
    outcome = start(config_for(clips), settings)
    assert isinstance(outcome, StartFailed)
    assert outcome.reason == outcome.sentence
    assert re.search(says, outcome.reason), outcome.reason
    assert not settings.runs_dir.exists()


def test_an_unknown_language_or_checkpoint_is_refused(clips: Path, settings: Settings, tmp_path: Path) -> None:
    tongue = start(config_for(clips, language="klingonese"), settings)
    assert isinstance(tongue, StartFailed)
    assert "no language 'klingonese'" in tongue.reason
    lost = start(config_for(clips, checkpoint=str(tmp_path / "lost.ckpt"), start="warmstart"), settings)
    assert isinstance(lost, StartFailed)
    assert "There is no checkpoint" in lost.reason


def test_a_disk_that_is_too_small_is_refused(clips: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda _: 10**8)
    outcome = start(config_for(clips), settings)
    assert isinstance(outcome, StartFailed)
    assert "0.1 GB are free" in outcome.reason
    assert not settings.runs_dir.exists()


def test_a_workspace_that_cannot_be_written_is_refused(clips: Path, settings: Settings) -> None:
    settings.workspace_dir.write_text("a file where the folder should be")
    outcome = start(config_for(clips), settings)
    assert isinstance(outcome, StartFailed)
    assert "can't be written" in outcome.reason


# Ending early


def test_a_trainer_that_dies_at_once_is_told_with_its_last_words(clips: Path, settings: Settings) -> None:
    outcome = start(config_for(clips, "dies"), settings)
    assert isinstance(outcome, StartFailed)
    assert "exit status 3" in outcome.reason
    assert "ValueError: the disk is made of cheese" in outcome.reason
    status = observe(Run(settings.runs_dir / "dies"), time.time())
    assert status is not None
    assert (status.state, status.error) == ("crashed", "ValueError: the disk is made of cheese")
    # Its name is free again: it never took a step.
    assert "cheese" in start(config_for(clips, "dies"), settings).sentence


def test_a_trainer_that_refuses_is_told_in_its_own_words(clips: Path, settings: Settings) -> None:
    assert start(config_for(clips, "refuses"), settings) == StartFailed("No clip has a text.")


def test_a_module_that_is_not_there_is_told(clips: Path, settings: Settings) -> None:
    outcome = start(config_for(clips), settings, trainer_module="piper_core.no_such_trainer")
    assert isinstance(outcome, StartFailed)
    assert "No module named piper_core.no_such_trainer" in outcome.reason


def test_a_slow_start_is_seen_as_preparing_and_not_started_twice(clips: Path, settings: Settings) -> None:
    outcome = start(config_for(clips, "silent"), settings, first_word_s=0.5)
    assert isinstance(outcome, Started)
    status = observe(outcome.run, time.time())
    assert status is not None
    assert (status.state, status.pid) == ("preparing", outcome.pid)
    assert start(config_for(clips, "silent"), settings) == AlreadyRunning(outcome.run)
    os.killpg(outcome.pid, signal.SIGKILL)
    assert "before it began" in wait_until(outcome.run, lambda status: status.state == "crashed").message


# Crash and resume


def test_a_killed_trainer_has_crashed_and_goes_on_from_its_last_checkpoint(clips: Path, settings: Settings) -> None:
    first = start(config_for(clips), settings)
    assert isinstance(first, Started)
    wait_until(first.run, lambda status: status.progress.step > 2)
    killed_at = time.monotonic()
    os.kill(first.pid, signal.SIGKILL)
    status = wait_until(first.run, lambda status: status.state == "crashed")
    assert status.progress.step > 2
    while psutil.pid_exists(first.pid) and time.monotonic() - killed_at < 60:
        time.sleep(0.01)
    assert not psutil.pid_exists(first.pid)  # no zombie is left either
    request_stop(first.run)  # a request from before must not end the new trainer
    second = resume(first.run, settings=settings, trainer_module=STAND_IN)
    assert isinstance(second, Started), second.sentence
    assert second.pid != first.pid
    config = first.run.config()
    assert (config.start, config.checkpoint) == ("resume", str(first.run.last_checkpoint))
    assert read_control(first.run).command == "run"
    assert wait_until(first.run, lambda status: status.progress.step > 1).pid == second.pid
    assert first.run.log_path.read_text().count("stand-in for works") == 2


def test_a_run_that_saved_nothing_begins_again(clips: Path, settings: Settings) -> None:
    run = Run(settings.runs_dir / "dies")
    start(config_for(clips, "dies"), settings)
    resume(run, settings=settings, trainer_module=STAND_IN)
    assert run.config().start == "scratch"


def test_resuming_what_is_no_run_or_has_finished(clips: Path, settings: Settings, tmp_path: Path) -> None:
    nothing = resume(Run(tmp_path), settings=settings, trainer_module=STAND_IN)
    assert isinstance(nothing, StartFailed)
    assert "no config.json" in nothing.reason
    started = start(config_for(clips), settings)
    assert isinstance(started, Started)
    run = started.run
    os.killpg(started.pid, signal.SIGKILL)
    wait_until(run, lambda status: status.state == "crashed")
    status = read_status(run)
    assert status is not None
    write_status(run, replace(status, state="finished"))
    refused = resume(run, settings=settings, trainer_module=STAND_IN)
    assert isinstance(refused, StartFailed)
    assert "has finished" in refused.reason
    none = resume(run, settings=settings, max_steps=-1, trainer_module=STAND_IN)
    assert none == StartFailed("max_steps is -1; it has to be 1 or more.")
    assert isinstance(resume(run, settings=settings, max_steps=900, trainer_module=STAND_IN), Started)
    assert open_run(run.folder).config().max_steps == 900


def test_the_trainer_outlives_the_server_that_started_it(clips: Path, settings: Settings) -> None:
    server = launching_process(clips, settings)
    assert server.stdout is not None
    assert server.stdout.readline().strip() == "Started"
    os.killpg(server.pid, signal.SIGKILL)  # with all of its process group
    server.communicate()
    run = Run(settings.runs_dir / "works")
    step = wait_until(run, lambda status: status.state == "training").progress.step
    wait_until(run, lambda status: status.state == "training" and status.progress.step > step + 3)
    request_stop(run)
    wait_until(run, lambda status: status.state == "stopped")
