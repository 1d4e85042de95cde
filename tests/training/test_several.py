"""Several processes train as one would: the same mathematics, one voice towards the world, and no one left hanging."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytorch_lightning as pl
import torch
import torch.distributed as dist
from torch import Tensor
from torch.utils.data import DataLoader

from piper_core.runs.control import request_pause, request_resume, request_stop
from piper_core.runs.run import Run
from piper_core.runs.status import observe, read_status
from piper_core.training.data import Batch
from piper_core.training.ranks import Place, started_by_others
from piper_core.training.together import AddedUp
from tests.training.test_memory import assert_same, clips, same_noise, tiny
from tests.training.test_trainer import Start, make_run, start, steps_in, wait_for  # noqa: F401

Make = Callable[..., Run]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def rows(batch: Batch, first: int, step: int) -> Batch:
    return Batch(*(values[first::step] for values in batch))


def two_steps(rank: int, world: int, port: int, folder: Path) -> None:
    """Two steps of Lightning's Trainer on this rank's part of two batches, without dropout and with the same noise.

    Rank 1 meets an injected shortage of memory with three clips at once.
    """
    os.environ |= {
        "RANK": str(rank), "WORLD_SIZE": str(world), "LOCAL_RANK": str(rank), "GROUP_RANK": "0",
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
    }  # fmt: skip
    torch.set_num_threads(1)
    module = tiny()
    if rank > 0:  # its own weights must not count
        torch.nn.init.ones_(module.model_d.state_dict()["discriminators.0.convs.0.bias"])
        really = module.gradients

        def short(part: Batch, *rest: Any) -> dict[str, Tensor]:
            if len(part.audio) > 2:
                raise torch.OutOfMemoryError("injected")
            return really(part, *rest)

        module.gradients = short  # type: ignore[method-assign]
    for part in module.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    torch.nn.functional.dropout = lambda values, *_, **__: values  # type: ignore[assignment]
    with pytest.MonkeyPatch.context() as patch:
        same_noise.__wrapped__(patch)  # type: ignore[attr-defined]
        first: dict[str, Tensor] = {}
        update = module.update

        def keep(*given: Any) -> None:
            if not first:
                first.update({name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None})
            update(*given)

        module.update = keep  # type: ignore[method-assign]
        batches = [rows(clips(6), rank, world), rows(clips(5, 1.1), rank, world)]
        trainer = pl.Trainer(
            accelerator="cpu", devices=world, strategy=AddedUp() if world > 1 else "auto", max_epochs=1,
            use_distributed_sampler=False, logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(module, DataLoader(batches, batch_size=None))
    kept = {"first": first, "weights": module.state_dict(), "losses": module.latest}
    torch.save(kept | {"shortages": module.micro_batches.shortages}, folder / f"{world}-{rank}.pt")
    if world > 1:
        dist.destroy_process_group()


def test_two_processes_learn_what_one_learns_from_both_batches(tmp_path: Path) -> None:
    """3 + 3 and 3 + 2 clips against 6 and 5: gradients, losses and weights, also where one process lacks memory."""
    torch.multiprocessing.spawn(two_steps, (1, 0, tmp_path), nprocs=1)
    torch.multiprocessing.spawn(two_steps, (2, free_port(), tmp_path), nprocs=2)
    one, *two = (torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("1-0", "2-0", "2-1"))
    assert [rank["shortages"] for rank in two] == [0, 1]
    for rank in two:
        assert_same(rank["first"], one["first"])
        # AdamW's first steps are as long as the learning rate, whichever way rounding turns a gradient next to nothing.
        assert_same(rank["weights"], one["weights"], tolerance=1e-4)
        for name, value in one["losses"].items():
            assert float(rank["losses"][name]) == pytest.approx(float(value), rel=2e-5), name
    assert all(torch.equal(two[0]["weights"][name], two[1]["weights"][name]) for name in two[0]["weights"])


def children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def all_gone(processes: list[psutil.Process], within_s: float) -> bool:
    return not psutil.wait_procs(processes, timeout=within_s)[1]


def test_two_processes_pause_go_on_and_stop_as_one_run(make_run: Make, start: Start) -> None:  # noqa: F811
    run = make_run(devices=2)
    process = start(run)
    wait_for(run, process, lambda status: status.progress.step >= 5 and status.checkpoint is not None)
    others = children(process)
    assert len(others) == 1
    request_pause(run)
    paused = wait_for(run, process, lambda status: status.state == "paused")
    request_resume(run)
    told = wait_for(run, process, lambda status: status.progress.step >= paused.progress.step + 3)
    assert told.losses["val_mel"] > 0
    request_stop(run)
    assert process.wait(60) == 0, run.log_path.read_text()
    status = read_status(run)
    assert status is not None
    assert (status.state, status.pid) == ("stopped", process.pid)
    steps = steps_in(run)
    assert steps == list(range(1, status.progress.step + 1))  # one voice: each step is told once
    assert all_gone(others, 60)


def test_a_killed_process_ends_the_run_as_failed(make_run: Make, start: Start) -> None:  # noqa: F811
    run = make_run(devices=2)
    process = start(run)
    wait_for(run, process, lambda status: status.progress.step >= 2)
    children(process)[0].kill()
    assert process.wait(60) == 1
    status = read_status(run)
    assert status is not None
    assert status.state == "failed"
    assert status.error == "Process 1 of the 2 that train together ended (killed by signal 9)."


def test_the_others_do_not_outlive_the_first(make_run: Make, start: Start) -> None:  # noqa: F811
    run = make_run(devices=2)
    process = start(run)
    wait_for(run, process, lambda status: status.progress.step >= 2)
    others = children(process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert all_gone(others, 60)
    seen = observe(run, time.time())
    assert seen is not None
    assert seen.state == "crashed"


@pytest.fixture
def workspace(tmp_path: Path) -> dict[str, str]:
    return os.environ | {
        "WORKSPACE_DIR": str(tmp_path / "workspace"), "TENSORBOARD_LOG_DIR": str(tmp_path / "tensorboard"),
        "OMP_NUM_THREADS": "1",
    }  # fmt: skip


def assert_finished(run: Run, steps: int) -> None:
    status = read_status(run)
    assert status is not None
    assert (status.state, status.progress.step) == ("finished", steps), status
    assert steps_in(run) == list(range(1, steps + 1))
    assert run.last_checkpoint.is_file()


def test_torchrun_starts_a_run(make_run: Make, workspace: dict[str, str], project_root: Path) -> None:  # noqa: F811
    run = make_run(devices=2, max_steps=2)
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(free_port()),
         "-m", "piper_core.training.trainer", str(run.folder)],
        cwd=project_root, env=workspace, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert_finished(run, 2)


@pytest.fixture
def job_step(workspace: dict[str, str], project_root: Path) -> Iterator[Callable[[Run], list[subprocess.Popen[bytes]]]]:
    """Two processes with the variables that Slurm's srun gives them; Slurm itself is not there."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(run: Run) -> list[subprocess.Popen[bytes]]:
        shared = {
            "SLURM_JOB_ID": "4711", "SLURM_NTASKS": "2", "SLURM_STEP_NUM_TASKS": "2", "SLURM_NTASKS_PER_NODE": "2",
            "SLURM_NODELIST": "localhost", "SLURM_NODEID": "0", "SLURM_JOB_NAME": "voice",
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()),
        }  # fmt: skip
        for rank in ("0", "1"):
            who = {"SLURM_PROCID": rank, "SLURM_LOCALID": rank}
            command = [sys.executable, "-m", "piper_core.training.trainer", str(run.folder)]
            started.append(subprocess.Popen(command, cwd=project_root, env=workspace | shared | who))
        return started

    yield begin
    for process in started:
        process.kill()
        process.wait()


def test_a_job_step_of_slurm_trains_together(
    make_run: Make,  # noqa: F811
    job_step: Callable[[Run], list[subprocess.Popen[bytes]]],
) -> None:
    run = make_run(devices=2, max_steps=2)
    assert [process.wait(180) for process in job_step(run)] == [0, 0]
    assert_finished(run, 2)


def test_those_who_wait_are_sent_home_when_nothing_can_be_trained(
    make_run: Make,  # noqa: F811
    job_step: Callable[[Run], list[subprocess.Popen[bytes]]],
    tmp_path: Path,
) -> None:
    run = make_run(devices=2, dataset=str(tmp_path / "gone"))
    first, second = job_step(run)
    assert first.wait(120) == 1
    assert second.wait(60) == 0
    status = read_status(run)
    assert status is not None
    assert "no folder" in str(status.error)


def test_several_machines_have_to_be_started_by_somebody(make_run: Make, start: Start) -> None:  # noqa: F811
    run = make_run(num_nodes=2)
    assert start(run).wait(60) == 1
    status = read_status(run)
    assert status is not None
    assert "start it on each of them by torchrun or srun" in str(status.error)


def test_who_is_who() -> None:
    assert started_by_others({}) is None
    assert started_by_others({"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}) is None  # a batch script by itself
    torchrun = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}
    assert started_by_others(torchrun) == Place(5, 8, 1, 4)
    slurm = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "3", "SLURM_LOCALID": "1", "SLURM_NTASKS_PER_NODE": "2"}
    assert started_by_others(slurm) == Place(3, 4, 1, 2)
