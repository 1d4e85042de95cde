"""Starts, reuses and stops TensorBoard: one a workspace, on this machine only, in a process of its own.

What runs is known from `tensorboard.json` in the workspace (pid and its start time, port, folder), so that
a restarted web server finds it again. tensorboard is optional; without it `start` says so.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path

from cache_utils.lock import file_lock
from piper_core.runs.process import process_alive, process_start_time, spawn_detached
from piper_core.runs.run import RunError, last_line, read_json, write_json

FIRST_PORT = 6006
PORTS_TRIED = 20
ANSWER_S = 60.0
"""How long to wait for its first answer: 3 s on a quiet machine, far longer on one that trains."""
STOP_S = 5.0
"""How long it has to end by itself before it is killed."""
POLL_S = 0.1


@dataclass(frozen=True)
class TensorBoardInfo:
    """A TensorBoard that runs."""

    pid: int
    process_start_time: float
    port: int
    log_dir: str

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}/"


@dataclass(frozen=True)
class _There:
    """Its process is there."""

    info: TensorBoardInfo

    @property
    def url(self) -> str:
        """Where it answers, or will."""
        return self.info.url


@dataclass(frozen=True)
class Launched(_There):
    """It was started, and answers."""

    @property
    def sentence(self) -> str:
        """For people."""
        return f"TensorBoard has started at {self.url}."


@dataclass(frozen=True)
class Reused(_There):
    """One for the same folder runs already."""

    @property
    def sentence(self) -> str:
        """For people."""
        return f"TensorBoard runs already at {self.url}."


@dataclass(frozen=True)
class Failed:
    """It ended before it answered, or could not be started."""

    reason: str

    @property
    def sentence(self) -> str:
        """For people."""
        return f"TensorBoard could not be started: {self.reason}"


@dataclass(frozen=True)
class TimedOut(_There):
    """It runs but has not answered yet; the next start reuses it once it does."""

    waited_s: float

    @property
    def sentence(self) -> str:
        """For people."""
        return f"TensorBoard has not answered within {self.waited_s:.0f} s; try {self.url} a little later."


@dataclass(frozen=True)
class NotInstalled:
    """The package is missing."""

    @property
    def sentence(self) -> str:
        """For people."""
        return (
            "TensorBoard is not installed: pip install tensorboard brings it. The charts on this page work without it."
        )


@dataclass(frozen=True)
class Stopped:
    """It was stopped."""

    info: TensorBoardInfo

    @property
    def sentence(self) -> str:
        """For people."""
        return "TensorBoard has stopped."


@dataclass(frozen=True)
class NotRunning:
    """There was none to stop."""

    @property
    def sentence(self) -> str:
        """For people."""
        return "TensorBoard is not running; there is nothing to stop."


Outcome = Launched | Reused | Failed | TimedOut | NotInstalled


def installed() -> bool:
    """Whether the package is there; it is not imported."""
    return importlib.util.find_spec("tensorboard") is not None


def status(workspace: Path) -> TensorBoardInfo | None:
    """The TensorBoard of this workspace if its process lives, whoever started it; else None."""
    info = _read(workspace)
    if info is None or not process_alive(info.pid, info.process_start_time):
        return None
    return info


def start(log_dir: Path, workspace: Path, port: int = FIRST_PORT, *, answer_s: float = ANSWER_S) -> Outcome:
    """TensorBoard over `log_dir`, reused when one runs for it, on the first free port from `port` on.

    One that runs for another folder is stopped first. Waits at most `answer_s` for its first answer.
    """
    if not installed():
        return NotInstalled()
    try:
        workspace.mkdir(parents=True, exist_ok=True)
        log_dir.mkdir(parents=True, exist_ok=True)
        with file_lock(workspace / ".tensorboard.lock"):  # two pages may ask at once: the second reuses
            return _start(log_dir.resolve(), workspace, port, answer_s)
    except OSError as error:
        return Failed(f"{error.strerror or error}: {error.filename or workspace}.")


def stop(workspace: Path) -> Stopped | NotRunning:
    """Ask it to end, and kill it when it has not within a few seconds."""
    if not workspace.is_dir():
        return NotRunning()
    with file_lock(workspace / ".tensorboard.lock"):
        info = status(workspace)
        if info is not None:
            _end(info)
        _state_file(workspace).unlink(missing_ok=True)
    return NotRunning() if info is None else Stopped(info)


def _start(log_dir: Path, workspace: Path, port: int, answer_s: float) -> Outcome:
    running = status(workspace)
    if running is not None and running.log_dir == str(log_dir):
        return Reused(running) if _answers(running) else _wait(running, workspace, answer_s, reused=True)
    if running is not None:
        _end(running)
    free = next((number for number in range(port, port + PORTS_TRIED) if _is_free(number)), None)
    if free is None:
        return Failed(f"no port from {port} to {port + PORTS_TRIED - 1} is free.")
    log = workspace / "tensorboard.log"
    log.unlink(missing_ok=True)
    process = spawn_detached(
        [sys.executable, "-m", "tensorboard.main", f"--logdir={log_dir}", "--host=127.0.0.1", f"--port={free}"],
        folder=workspace,
        environment=os.environ,
        log=log,
    )
    info = TensorBoardInfo(process.pid, process_start_time(process.pid) or time.time(), free, str(log_dir))
    write_json(_state_file(workspace), asdict(info))
    return _wait(info, workspace, answer_s, reused=False)


def _wait(info: TensorBoardInfo, workspace: Path, answer_s: float, *, reused: bool) -> Outcome:
    deadline = time.monotonic() + answer_s
    while time.monotonic() < deadline:
        if not process_alive(info.pid, info.process_start_time):
            _state_file(workspace).unlink(missing_ok=True)
            return Failed(last_line(workspace / "tensorboard.log") or "it ended without a word.")
        if _answers(info):
            return Reused(info) if reused else Launched(info)
        time.sleep(POLL_S)
    return TimedOut(info, answer_s)


def _answers(info: TensorBoardInfo) -> bool:
    # Never through a proxy that the environment names: it is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{info.url}data/environment", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException):
        return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As TensorBoard's own server does: a port whose last connections are still closing is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
    return True


def _end(info: TensorBoardInfo) -> None:
    """SIGTERM, then SIGKILL, to its whole process group: it has a data server as a child."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
            os.killpg(info.pid, signal_number)
        deadline = time.monotonic() + STOP_S
        while time.monotonic() < deadline:
            if not process_alive(info.pid, info.process_start_time):
                return
            time.sleep(POLL_S)


def _state_file(workspace: Path) -> Path:
    return workspace / "tensorboard.json"


def _read(workspace: Path) -> TensorBoardInfo | None:
    try:
        values = read_json(_state_file(workspace))
        if values is None:
            return None
        return TensorBoardInfo(
            int(values["pid"]), float(values["process_start_time"]), int(values["port"]), str(values["log_dir"])
        )
    except (RunError, KeyError, TypeError, ValueError):  # of another version, or changed by hand: as if none ran
        return None
