"""What the HTTP routes answer: settings and parameters in, a status and JSON out. No server in here.

A refusal is 4xx with `{"error": "..."}`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from cache_utils.store import CacheStore
from piper_core.runs.memory import release_memory
from piper_core.runs.run import Run, RunError, list_runs, open_run
from piper_core.runs.status import status_of
from piper_core.settings import Settings
from piper_core.system import gpu, tensorboard

Answer = tuple[int, dict[str, Any]]
RELEASE_WAIT_S = 10.0


def status(settings: Settings, parameters: Mapping[str, Any]) -> Answer:
    """Every run's status by name, or `?run=NAME` one; null for a run that has not started."""
    now = time.time()
    if "run" in parameters:
        try:
            return 200, status_of(_run(settings, parameters), now) or {"state": None}
        except RunError as error:
            return 404, {"error": str(error)}
    return 200, {"runs": {run.name: status_of(run, now) for run in list_runs(settings.runs_dir)}}


def clear_gpu_memory(settings: Settings, parameters: Mapping[str, Any]) -> Answer:
    """Each live trainer (or `run`) gives back what it caches; says how many bytes came back, by run."""
    try:
        runs = [_run(settings, parameters)] if "run" in parameters else list_runs(settings.runs_dir)
    except RunError as error:
        return 404, {"error": str(error)}
    released = release_memory(runs, timeout_s=RELEASE_WAIT_S)
    devices = gpu.devices()
    return 200, {
        "released_bytes": sum(value or 0 for value in released.values()),
        "runs": released,
        "gpu": devices.reason if isinstance(devices, gpu.GpuUnavailable) else [asdict(device) for device in devices],
    }


def cleanup_cache(settings: Settings, parameters: Mapping[str, Any]) -> Answer:
    """The cache is brought down to its threshold, or with `{"clear": true}` emptied of all that no run uses."""
    store = CacheStore(settings.cache_dir, settings.max_cache_bytes, settings.cache_cleanup_threshold)
    freed = store.clear() if parameters.get("clear") in (True, "true", "1") else store.clean()
    return 200, {
        "freed_bytes": freed.size_bytes,
        "freed_entries": freed.entries,
        "volume_bytes": store.volume(),
        "limit_bytes": settings.max_cache_bytes,
    }


def start_tensorboard(settings: Settings, parameters: Mapping[str, Any]) -> Answer:
    """TensorBoard over all runs; an already running one is reused."""
    outcome = tensorboard.start(settings.tensorboard_log_dir.absolute(), settings.workspace_dir.absolute())
    if isinstance(outcome, (tensorboard.Launched, tensorboard.Reused)):
        return 200, {"url": outcome.url, "reused": isinstance(outcome, tensorboard.Reused)}
    return 409, {"error": outcome.sentence}


def stop_tensorboard(settings: Settings, parameters: Mapping[str, Any]) -> Answer:
    """TensorBoard is stopped; a refusal when none runs."""
    outcome = tensorboard.stop(settings.workspace_dir.absolute())
    if isinstance(outcome, tensorboard.Stopped):
        return 200, {"stopped": True}
    return 409, {"error": "TensorBoard is not running; there is nothing to stop."}


def tensorboard_status(settings: Settings, parameters: Mapping[str, Any]) -> Answer:
    """Whether TensorBoard runs, and where."""
    info = tensorboard.status(settings.workspace_dir.absolute())
    return 200, {"running": info is not None, "url": info.url if info else None}


def _run(settings: Settings, parameters: Mapping[str, Any]) -> Run:
    name = str(parameters["run"])
    known = {run.name: run for run in list_runs(settings.runs_dir)}
    if name not in known:
        raise RunError(f"There is no run {name!r}; GET /status lists them.")
    return open_run(known[name].folder)


ROUTES: list[tuple[str, str, Callable[[Settings, Mapping[str, Any]], Answer]]] = [
    ("/status", "GET", status),
    ("/clear_gpu_memory", "POST", clear_gpu_memory),
    ("/cleanup_cache", "POST", cleanup_cache),
    ("/start_tensorboard", "POST", start_tensorboard),
    ("/stop_tensorboard", "POST", stop_tensorboard),
    ("/tensorboard_status", "GET", tensorboard_status),
]
PATHS = frozenset(path for path, _, _ in ROUTES)
