"""status.json: exactly as INTERFACES says, and reconciled with the process."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from piper_core.runs.process import process_alive, process_start_time, spawn_detached
from piper_core.runs.run import Run, RunError, write_json
from piper_core.runs.status import (
    ALIVE_STATES,
    STATES,
    CheckpointRef,
    Launch,
    Memory,
    Progress,
    State,
    TrainingStatus,
    observe,
    read_status,
    reconcile,
    write_status,
)

STATUS = TrainingStatus(
    state="training", message="Going well.", pid=123, process_start_time=1000.5, started_at=1001.0, updated_at=2000.0,
    progress=Progress(5, 1250, 10000, 12.5, 45.2, 43.0, 48.0, 2.8, 22.4), losses={"mel": 0.5},
    memory=Memory("cuda:0", 1, 2, 3, 4), checkpoint=CheckpointRef("checkpoints/last.ckpt", 1200),
)  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_the_file_has_the_documented_names(run: Run) -> None:
    write_status(run, STATUS)
    written = json.loads(run.status_path.read_text())
    assert list(written) == [
        "schema_version", "state", "message", "pid", "process_start_time", "started_at", "updated_at",
        "progress", "losses", "memory", "checkpoint", "error",
    ]  # fmt: skip
    assert written["schema_version"] == 1
    progress = (
        "epoch step total_steps progress_percent eta_minutes eta_low_minutes eta_high_minutes steps_per_second"
        " samples_per_second"
    )
    assert list(written["progress"])[:9] == progress.split()
    assert list(written["memory"])[:5] == ["device", "allocated_bytes", "reserved_bytes", "total_bytes", "rss_bytes"]
    assert written["checkpoint"] == {"path": "checkpoints/last.ckpt", "step": 1200}
    assert written["error"] is None
    assert read_status(run) == STATUS


def test_numbers_that_are_not_finite_never_reach_the_file(run: Run) -> None:
    """A diverged loss must not keep the trainer from saying so."""
    bad = replace(STATUS, losses={"mel": math.nan, "kl": 1.0}, progress=Progress(steps_per_second=math.inf))
    write_status(run, bad)
    status = read_status(run)
    assert status is not None
    assert status.losses == {"kl": 1.0}
    assert status.progress.steps_per_second is None


def test_names_of_a_later_version_are_left_out_and_missing_ones_default(run: Run) -> None:
    write_json(
        run.status_path, {"state": "paused", "mood": "fine", "progress": {"step": 3, "depth": 9}, "memory": None}
    )
    status = read_status(run)
    assert status == TrainingStatus(state="paused", progress=Progress(step=3))


@pytest.mark.parametrize(
    "values",
    [{}, {"state": "sleeping"}, {"state": "paused", "progress": 5}, {"state": "paused", "checkpoint": {"path": "x"}}],
)
def test_a_status_that_cannot_be_understood_is_a_sentence(run: Run, values: dict[str, object]) -> None:
    write_json(run.status_path, values)
    with pytest.raises(RunError, match="status"):
        read_status(run)


# Reconciliation: pure


@pytest.mark.parametrize("state", STATES)
def test_a_live_state_without_its_process_is_a_crash(state: State) -> None:
    found = reconcile(replace(STATUS, state=state), False, 2060.0)
    assert found is not None
    if state in ALIVE_STATES:
        assert found.state == "crashed"
        assert "123 is gone" in found.message
        assert "60 s ago" in found.message
        assert "step 1200" in found.message
        assert found.progress == STATUS.progress
    else:
        assert found == replace(STATUS, state=state)


def test_a_live_process_keeps_its_state_and_silence_is_told() -> None:
    assert reconcile(STATUS, True, 2010.0) == STATUS
    silent = reconcile(STATUS, True, 2000.0 + 600)
    assert silent is not None
    assert silent.state == "training"
    assert "No word from the trainer for 10 min" in silent.message
    paused = replace(STATUS, state="paused")
    assert reconcile(paused, True, 90_000.0) == paused


def test_a_run_that_was_never_started_has_no_status() -> None:
    assert reconcile(None, False, 5.0) is None


def test_between_launch_and_first_word_the_run_prepares_or_has_crashed() -> None:
    launch = Launch(pid=7, process_start_time=3000.0, launched_at=2999.0)
    for before in (None, replace(STATUS, state="stopped"), STATUS):
        starting = reconcile(before, False, 3004.0, launch=launch, launch_alive=True)
        assert starting is not None
        assert (starting.state, starting.pid) == ("preparing", 7)
        gone = reconcile(before, False, 3004.0, launch=launch, launch_alive=False)
        assert gone is not None
        assert gone.state == "crashed"
        assert "before it began" in gone.message


def test_what_the_launched_process_wrote_counts_even_when_an_earlier_one_had_its_pid() -> None:
    """In a container that restarts, pids come again."""
    launch = Launch(pid=123, process_start_time=3000.0, launched_at=2999.0)
    starting = reconcile(STATUS, False, 3001.0, launch=launch, launch_alive=True)
    assert starting is not None
    assert starting.state == "preparing"
    spoken = replace(STATUS, process_start_time=3000.3, updated_at=3002.0)
    assert reconcile(spoken, True, 3003.0, launch=launch, launch_alive=True) == spoken


def test_a_later_run_in_the_foreground_counts_more_than_an_old_launch() -> None:
    launch = Launch(pid=7, process_start_time=100.0, launched_at=99.0)
    assert reconcile(STATUS, True, 2001.0, launch=launch, launch_alive=False) == STATUS


# Observation: real processes


def test_observe_sees_a_killed_process_at_once(run: Run) -> None:
    run.log_path.write_text("step 5\nKilled by the test\n")
    process = spawn_detached(
        [sys.executable, "-c", "import time; time.sleep(600)"], folder=run.folder, environment=os.environ,
        log=run.folder / "other.log",
    )  # fmt: skip
    start = process_start_time(process.pid)
    assert start is not None
    write_status(run, replace(STATUS, pid=process.pid, process_start_time=start, updated_at=time.time()))
    found = observe(run, time.time())
    assert found is not None
    assert found.state == "training"
    process.kill()
    deadline = time.monotonic() + 60
    while found.state == "training" and time.monotonic() < deadline:
        found = observe(run, time.time())
        assert found is not None
    assert found.state == "crashed"
    assert found.error == "Killed by the test"
    assert json.loads(run.status_path.read_text())["state"] == "training"  # never written by who reads


def test_observe_before_anything_was_written(run: Run) -> None:
    assert observe(run, time.time()) is None
    write_json(run.launch_path, asdict(Launch(os.getpid(), process_start_time(os.getpid()) or 0, time.time())))
    found = observe(run, time.time())
    assert found is not None
    assert found.state == "preparing"


def test_a_zombie_and_a_reused_pid_are_not_alive() -> None:
    own_start = process_start_time(os.getpid())
    assert own_start is not None
    assert process_alive(os.getpid(), own_start)
    assert not process_alive(os.getpid(), own_start - 60)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start = process_start_time(child.pid)
    assert start is not None
    assert process_alive(child.pid, start)
    child.kill()
    deadline = time.monotonic() + 60
    while process_alive(child.pid, start) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert Path(f"/proc/{child.pid}").exists()  # nobody has waited for it
    assert not process_alive(child.pid, start)
    child.communicate()
    assert process_start_time(0) is None
    assert process_start_time(-1) is None
