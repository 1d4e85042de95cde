"""Who measures makes no difference: threads, or the processes of a dask cluster; and what stops them loses nothing."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from piper_core.dataset.inspection import inspect
from piper_core.dataset.report import DatasetReport
from piper_core.dataset.workers import MOST_IN_A_BATCH, WorkersError, threads


def test_every_result_comes_to_its_item() -> None:
    taken: dict[int, int] = {}
    told: list[int] = []
    with threads(3) as workers:
        workers.look(
            lambda batch: [item * item for item in batch],
            range(1000),
            lambda places, results: taken.update(zip(places, results, strict=True)),
            told.append,
        )
    assert taken == {place: place * place for place in range(1000)}
    assert told == sorted(told)
    assert told[-1] == 1000
    assert len(told) >= 1000 / MOST_IN_A_BATCH


def test_none_and_few() -> None:
    with threads(2) as workers:
        workers.look(pytest.fail, [], pytest.fail, pytest.fail)
        taken: list[str] = []
        workers.look(lambda batch: batch, ["a"], lambda _, results: taken.extend(results), lambda _: None)
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
        workers.look(look, range(10_000), lambda _, results: taken.update(results), stop)
    assert 50 < len(taken) < 1000, "it stopped soon"
    assert taken == looked_at


def test_a_bug_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError), threads(2) as workers:
        workers.look(lambda batch: [1 // item for item in batch], [1, 2, 0, 3], lambda *_: None, lambda _: None)


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
    from piper_core.dataset.workers import dask_workers

    with pytest.raises(WorkersError, match="mount it there"), dask_workers(cluster, tmp_path / "elsewhere"):
        pass


def test_no_scheduler_there(demo_dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("piper_core.dataset.workers._CONNECT_S", 1)
    with pytest.raises(WorkersError, match=r"no dask scheduler at tcp://127\.0\.0\.1:9"):
        inspect(demo_dataset, dask="tcp://127.0.0.1:9")


def test_without_distributed(demo_dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(WorkersError, match="pip install distributed"):
        inspect(demo_dataset, dask="tcp://127.0.0.1:9")
