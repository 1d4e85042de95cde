"""What a run does: `TrainingStatus`, written as status.json by the trainer alone, and read through `observe`.

The file says what the trainer last knew. A killed trainer can't write that it was killed, so `crashed` is never
in the file: `reconcile` concludes it from the process.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, TypeVar, get_args

from piper_core.runs.process import CLOCK_TOLERANCE_S, process_alive
from piper_core.runs.run import Run, RunError, last_line, read_json, write_json

State = Literal["preparing", "training", "validating", "paused", "stopping", "stopped", "finished", "failed", "crashed"]
STATES: tuple[State, ...] = get_args(State)
ALIVE_STATES: frozenset[State] = frozenset({"preparing", "training", "validating", "paused", "stopping"})
"""The states of a run whose trainer is at work."""

SCHEMA_VERSION = 1
SILENT_S = 120.0
"""After how long without a word from a live trainer the message says so."""


@dataclass(frozen=True)
class Progress:
    """How far the run is. None: not known yet."""

    epoch: int = 0
    step: int = 0
    """Batches, not Lightning's global_step, which counts each optimizer."""
    total_steps: int | None = None
    progress_percent: float | None = None
    eta_minutes: float | None = None
    """Minutes left; while preparing: until training begins."""
    eta_low_minutes: float | None = None
    eta_high_minutes: float | None = None
    steps_per_second: float | None = None
    samples_per_second: float | None = None
    """Utterances a second."""
    prepared_clips: int = 0
    total_clips: int = 0


@dataclass(frozen=True)
class Memory:
    """What the trainer holds, in bytes."""

    device: str = "cpu"
    """cpu, or cuda:0."""
    allocated_bytes: int = 0
    """Tensors in use on the device."""
    reserved_bytes: int = 0
    """Held by torch's allocator on the device."""
    total_bytes: int = 0
    """The device's memory."""
    rss_bytes: int = 0
    """The process's resident memory."""
    released_bytes: int | None = None
    """What the last request to release memory gave back to the device; None: nothing was asked for yet."""
    release_request: int = 0
    """The number of that request; see `control.request_memory_release`."""


@dataclass(frozen=True)
class CheckpointRef:
    """The last checkpoint written: its path inside the run folder, and its step."""

    path: str
    step: int


@dataclass(frozen=True)
class TrainingStatus:
    """status.json."""

    state: State
    message: str = ""
    """A sentence for people."""
    pid: int = 0
    process_start_time: float = 0.0
    """Unix time, seconds: with the pid, who wrote this."""
    started_at: float = 0.0
    """Unix time, seconds."""
    updated_at: float = 0.0
    """Unix time, seconds."""
    progress: Progress = field(default_factory=Progress)
    losses: dict[str, float] = field(default_factory=dict)
    """By name, as in metrics.jsonl; one that is not finite is left out of the file."""
    memory: Memory = field(default_factory=Memory)
    checkpoint: CheckpointRef | None = None
    error: str | None = None
    """What went wrong, when state is failed or crashed."""

    @property
    def is_alive_state(self) -> bool:
        """Whether the state is that of a trainer at work. After `observe` it is at work indeed."""
        return self.state in ALIVE_STATES

    def to_dict(self) -> dict[str, Any]:
        """As status.json holds it: JSON values only; numbers that are not finite become None or are left out."""
        values = {"schema_version": SCHEMA_VERSION} | asdict(self)
        values["losses"] = {name: value for name, value in self.losses.items() if math.isfinite(value)}
        values["progress"] = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in values["progress"].items()
        }
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainingStatus:
        """From status.json's content; names that this version does not know are left out, missing ones default.

        Raises RunError for an unknown state or parts of another shape.
        """
        if values.get("state") not in STATES:
            raise RunError(f"The status names a state {values.get('state')!r}; known are {', '.join(STATES)}.")
        given = _known(cls, values)
        given["progress"] = Progress(**_known(Progress, values.get("progress") or {}))
        given["memory"] = Memory(**_known(Memory, values.get("memory") or {}))
        given["losses"] = dict(_known(None, values.get("losses") or {}))
        checkpoint = values.get("checkpoint")
        try:
            given["checkpoint"] = CheckpointRef(**_known(CheckpointRef, checkpoint)) if checkpoint else None
        except TypeError as error:
            raise RunError(f"The status's checkpoint lacks its path or step: {checkpoint!r}.") from error
        return cls(**given)


_Part = TypeVar("_Part")


def _known(part: type[_Part] | None, values: Any) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise RunError(f"The status holds {values!r} where names with values belong.")
    if part is None:
        return values
    names = {item.name for item in fields(part)}  # type: ignore[arg-type]
    return {name: value for name, value in values.items() if name in names}


def write_status(run: Run, status: TrainingStatus) -> None:
    """Replace status.json whole. For the trainer alone."""
    write_json(run.status_path, status.to_dict())


def read_status(run: Run) -> TrainingStatus | None:
    """status.json as written, None when there is none yet. Raises RunError when it can't be read."""
    values = read_json(run.status_path)
    return None if values is None else TrainingStatus.from_dict(values)


@dataclass(frozen=True)
class Launch:
    """launch.json: the process that was started last for this run, written by the launcher."""

    pid: int
    process_start_time: float
    launched_at: float
    """Unix time, seconds."""


def read_launch(run: Run) -> Launch | None:
    """launch.json, None when the run was started in the foreground. Raises RunError when it can't be read."""
    values = read_json(run.launch_path)
    try:
        return None if values is None else Launch(**_known(Launch, values))
    except TypeError as error:
        raise RunError(f"{run.launch_path} lacks a value: {error}.") from error


def is_written_by(status: TrainingStatus, launch: Launch) -> bool:
    """Whether the process that was launched wrote this status. The pid alone won't do: it may have been used before."""
    same_start = abs(status.process_start_time - launch.process_start_time) <= CLOCK_TOLERANCE_S
    return status.pid == launch.pid and same_start


def observe(run: Run, now: float) -> TrainingStatus | None:
    """What the run does at `now` (Unix seconds), reconciled with its process; None when it was never started.

    Raises RunError when a file of the run can't be read.
    """
    launch = read_launch(run)
    status = read_status(run)
    launch_alive = launch is not None and process_alive(launch.pid, launch.process_start_time)
    status_alive = status is not None and process_alive(status.pid, status.process_start_time)
    if status is not None and status.is_alive_state and not status_alive:
        # It may have ended well between our two looks: what it wrote last counts.
        status = read_status(run) or status
    observed = reconcile(status, status_alive, now, launch=launch, launch_alive=launch_alive)
    if observed is not None and observed.state == "crashed" and observed.error is None:
        observed = replace(observed, error=last_line(run.log_path))
    return observed


def status_of(run: Run, now: float) -> dict[str, Any] | None:
    """What `observe` says, as JSON for scripts: None for a run never started, the error for one that can't be read."""
    try:
        status = observe(run, now)
    except RunError as error:  # one unreadable run must not hide the others
        return {"state": None, "error": str(error)}
    return status.to_dict() if status else None


def live_runs(runs: Iterable[Run], now: float) -> list[tuple[Run, TrainingStatus]]:
    """The runs whose trainer is at work; one whose files can't be read is left out, and hides no other."""
    live = []
    for run in runs:
        try:
            status = observe(run, now)
        except RunError:
            continue  # whoever lists the runs says what is wrong with it
        if status is not None and status.is_alive_state:
            live.append((run, status))
    return live


def reconcile(
    status: TrainingStatus | None,
    process_is_alive: bool,
    now: float,
    *,
    launch: Launch | None = None,
    launch_alive: bool = False,
) -> TrainingStatus | None:
    """The truth from what the trainer wrote, what the launcher wrote, and whether their processes are alive.

    A live state whose process is gone becomes `crashed`. A process that was launched but has not written yet is
    `preparing`, and `crashed` when it is gone. A live trainer that is silent keeps its state, and the message says so.
    """
    if launch is not None and (
        status is None or (status.updated_at < launch.launched_at and not is_written_by(status, launch))
    ):
        return _before_first_word(status, launch, launch_alive, now)
    if status is None or not status.is_alive_state:
        return status
    if not process_is_alive:
        return replace(status, state="crashed", message=_crash_message(status, now))
    silent_s = now - status.updated_at
    if silent_s > SILENT_S and status.state != "paused":
        waiting = f"No word from the trainer for {_duration(silent_s)}; its process is alive."
        return replace(status, message=f"{status.message} {waiting}".strip())
    return status


def _before_first_word(status: TrainingStatus | None, launch: Launch, alive: bool, now: float) -> TrainingStatus:
    base = status or TrainingStatus(state="preparing")
    base = replace(
        base, pid=launch.pid, process_start_time=launch.process_start_time, started_at=launch.launched_at, error=None
    )
    if alive:
        waited = _duration(now - launch.launched_at)
        return replace(base, state="preparing", message=f"The trainer is starting ({waited}).", updated_at=now)
    return replace(
        base,
        state="crashed",
        message="The trainer ended before it began; its log says why.",
        updated_at=launch.launched_at,
    )


def _crash_message(status: TrainingStatus, now: float) -> str:
    heard = _duration(now - status.updated_at)
    message = f"The trainer's process {status.pid} is gone without a word, last heard {heard} ago."
    if status.checkpoint is not None:
        return f"{message} Resume goes on from step {status.checkpoint.step}."
    return f"{message} It had saved no checkpoint yet."


def _duration(seconds: float) -> str:
    seconds = max(0.0, seconds)
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"
