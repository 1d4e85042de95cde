"""Who measures makes no difference: threads, or the processes of a dask cluster; and what stops them loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.scale import link_dataset
from piper_core.dataset.inspection import inspect
from piper_core.dataset.report import DatasetReport
from piper_core.dataset.workers import MOST_IN_A_BATCH, WorkersError, processes, threads
from tests.dataset.test_going_on import kept_clips


def test_every_result_comes_to_its_item() -> None:
    taken: dict[int, int] = {}
    told: list[int] = []
    with threads(3) as workers:
        workers.look(
            lambda batch: [item * item for item in batch],
            range(1000),
            lambda places, results: taken.update(zip(places, results, strict=True)),
            told.append,
            pytest.fail,
        )
    assert taken == {place: place * place for place in range(1000)}
    assert told == sorted(told)
    assert told[-1] == 1000
    assert len(told) >= 1000 / MOST_IN_A_BATCH


def test_none_and_few() -> None:
    with threads(2) as workers:
        workers.look(pytest.fail, [], pytest.fail, pytest.fail, pytest.fail)
        taken: list[str] = []
        workers.look(lambda batch: batch, ["a"], lambda _, results: taken.extend(results), lambda _: None, str)
    assert taken == ["a"]


def test_what_is_under_way_is_taken_when_it_stops() -> None:
    looked_at: set[int] = set()
    taken: set[int] = set()
    lock = threading.Lock()

    def look(batch: list[int]) -> list[int]:
        time.sleep(0.01)
        with lock:
            looked_at.update(batch)
        return batch

    def stop(done: int) -> None:
        if done > 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), threads(2) as workers:
        workers.look(look, range(10_000), lambda _, results: taken.update(results), stop, int)
    assert 50 < len(taken) < 1000, "it stopped soon"
    assert taken == looked_at


def test_a_bug_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError), threads(2) as workers:
        workers.look(lambda batch: [1 // item for item in batch], [1, 2, 0, 3], lambda *_: None, lambda _: None, int)


def dies_of_seven(batch: list[int]) -> list[int]:
    """What native code does to its process when it fails."""
    if 7 in batch:
        os.kill(os.getpid(), signal.SIGSEGV)
    return [item * item for item in batch]


def dies_of_anything(_: list[int]) -> list[int]:
    os.kill(os.getpid(), signal.SIGKILL)
    return []


def process_of(batch: list[int]) -> list[int]:
    return [os.getpid() for _ in batch]


def test_a_dying_process_costs_the_item_that_it_died_of() -> None:
    taken: dict[int, int] = {}
    told: list[int] = []
    with processes(2) as workers:
        workers.look(
            dies_of_seven,
            range(100),
            lambda places, results: taken.update(zip(places, results, strict=True)),
            told.append,
            lambda item: -item,
        )
    assert taken == {item: -7 if item == 7 else item * item for item in range(100)}
    assert told[-1] == 100


def test_processes_that_all_die_are_not_the_clips_fault() -> None:
    with pytest.raises(WorkersError, match="memory runs out"), processes(2) as workers:
        workers.look(dies_of_anything, range(3), pytest.fail, pytest.fail, int)


def test_processes_are_ours_and_stay_for_the_next() -> None:
    def ids() -> set[int]:
        found: set[int] = set()
        with processes(2) as workers:
            workers.look(process_of, range(64), lambda _, results: found.update(results), lambda _: None, int)
        return found

    first, second = ids(), ids()
    assert os.getpid() not in first
    assert first & second


def deaf_to_interrupts(batch: list[int]) -> list[tuple[bool, bool]]:
    from_birth = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    return [(from_birth, signal.getsignal(signal.SIGINT) is signal.SIG_IGN) for _ in batch]


def test_interrupts_are_not_for_the_processes() -> None:
    found: set[tuple[bool, bool]] = set()
    with processes(2) as workers:
        workers.look(
            deaf_to_interrupts, range(64), lambda _, results: found.update(results), lambda _: None, pytest.fail
        )
    assert found == {(True, True)}
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, []), "we are not"


def test_without_processes_threads_look(kathleen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "loky", None)
    found: list[int] = []
    with processes(99) as workers:
        workers.look(process_of, [1], lambda _, results: found.extend(results), lambda _: None, int)
    assert found == [os.getpid()]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_a_stopped_inspection(kathleen: Path, tmp_path: Path, sign: signal.Signals) -> None:
    """Ctrl-C in a terminal goes to all processes of the group; SIGKILL to one."""
    import psutil

    linked = link_dataset(kathleen, tmp_path / "linked", 5000)
    process = subprocess.Popen(
        [sys.executable, "-m", "piper_core", "inspect", str(linked)],
        env=os.environ | {"WORKSPACE_DIR": str(tmp_path)}, stderr=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip
    ours = psutil.Process(process.pid)
    children: list[psutil.Process] = []
    while process.poll() is None and not kept_clips(tmp_path / "cache/inspection"):
        children = ours.children(recursive=True)
        time.sleep(0.02)
    if sign == signal.SIGINT:
        os.killpg(process.pid, sign)
    else:
        process.kill()
    _, said = process.communicate(timeout=60)
    assert "Traceback" not in said
    assert children
    assert psutil.wait_procs(children, timeout=60)[1] == []


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Address of a scheduler with two workers, each a process of its own."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, protocol="tcp"
    ) as local:
        yield local.scheduler_address


def same(one: DatasetReport, other: DatasetReport) -> bool:
    return one.to_dict() == other.to_dict()


@pytest.mark.slow
def test_a_cluster_gives_the_same_report(cluster: str, demo_dataset: Path, awkward: Path, tmp_path: Path) -> None:
    assert same(inspect(demo_dataset, dask=cluster), inspect(demo_dataset, jobs=1))
    (tmp_path / "wavs").mkdir()
    files = sorted(path for path in awkward.rglob("*") if path.is_file() and path.name != "manifest.csv")
    for path in files:
        (tmp_path / "wavs" / path.name).symlink_to(path)
    (tmp_path / "metadata.csv").write_text("".join(f"{path.name}|A plain sentence.\n" for path in files))
    assert same(inspect(tmp_path, dask=cluster), inspect(tmp_path))


@pytest.mark.slow
def test_a_lost_worker_is_made_up_for(kathleen: Path) -> None:
    distributed = pytest.importorskip("distributed")
    import psutil

    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, protocol="tcp"
    ) as local:
        killed: list[int] = []

        def kill(progress: object) -> None:
            if getattr(progress, "stage", "") == "signal" and not killed:
                killed.append(next(iter(local.workers.values())).pid)
                psutil.Process(killed[0]).kill()

        report = inspect(kathleen, dask=local.scheduler_address, on_progress=kill)
    assert killed
    assert same(report, inspect(kathleen))


@pytest.mark.slow
def test_workers_that_see_no_dataset(cluster: str, demo_dataset: Path, tmp_path: Path) -> None:
    """As on another machine: the folder is gone by the time the workers are asked."""
    from piper_core.dataset.cluster import cluster as cluster_workers

    with pytest.raises(WorkersError, match="mount it there"), cluster_workers(cluster, tmp_path / "elsewhere"):
        pass


def test_no_scheduler_there(demo_dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("piper_core.dataset.cluster._CONNECT_S", 1)
    with pytest.raises(WorkersError, match=r"no dask scheduler at tcp://127\.0\.0\.1:9"):
        inspect(demo_dataset, dask="tcp://127.0.0.1:9")


def test_without_distributed(demo_dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(WorkersError, match="pip install distributed"):
        inspect(demo_dataset, dask="tcp://127.0.0.1:9")
