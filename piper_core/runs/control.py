"""What a run is asked to do: control.json, written by the pages, HTTP and the command line; read by the trainer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Literal, get_args

from cache_utils.lock import file_lock
from piper_core.runs.run import Run, RunError, read_json, write_json

Command = Literal["run", "pause", "stop"]


@dataclass(frozen=True)
class Control:
    """control.json."""

    command: Command = "run"
    clear_memory_request: int = 0
    """Goes up by one each time that memory is to be released; the trainer remembers which it has answered."""


def read_control(run: Run) -> Control:
    """What is asked for; without a file: to run. Raises RunError when the file can't be read."""
    values = read_json(run.control_path)
    if values is None:
        return Control()
    command, request = values.get("command", "run"), values.get("clear_memory_request", 0)
    if command not in get_args(Command) or not isinstance(request, int):
        raise RunError(f"{run.control_path} asks for {command!r}; known are {', '.join(get_args(Command))}.")
    return Control(command, request)


def request_stop(run: Run) -> None:
    """Ask the trainer to save and end."""
    _change(run, lambda control: replace(control, command="stop"))


def request_pause(run: Run) -> None:
    """Ask the trainer to wait after the step at hand. A stop that was asked for stays."""
    _change(run, lambda control: control if control.command == "stop" else replace(control, command="pause"))


def request_resume(run: Run) -> None:
    """Ask a paused trainer to go on. A stop that was asked for stays."""
    _change(run, lambda control: control if control.command == "stop" else replace(control, command="run"))


def request_memory_release(run: Run) -> int:
    """Ask the trainer to give cached memory back to the device between two steps.

    Returns the request's number: it is answered once `status.memory.release_request` has reached it,
    and `status.memory.released_bytes` then says how much came back.
    """
    return _change(
        run, lambda control: replace(control, clear_memory_request=control.clear_memory_request + 1)
    ).clear_memory_request


def reset_control(run: Run) -> None:
    """Forget pause and stop, before a trainer is started."""
    _change(run, lambda control: replace(control, command="run"))


def _change(run: Run, change: Callable[[Control], Control]) -> Control:
    # Several pages and the command line may ask at once.
    with file_lock(run.folder / ".control.lock"):
        control = change(read_control(run))
        write_json(run.control_path, {"schema_version": 1} | asdict(control))
    return control
