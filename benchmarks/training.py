"""Seconds a training step and peak memory, ours against the peer's as shipped, on the same clips.

    python -m benchmarks.training [--dataset FOLDER] [--preset medium] [--batch-size 8] [--steps 12] [--device cpu|cuda]

Four trainers run in processes of their own and step in turn, in Lightning's own loop: the peer in float32 and in
bfloat16, ours in float32 and in the precision that `auto` takes. All start from the same weights. `ratio_*` are over
the same batches, drawn at random as the peer draws them; `own_batches` is the same ratio when each side trains on the
batches that it makes itself of the same clips (ours are of like length), which is what an epoch costs.

`floor_fraction` is the share of our float32 step that its multiplications would take at the rate of a large matrix
product. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.peer.environment import PEER, PROJECT_ROOT, peer_python
from benchmarks.peer.process import Worker
from benchmarks.prepare import processor
from piper_core.dataset.layouts import read_dataset
from piper_core.features import FeatureSettings
from piper_core.features.extraction import extract
from piper_core.runs.launcher import ALLOCATOR
from piper_core.training.batching import batches_of_like_length, padding_share
from piper_core.training.config import PRESETS, TrainingConfig
from piper_core.training.data import Batch, Item, collate
from piper_core.training.hyper_parameters import hyper_parameters
from piper_core.training.module import VitsModule

DATASET = PROJECT_ROOT / ".." / "shared" / "data" / "kathleen"
SIDES = {"peer_float32": "32", "our_float32": "32", "our_auto": "auto", "peer_bf16": "bf16-mixed"}
WARM_UP = 2
PRODUCT_SIZE = 4096


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, default=DATASET)
    parser.add_argument("--preset", default="medium", choices=list(PRESETS))
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--steps", type=int, default=12, help="counted steps of each kind of batch")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    options = parser.parse_args()
    environment = {} if options.device == "cuda" else {"CUDA_VISIBLE_DEVICES": ""}
    count = options.steps
    with tempfile.TemporaryDirectory() as folder:
        batches, checkpoint = Path(folder, "batches.pt"), Path(folder, "first.ckpt")
        items = read_clips(options.dataset, options.preset, count * options.batch_size)
        shuffled, alike = random_batches(items, options.batch_size), like_batches(items, options.batch_size)
        # Each side warms up on the batch that needs the most memory, then takes the others in turn.
        longest = max(shuffled, key=lambda batch: batch.audio.shape[1])
        save_batches([longest, *shuffled, *alike], batches)
        save_first(options.preset, checkpoint)
        workers: dict[str, Worker] = {}
        for side, precision in SIDES.items():
            whose = "peer" if side.startswith("peer") else "our"
            python = peer_python() if whose == "peer" else sys.executable
            steps = f"benchmarks.peer.{whose}_steps"
            given = environment if whose == "peer" else ALLOCATOR | environment
            workers[side] = Worker(python, steps, str(batches), str(checkpoint), precision, **given)
            workers[side].answer()  # one after the other: `auto` tries its formats undisturbed
        same: dict[str, list[float]] = {side: [] for side in SIDES}
        own: dict[str, list[float]] = {side: [] for side in SIDES}
        peak, taken = {}, ""

        def step(side: str, batch: int) -> float:
            nonlocal taken
            answer = workers[side].ask(batch=batch)
            peak[side] = answer["peak_bytes"]
            taken = answer.get("precision", taken)
            return answer["seconds"]

        for number in range(WARM_UP + count):
            for side in SIDES:
                same[side].append(step(side, 0 if number < WARM_UP else number - WARM_UP + 1))
            for side in SIDES if number >= WARM_UP else ():
                own[side].append(
                    same[side][-1] if side.startswith("peer") else step(side, number - WARM_UP + 1 + count)
                )
            print(number, {side: round(seconds[-1], 2) for side, seconds in same.items()}, file=sys.stderr, flush=True)
        for worker in workers.values():
            worker.kill()
    same = {side: seconds[WARM_UP:] for side, seconds in same.items()}
    floor_s, rate, operations = floor(options.preset, shuffled)
    seconds = {side: statistics.median(values) for side, values in same.items()}

    def ratio(peer: str, ours: str) -> float:
        return round(statistics.median(a / b for a, b in zip(same[peer], same[ours], strict=True)), 2)

    print(
        json.dumps(
            {
                "benchmark": "training",
                "ratio": ratio("peer_float32", "our_float32"),
                "ratio_float32": ratio("peer_float32", "our_float32"),
                "ratio_auto": ratio("peer_float32", "our_auto"),
                "ratio_peer_bf16": ratio("peer_bf16", "our_auto"),
                "own_batches": {
                    name: round(statistics.fmean(own[peer]) / statistics.fmean(own[ours]), 2)
                    for name, peer, ours in (
                        ("ratio_float32", "peer_float32", "our_float32"),
                        ("ratio_auto", "peer_float32", "our_auto"),
                        ("ratio_peer_bf16", "peer_bf16", "our_auto"),
                    )
                },
                "memory_ratio": round(peak["our_float32"] / peak["peer_float32"], 3),
                "memory_ratio_auto": round(peak["our_auto"] / peak["peer_float32"], 3),
                "peak_bytes": peak,
                "floor_fraction": round(floor_s / seconds["our_float32"], 3),
                "floor": {"operations": operations, "operations_per_second": rate, "seconds": round(floor_s, 3)},
                "seconds": {side: round(value, 3) for side, value in seconds.items()},
                "quartiles": {
                    side: [round(float(q), 3) for q in np.percentile(values, [25, 75])] for side, values in same.items()
                },
                "auto": taken,
                "preset": options.preset,
                "batch_size": options.batch_size,
                "clips": len(items),
                "repeats": count,
                "device": torch.cuda.get_device_name() if options.device == "cuda" else processor(),
                "cores": len(os.sched_getaffinity(0)),
                "python": platform.python_version(),
                "versions": {"torch": torch.__version__, "lightning": version("pytorch-lightning"), "peer": PEER},
            }
        )
    )  # fmt: skip


def read_clips(dataset: Path, preset: str, count: int) -> list[Item]:
    """Features of up to `count` usable clips, drawn at random, the same at every call."""
    settings = FeatureSettings(sample_rate=PRESETS[preset].sample_rate, language="en-us")
    utterances = list(read_dataset(dataset).usable)
    random.Random(1).shuffle(utterances)
    return [(*extract(item.path, item.text, settings), 0) for item in utterances[:count]]


def random_batches(items: list[Item], batch_size: int) -> list[Batch]:
    """Batches of clips as they come, every one full."""
    return [collate(items[at : at + batch_size]) for at in range(0, len(items) - batch_size + 1, batch_size)]


def like_batches(items: list[Item], batch_size: int) -> list[Batch]:
    """Batches as our loader makes them."""
    lengths = np.asarray([len(audio) for _, audio, _ in items])
    rows = batches_of_like_length(lengths, batch_size, seed=1, epoch=0)
    print(f"padding of our own batches: {padding_share(lengths, rows):.1%}", file=sys.stderr)
    return [collate([items[index] for index in batch]) for batch in rows]


def save_batches(batches: list[Batch], path: Path) -> None:
    """For the processes of both sides."""
    torch.save([batch._asdict() for batch in batches], path)


def save_first(preset: str, path: Path) -> VitsModule:
    """A module of `preset` with seeded random weights, saved as a checkpoint that both sides start from."""
    torch.manual_seed(0)
    module = VitsModule(hyper_parameters(TrainingConfig("first", "/none", preset=preset, max_steps=1)))
    torch.save({"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}, path)
    return module


def floor(preset: str, batches: list[Batch]) -> tuple[float, float, float]:
    """Seconds that the multiplications of a float32 step take at the rate of a large product, that rate, their number.

    A multiplication and an addition count as two operations, as torch's counter counts.
    """
    module = VitsModule(hyper_parameters(TrainingConfig("floor", "/none", preset=preset, max_steps=1)))
    with FlopCounterMode(display=False) as counter:
        for batch in batches[:4]:
            module.gradients(batch)
    operations = counter.get_total_flops() / min(4, len(batches))
    one = torch.randn(PRODUCT_SIZE, PRODUCT_SIZE)
    seconds = []
    for _ in range(6):
        started = time.perf_counter()
        one @ one
        seconds.append(time.perf_counter() - started)
    rate = 2 * PRODUCT_SIZE**3 / statistics.median(seconds[1:])
    return operations / rate, rate, operations


if __name__ == "__main__":
    main()
