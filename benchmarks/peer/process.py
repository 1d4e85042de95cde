"""A program that answers requests, a JSON line each: how one benchmark drives processes of two environments in turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.peer.environment import PROJECT_ROOT


class Worker:
    """A running program, `python -m MODULE ARGUMENTS`; `ask` sends a request and waits for the answer."""

    def __init__(self, python: Path | str, module: str, *arguments: str, **environment: str) -> None:
        self._name = module
        self._process = subprocess.Popen(
            [str(python), "-m", module, *arguments],
            cwd=PROJECT_ROOT,
            env=os.environ | {"PYTHONPATH": str(PROJECT_ROOT)} | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        """Raises RuntimeError when the program has ended."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended: the empty answer below says so
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """Waits for an answer that no request asked for. Raises RuntimeError when the program has ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} ended with status {self._process.wait()} instead of answering.")
        return json.loads(line)

    @property
    def pid(self) -> int:
        """The program's process."""
        return self._process.pid

    def close(self) -> None:
        """Ends the program and waits for it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """Ends the program at once."""
        self._process.kill()
        self._process.wait()


class Requests:
    """The other end: requests from standard input; answers go to what was standard output, all else to stderr."""

    def __init__(self) -> None:
        self._answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # what a library prints must not look like an answer

    def read(self) -> dict[str, Any] | None:
        """The next request; None when there will be none."""
        line = sys.stdin.readline()
        return json.loads(line) if line else None

    def answer(self, **values: Any) -> None:
        """Answers the request read last."""
        self._answers.write(json.dumps(values) + "\n")
        self._answers.flush()

    def serve(self, answers: Mapping[str, Callable[..., dict[str, Any]]]) -> None:
        """Answers each request `{"do": NAME, ...}` with what NAME's function returns, until there are no more."""
        while (request := self.read()) is not None:
            self.answer(**answers[request.pop("do")](**request))
