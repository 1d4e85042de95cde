"""How long people wait between starting a run and its first step, as the launcher starts it, over prepared features.

    python -m benchmarks.first_step --dataset FOLDER [--clips 60] [--preset tiny] [--repeats 5]

The first start prepares the features and is told as `cold_seconds`; `seconds` is the median of the others. The clock
runs from the call of the launcher, as the pages make it, to the trainer's note of the end of step 1. `until` breaks it
down: the trainer's first word, its networks being built, training under way.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from benchmarks.prepare import processor
from benchmarks.scale import link_dataset
from piper_core.runs.control import request_stop
from piper_core.runs.launcher import Started, launch
from piper_core.runs.metrics import MetricsReader
from piper_core.runs.run import Run
from piper_core.runs.status import observe
from piper_core.settings import Settings
from piper_core.training.config import TrainingConfig

POLL_S = 0.01
PATIENCE_S = 300.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True, help="real speech")
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Path(scratch)
        settings = replace(Settings(), workspace_dir=workspace, tensorboard_log_dir=workspace / "tensorboard")
        starts = []
        for number in range(options.repeats + 1):
            if number == 0:
                dataset = link_dataset(options.dataset, workspace / "dataset", options.clips)
            config = TrainingConfig(
                name=f"start{number}",
                dataset=str(dataset),
                preset=options.preset,
                batch_size=options.batch_size,
                precision=options.precision,
                max_steps=1000,
                checkpoint_every_steps=1000,
                sample_every_steps=1000,
            )
            starts.append(one_start(config, settings))
            print(starts[-1], file=sys.stderr)
    warm = starts[1:]
    print(
        json.dumps(
            {
                "benchmark": "first_step",
                "seconds": median(warm, "first step"),
                "spread": [min(start["first step"] for start in warm), max(start["first step"] for start in warm)],
                "cold_seconds": starts[0]["first step"],
                "until": {name: median(warm, name) for name in warm[0]},
                "clips": options.clips,
                "preset": options.preset,
                "batch_size": options.batch_size,
                "precision": options.precision,
                "repeats": options.repeats,
                "machine": processor(),
                "cores": len(os.sched_getaffinity(0)),
                "versions": {name: version(name) for name in ("torch", "pytorch-lightning")}
                | {"python": platform.python_version()},
            }
        )
    )


def one_start(config: TrainingConfig, settings: Settings) -> dict[str, float]:
    """Seconds from the launcher's call to each mark of the start. The run is stopped then."""
    started = time.time()
    outcome = launch(config, settings.runs_dir, settings=settings)
    if not isinstance(outcome, Started):
        raise SystemExit(outcome.sentence)
    marks: dict[str, float] = {"launcher's answer": time.time() - started}
    reader = MetricsReader(outcome.run.metrics_path)
    while "loss_g" not in (table := reader.read()).series:
        status = observe(outcome.run, time.time())
        if status is None or not status.is_alive_state or time.time() - started > PATIENCE_S:
            raise SystemExit(f"The run took no step: {status}")
        for name, seen in (
            ("features ready", status.message.endswith("The networks are being built.")),
            ("training", status.state == "training"),
        ):
            if seen and name not in marks:
                marks[name] = status.updated_at - started
        time.sleep(POLL_S)
    assert table.steps[0] == 1
    marks["first step"] = first_row_time(outcome.run) - started
    request_stop(outcome.run)
    while (status := observe(outcome.run, time.time())) is not None and status.is_alive_state:
        time.sleep(0.1)
    return {name: round(seconds, 2) for name, seconds in marks.items()}


def first_row_time(run: Run) -> float:
    """Unix time at which the trainer had done its first step."""
    with run.metrics_path.open(encoding="utf-8") as file:
        return float(json.loads(file.readline())["time"])


def median(starts: list[dict[str, float]], name: str) -> float:
    """Of the starts that saw this mark; a poll may miss one that is soon over."""
    return round(statistics.median(start[name] for start in starts if name in start), 2)


if __name__ == "__main__":
    main()
