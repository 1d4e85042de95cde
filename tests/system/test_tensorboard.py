"""TensorBoard for real: started, reused, killed, moved to a free port, stopped, and missing."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from piper_core.runs.process import process_alive
from piper_core.system import tensorboard
from piper_core.system.tensorboard import Failed, Launched, NotInstalled, NotRunning, Reused, Stopped, TimedOut

ROOT = Path(__file__).resolve().parents[2]
PORT = 17430

needs_tensorboard = pytest.mark.skipif(not tensorboard.installed(), reason="tensorboard is not installed")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "workspace"
    tensorboard.stop(tmp_path / "workspace")


def launched(log_dir: Path, workspace: Path) -> Launched:
    outcome = tensorboard.start(log_dir, workspace, PORT)
    assert isinstance(outcome, Launched), outcome.sentence
    return outcome


def wait_until_dead(pid: int, start_time: float) -> None:
    deadline = time.monotonic() + 60
    while process_alive(pid, start_time) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not process_alive(pid, start_time)


@needs_tensorboard
def test_it_starts_answers_is_reused_and_stops(tmp_path: Path, workspace: Path) -> None:
    assert tensorboard.status(workspace) is None
    assert isinstance(tensorboard.stop(workspace), NotRunning)
    first = launched(tmp_path / "events", workspace)
    with urllib.request.urlopen(first.url, timeout=60) as page:
        assert b"<html" in page.read().lower()
    listening = {c.laddr.ip for c in psutil.Process(first.info.pid).net_connections() if c.status == "LISTEN"}
    assert listening == {"127.0.0.1"}
    assert tensorboard.status(workspace) == first.info
    with ThreadPoolExecutor(3) as pool:
        again = list(pool.map(lambda _: tensorboard.start(tmp_path / "events", workspace, PORT), range(3)))
    assert again == [Reused(first.info)] * 3
    children = psutil.Process(first.info.pid).children(recursive=True)
    assert tensorboard.stop(workspace) == Stopped(first.info)
    wait_until_dead(first.info.pid, first.info.process_start_time)
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []  # its data server too
    assert tensorboard.status(workspace) is None
    assert isinstance(tensorboard.stop(workspace), NotRunning)


@needs_tensorboard
def test_a_killed_one_is_not_taken_for_alive_and_is_started_anew(tmp_path: Path, workspace: Path) -> None:
    first = launched(tmp_path / "events", workspace)
    os.kill(first.info.pid, signal.SIGKILL)
    wait_until_dead(first.info.pid, first.info.process_start_time)
    assert tensorboard.status(workspace) is None
    assert launched(tmp_path / "events", workspace).info.pid != first.info.pid


@needs_tensorboard
def test_another_folder_replaces_it_and_a_taken_port_is_passed_over(tmp_path: Path, workspace: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", PORT))
        taken.listen()
        first = launched(tmp_path / "events", workspace)
        assert first.info.port > PORT
        second = launched(tmp_path / "others", workspace)
    assert not process_alive(first.info.pid, first.info.process_start_time)
    assert tensorboard.status(workspace) == second.info


STARTING = """
import sys, time
from pathlib import Path
from piper_core.system import tensorboard
print(tensorboard.start(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])).url, flush=True)
time.sleep(600)
"""


@needs_tensorboard
def test_a_server_that_was_killed_and_restarted_finds_it_again(tmp_path: Path, workspace: Path) -> None:
    command = [sys.executable, "-c", STARTING, str(tmp_path / "events"), str(workspace), str(PORT)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    os.killpg(server.pid, signal.SIGKILL)
    server.communicate()
    found = tensorboard.start(tmp_path / "events", workspace, PORT)
    assert isinstance(found, Reused)
    assert found.url == url


@needs_tensorboard
def test_too_short_a_wait_times_out_and_the_next_start_reuses(tmp_path: Path, workspace: Path) -> None:
    outcome = tensorboard.start(tmp_path / "events", workspace, PORT, answer_s=0.01)
    assert isinstance(outcome, TimedOut)
    assert "has not answered" in outcome.sentence
    assert tensorboard.start(tmp_path / "events", workspace, PORT) == Reused(outcome.info)


def test_one_that_ends_at_once_is_told_with_its_last_words(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A package of the same name before it on the path, which breaks as a bad installation does.
    (tmp_path / "tensorboard").mkdir()
    (tmp_path / "tensorboard/__init__.py").write_text("")
    (tmp_path / "tensorboard/main.py").write_text("raise SystemExit('protobuf is too old')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(tensorboard, "installed", lambda: True)
    outcome = tensorboard.start(tmp_path / "events", workspace, PORT)
    assert outcome == Failed("protobuf is too old")
    assert outcome.sentence == "TensorBoard could not be started: protobuf is too old"
    assert tensorboard.status(workspace) is None


def test_without_the_package_a_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tensorboard" else real(name))
    outcome = tensorboard.start(tmp_path / "events", tmp_path / "workspace")
    assert isinstance(outcome, NotInstalled)
    assert "pip install tensorboard" in outcome.sentence
    assert not (tmp_path / "workspace").exists()


def test_no_free_port_and_an_unusable_folder_are_sentences(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorboard, "installed", lambda: True)
    assert "no port from 70000" in tensorboard.start(tmp_path / "events", workspace, 70_000).sentence
    (tmp_path / "file").write_text("")
    refused = tensorboard.start(tmp_path / "file" / "events", workspace, PORT)
    assert isinstance(refused, Failed)
    assert "Not a directory" in refused.reason


@pytest.mark.parametrize(
    "text", ["nonsense", "[]", "{}", '{"pid": "x", "process_start_time": 0, "port": 1, "log_dir": ""}']
)
def test_a_state_file_that_is_not_ours_is_as_if_none_ran(workspace: Path, text: str) -> None:
    workspace.mkdir()
    (workspace / "tensorboard.json").write_text(text)
    assert tensorboard.status(workspace) is None
    assert isinstance(tensorboard.stop(workspace), NotRunning)


def test_a_process_that_only_has_its_pid_is_never_killed(workspace: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    workspace.mkdir()
    (workspace / "tensorboard.json").write_text(
        f'{{"pid": {other.pid}, "process_start_time": 1000.0, "port": {PORT}, "log_dir": "/x"}}'
    )
    assert isinstance(tensorboard.stop(workspace), NotRunning)
    assert other.poll() is None
    other.communicate(b"\n")
    assert other.returncode == 0
