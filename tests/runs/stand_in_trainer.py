"""A stand-in for the trainer, in a process of its own: `python -m tests.runs.stand_in_trainer RUN_FOLDER`.

It keeps the trainer's promises about files without any torch. What it does is told by the run's name.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from piper_core.runs.control import read_control
from piper_core.runs.process import process_start_time
from piper_core.runs.run import Run
from piper_core.runs.status import Memory, Progress, TrainingStatus, write_status


def main(folder: Path) -> int:
    run = Run(folder)
    config = run.config()
    behaviour = config.name.split(".")[0]
    print(f"stand-in for {config.name}, start {config.start}, in {Path.cwd()}", flush=True)
    if behaviour == "dies":
        print("ValueError: the disk is made of cheese")
        return 3
    if behaviour == "silent":
        time.sleep(60)
    status = TrainingStatus(
        state="preparing",
        pid=os.getpid(),
        process_start_time=process_start_time(os.getpid()) or 0.0,
        started_at=time.time(),
        updated_at=time.time(),
        message=os.environ["WORKSPACE_DIR"],
    )
    if behaviour == "refuses":
        write_status(run, TrainingStatus(**vars(status) | {"state": "failed", "error": "No clip has a text."}))
        return 1
    write_status(run, status)
    for step in range(1, 6000):
        control = read_control(run)
        state = {"run": "training", "pause": "paused", "stop": "stopped"}[control.command]
        memory = Memory(
            released_bytes=1000 * control.clear_memory_request, release_request=control.clear_memory_request
        )
        changes = {"state": state, "updated_at": time.time(), "progress": Progress(step=step), "memory": memory}
        write_status(run, TrainingStatus(**vars(status) | changes))
        run.checkpoints_dir.mkdir(exist_ok=True)
        run.last_checkpoint.write_text(str(step))
        if state == "stopped":
            return 0
        time.sleep(0.1)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
