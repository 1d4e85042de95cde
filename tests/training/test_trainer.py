"""The trainer as people meet it: a process that tells, obeys, saves, outlives a kill, and says what went wrong."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from piper_core.runs.control import request_memory_release, request_pause, request_resume, request_stop
from piper_core.runs.run import Run, write_json
from piper_core.runs.status import TrainingStatus, observe, read_status
from piper_core.training.config import TrainingConfig

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(tmp_path: Path, project_root: Path) -> Iterator[Start]:
    """Starts trainers as the launcher does, and ends those that the test leaves."""
    started: list[subprocess.Popen[bytes]] = []
    environment = os.environ | {
        "WORKSPACE_DIR": str(tmp_path / "workspace"),
        "TENSORBOARD_LOG_DIR": str(tmp_path / "tensorboard"),
        "OMP_NUM_THREADS": "1",
    }

    def launch(
        run: Run, largest_file_bytes: int | None = None, program: Sequence[str] = ("-m", "piper_core.training.trainer")
    ) -> subprocess.Popen[bytes]:
        def limit() -> None:
            if largest_file_bytes is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file_bytes, largest_file_bytes))

        with run.log_path.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *program, str(run.folder)],
                cwd=project_root, env=environment, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=limit,
            )  # fmt: skip
        started.append(process)
        return process

    yield launch
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def make_run(tmp_path: Path, demo_dataset: Path) -> Callable[..., Run]:
    def make(**changes: object) -> Run:
        given: dict[str, object] = {
            "name": "voice", "dataset": str(demo_dataset), "preset": "tiny", "batch_size": 2, "num_workers": 0,
            "max_steps": 100_000, "checkpoint_every_steps": 4, "sample_every_steps": 100_000, "precision": "32",
        }  # fmt: skip
        config = TrainingConfig(**(given | changes))  # type: ignore[arg-type]
        run = Run(tmp_path / "runs" / config.name)
        run.folder.mkdir(parents=True, exist_ok=True)
        write_json(run.config_path, config.to_dict())
        return run

    return make


def wait_for(
    run: Run, process: subprocess.Popen[bytes], what: Callable[[TrainingStatus], bool], seconds: float = 120
) -> TrainingStatus:
    """The first status that `process` writes of which `what` is true."""
    deadline = time.monotonic() + seconds
    status = None
    while time.monotonic() < deadline:
        status = read_status(run)
        if status is not None and status.pid == process.pid and what(status):
            return status
        if process.poll() is not None:
            break
        time.sleep(0.05)
    log = run.log_path.read_text() if run.log_path.exists() else "no log"
    raise AssertionError(f"{status}\n{log}")


def saved_step(run: Run) -> int:
    return int(torch.load(run.last_checkpoint, weights_only=True)["piper_studio"]["step"])


def steps_in(run: Run) -> list[int]:
    lines = [json.loads(line) for line in run.metrics_path.read_text().splitlines()]
    return [line["step"] for line in lines if "loss_g" in line]


def test_pause_memory_kill_resume_and_stop(make_run: Callable[..., Run], start: Start) -> None:
    run = make_run()
    process = start(run)
    first = wait_for(run, process, lambda status: True)
    assert (first.state, first.pid) == ("preparing", process.pid)
    wait_for(run, process, lambda status: status.progress.step >= 5 and status.checkpoint is not None)

    # Pause: it stands still, without using the processor, and still answers.
    request_pause(run)
    paused = wait_for(run, process, lambda status: status.state == "paused")
    asked = request_memory_release(run)
    answered = wait_for(run, process, lambda status: status.memory.release_request == asked)
    assert answered.memory.released_bytes is not None
    assert answered.memory.released_bytes >= 0
    used_s = cpu_seconds(process.pid)  # releasing memory takes some
    time.sleep(1.0)
    assert cpu_seconds(process.pid) - used_s < 0.7
    assert read_status(run).progress.step == paused.progress.step  # type: ignore[union-attr]
    assert saved_step(run) == paused.progress.step
    request_resume(run)
    wait_for(
        run, process, lambda status: status.state == "training" and status.progress.step >= paused.progress.step + 4
    )

    # SIGKILL: nothing can be written; who looks sees it, and what was saved is whole.
    process.kill()
    process.wait()
    half_written = run.folder / f".{process.pid}.0123abcd.tmp"  # as when it is killed while it writes its status
    half_written.write_text("{")
    crashed = observe(run, time.time())
    assert crashed is not None
    assert crashed.state == "crashed"
    saved = saved_step(run)
    assert saved > paused.progress.step - 1

    # Resume: the count goes on from the checkpoint, in the same files, with the optimizers' state.
    write_json(run.config_path, replace(run.config(), checkpoint=str(run.last_checkpoint), start="resume").to_dict())
    before = len(steps_in(run))
    process = start(run)
    again = wait_for(run, process, lambda status: True)
    assert again.checkpoint is not None  # what is known from before stands until there is news
    wait_for(run, process, lambda status: status.state == "training" and status.progress.step > saved + 1)
    assert steps_in(run)[before:][:2] == [saved + 1, saved + 2]

    # Stop: the step at hand is saved first.
    request_stop(run)
    assert process.wait(60) == 0
    stopped = read_status(run)
    assert stopped is not None
    assert (stopped.state, stopped.error) == ("stopped", None)
    assert stopped.progress.step == saved_step(run) == steps_in(run)[-1]
    state = torch.load(run.last_checkpoint, weights_only=True)["optimizer_states"][0]["state"]
    assert {int(entry["step"]) for entry in state.values()} == {stopped.progress.step}
    assert not list(run.folder.rglob("*.tmp"))
    assert not (run.folder / "lightning_logs").exists()


def test_a_whole_run(make_run: Callable[..., Run], start: Start, tmp_path: Path) -> None:
    """To its end: status, metrics, samples with their texts, the best checkpoints, event files; then SIGTERM saves."""
    run = make_run(max_epochs=2, max_steps=None, num_workers=1, batch_size=4, sample_texts=("Good morning.",))
    assert start(run).wait(120) == 0, run.log_path.read_text()
    status = read_status(run)
    assert status is not None
    # 12 clips, one held out: 11 in batches of 4 are 3 steps an epoch.
    assert (status.state, status.progress.step, status.progress.total_steps) == ("finished", 6, 6)
    assert status.progress.progress_percent == 100
    assert {"loss_g", "loss_d", "mel", "kl", "dur", "fm", "gen", "disc", "val_mel"} <= status.losses.keys()
    assert steps_in(run) == [1, 2, 3, 4, 5, 6]
    assert saved_step(run) == 6
    names = sorted(path.name for path in run.checkpoints_dir.iterdir())
    assert names[0] == "last.ckpt"
    assert names[1].startswith("step=000004-val_mel=")
    sample = run.samples_dir / "step=000006-1.wav"
    with wave.open(str(sample)) as file:
        audio = np.frombuffer(file.readframes(10**6), np.int16)
        assert file.getframerate() == 16000
    assert np.abs(audio).max() > 0
    assert json.loads(sample.with_suffix(".json").read_text())["text"] == "Good morning."
    assert list((tmp_path / "tensorboard" / "voice").glob("events*"))

    longer = replace(run.config(), max_epochs=1000, start="resume", checkpoint=str(run.last_checkpoint))
    write_json(run.config_path, longer.to_dict())
    process = start(run)
    wait_for(run, process, lambda status: status.state == "training" and status.progress.step > 7)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    stopped = read_status(run)
    assert stopped is not None
    assert stopped.state == "stopped"
    assert saved_step(run) == stopped.progress.step > 7
    assert stopped.progress.epoch == (stopped.progress.step - 1) // 3


def test_warmstart_begins_at_step_0_with_the_weights(make_run: Callable[..., Run], start: Start) -> None:
    run = make_run(max_steps=2)
    assert start(run).wait(120) == 0
    source = torch.load(run.last_checkpoint, weights_only=True)["state_dict"]
    child = make_run(name="child", max_steps=1, checkpoint=str(run.last_checkpoint), start="warmstart")
    assert start(child).wait(120) == 0, child.log_path.read_text()
    assert saved_step(child) == 1
    ours = torch.load(child.last_checkpoint, weights_only=True)["state_dict"]
    # One step of AdamW moves a weight by the learning rate at most (and its decay).
    name = "model_g.enc_q.pre.weight"
    assert 0 < (ours[name] - source[name]).abs().max() < 1e-3


def test_a_disk_that_is_full_from_the_start_is_said(make_run: Callable[..., Run], start: Start) -> None:
    """Weights that could not be saved are lost: that is no success, and the log is not all that says so."""
    run = make_run(max_steps=2, checkpoint_every_steps=1)
    assert start(run, largest_file_bytes=2_000_000).wait(120) == 1
    status = read_status(run)
    assert status is not None
    assert status.state == "failed"
    assert status.checkpoint is None
    assert "that step is lost" in str(status.error)
    assert "disk is full" in str(status.error)
    assert steps_in(run) == [1, 2]  # a failed save did not end the training
    assert list(run.checkpoints_dir.iterdir()) == []


@pytest.mark.parametrize(
    ("breakage", "sentence"),
    [("no dataset", "no folder"), ("no audio", "Of 3 clips 0 can be trained on"), ("no config", "config.json")],
)
def test_what_went_wrong_is_one_sentence(
    make_run: Callable[..., Run], start: Start, tmp_path: Path, breakage: str, sentence: str
) -> None:
    dataset = tmp_path / "bad"
    run = make_run(dataset=str(dataset))
    if breakage == "no audio":
        (dataset / "wavs").mkdir(parents=True)
        (dataset / "metadata.csv").write_text("a|One.\nb|Two.\nc|Three.\n")
    if breakage == "no config":
        run.config_path.write_text("{}")
    assert start(run).wait(60) == 1
    status = read_status(run)
    assert status is not None
    assert status.state == "failed"
    assert status.error is not None
    assert sentence in status.error
    assert "Traceback" not in json.dumps(status.to_dict())
    assert run.log_path.read_text().strip().splitlines()[-1] == status.error


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
