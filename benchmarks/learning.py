"""Whether the trainer learns: the losses of a real run over real speech, from the command line as a user would.

    python -m benchmarks.learning --dataset FOLDER [--clips 60] [--steps 600] [--workspace DIR]

The first and last figures are means over a tenth of the steps. With --workspace the run stays there, to be looked at
(`WORKSPACE_DIR=DIR make run`) and drawn (`python -m docs.make_images losses DIR/runs/learning`).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.scale import link_dataset
from piper_core.runs.metrics import MetricsReader
from piper_core.runs.run import open_run
from piper_core.runs.status import read_status

RUN = "learning"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True, help="real speech")
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--workspace", type=Path, help="keep the run here")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        workspace = options.workspace or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        dataset = link_dataset(options.dataset, workspace.absolute() / "datasets" / RUN, options.clips)
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "piper_core", "train", dataset, "--run", RUN, "--preset", options.preset,
             "--max-steps", str(options.steps), "--batch-size", "8", "--checkpoint-every", "100"],
            env=os.environ | {"WORKSPACE_DIR": str(workspace), "TENSORBOARD_LOG_DIR": str(workspace / "tensorboard")},
            stdout=sys.stderr,
            check=True,
        )  # fmt: skip
        took_s = time.perf_counter() - started
        run = open_run(workspace / "runs" / RUN)
        table = MetricsReader(run.metrics_path).read()
        status = read_status(run)
        assert status is not None
        figures: dict[str, list[float]] = {}
        for name in ("mel", "kl", "dur", "val_mel"):
            values = np.asarray(table.points(name)[1])
            tenth = max(1, len(values) // 10)
            figures[name] = [round(float(values[:tenth].mean()), 3), round(float(values[-tenth:].mean()), 3)]
    print(
        json.dumps(
            {
                "benchmark": "learning",
                "ratio": round(figures["mel"][1] / figures["mel"][0], 3),
                "first_and_last": figures,
                "clips": options.clips,
                "steps": options.steps,
                "preset": options.preset,
                "seconds": round(took_s, 1),
                "steps_per_second": status.progress.steps_per_second,
                "cores": len(os.sched_getaffinity(0)),
                "python": platform.python_version(),
            }
        )
    )


if __name__ == "__main__":
    main()
