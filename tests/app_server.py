"""The app under `streamlit run app.py` on a port of its own, for the tests that need a real server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Server:
    """The app under `streamlit run app.py`, with a workspace of its own."""

    workspace: Path
    environment: dict[str, str] = field(default_factory=dict)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def log(self) -> Path:
        return self.workspace / "server.log"

    def start(self) -> None:
        self.port = self.port or free_port()
        self.workspace.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--server.headless", "true"],
                cwd=ROOT,
                env=os.environ | {"WORKSPACE_DIR": str(self.workspace), "DATA_ROOTS": "/",
                                  "TENSORBOARD_LOG_DIR": str(self.workspace / "tensorboard")} | self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=10):
                    return
            except urllib.error.HTTPError:
                return  # it answers, if only to ask for a token
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.2)
        raise AssertionError(f"the server did not start:\n{self.log.read_text()}")

    def kill(self) -> None:
        """As the kernel does when memory is out: no chance to say goodbye."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def stop_trainers(workspace: Path) -> None:
    """SIGKILL every trainer of this workspace: they are detached and would outlive the test."""
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if "piper_core.training.trainer" in command and any(str(workspace) in part for part in command):
            process.kill()
