"""What training brings in the same time: val_mel of ours and of the peer, from the same weights, on the same clips.

    python -m benchmarks.quality [--dataset FOLDER] [--preset medium] [--minutes 8] [--marks 4] [--device cpu|cuda]

On a processor both sides train at the same time, each on one core of its own, so that the machine's ups and downs hit
both. Each makes batches its own way (the peer: as they come; ours: of like length) and computes as it does by default
(the peer: float32; ours: `auto`). At each mark the generator's weights are kept; afterwards both are judged by the
same function on the same held-out clips, with the same noise. The last line is JSON; `ratio` is the peer's val_mel over
ours at the last mark, above 1 where ours is lower.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from benchmarks.peer.environment import PEER, peer_python
from benchmarks.peer.process import Worker
from benchmarks.prepare import processor
from benchmarks.training import DATASET, like_batches, random_batches, read_clips, save_batches, save_first
from piper_core.runs.launcher import ALLOCATOR
from piper_core.training.config import PRESETS
from piper_core.training.data import Batch
from piper_core.training.module import VitsModule

HELD_OUT = 40
CLIPS = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, default=DATASET)
    parser.add_argument("--preset", default="medium", choices=list(PRESETS))
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--marks", type=int, default=4)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    options = parser.parse_args()
    marks_s = [60 * options.minutes * (number + 1) / options.marks for number in range(options.marks)]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        items = read_clips(options.dataset, options.preset, CLIPS)
        held_out, trained_on = like_batches(items[:HELD_OUT], options.batch_size), items[HELD_OUT:]
        module = save_first(options.preset, root / "first.ckpt")
        save_batches(random_batches(trained_on, options.batch_size), root / "peer.pt")
        save_batches(like_batches(trained_on, options.batch_size), root / "our.pt")

        def run(side: str) -> dict[str, object]:
            cores = sorted(os.sched_getaffinity(0))
            core = cores[0] if side == "peer" else cores[-1]
            alone = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""} if options.device == "cpu" else {}
            python = peer_python() if side == "peer" else sys.executable
            given = alone if side == "peer" else ALLOCATOR | alone
            (root / side).mkdir()
            with Worker(
                python, f"benchmarks.peer.{side}_steps", str(root / f"{side}.pt"), str(root / "first.ckpt"),
                "32" if side == "peer" else "auto", str(root / side), *map(str, marks_s), **given,
            ) as worker:  # fmt: skip
                if options.device == "cpu":
                    os.sched_setaffinity(worker.pid, {core})
                return worker.answer()

        if options.device == "cpu":
            with ThreadPoolExecutor(2) as pool:
                peer, ours = pool.map(run, ("peer", "our"))
        else:  # one card: one after the other
            peer, ours = run("peer"), run("our")
        val_mel = {side: [judged(module, root / side / f"mark{n}.pt", held_out) for n in range(options.marks)]
                   for side in ("peer", "our")}  # fmt: skip
    print(
        json.dumps(
            {
                "benchmark": "quality",
                "ratio": round(val_mel["peer"][-1] / val_mel["our"][-1], 3),
                "lower_at_every_mark": all(o < p for p, o in zip(val_mel["peer"], val_mel["our"], strict=True)),
                "marks_s": marks_s,
                "val_mel": {side: [round(value, 4) for value in values] for side, values in val_mel.items()},
                "steps": {"peer": peer["steps"], "our": ours["steps"]},
                "auto": ours["precision"],
                "preset": options.preset,
                "batch_size": options.batch_size,
                "clips": len(trained_on),
                "held_out": HELD_OUT,
                "repeats": 1,
                "device": torch.cuda.get_device_name() if options.device == "cuda" else processor(),
                "cores_a_side": 1 if options.device == "cpu" else len(os.sched_getaffinity(0)),
                "python": platform.python_version(),
                "versions": {"torch": torch.__version__, "peer": PEER},
            }
        )
    )


def judged(module: VitsModule, weights: Path, batches: list[Batch]) -> float:
    """Mean mel loss over `batches` with the generator's `weights`, as in validation: no dropout, the same noise."""
    module.model_g.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    module.eval()
    losses = []
    with torch.no_grad():
        for number, batch in enumerate(batches):
            torch.manual_seed(number)
            losses.append(float(module.generator_pass(batch).mel))
    return statistics.fmean(losses)


if __name__ == "__main__":
    main()
