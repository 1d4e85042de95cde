"""What the loader's settings bring: seconds an epoch, ours against a plain DataLoader over the same clips.

    python -m benchmarks.loader [--dataset FOLDER] [--batch-size 32] [--workers 1] [--epochs 5] [--device cpu|cuda]

Ours: workers that stay from epoch to epoch, batches read ahead, pinned memory (cuda), clips of like length together.
Plain: DataLoader(shuffle=True) with the same workers and nothing else set. Both start anew in each repeat, in turn, and
go through several short epochs; consumed by one that does nothing, and by one that works for `--work-ms` a batch.
The last line is JSON: `ratio` (our seconds / the plain loader's, nothing done with the batches), `ratio_working`,
`padding_share`.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from benchmarks.prepare import DATASET, LANGUAGE, SAMPLE_RATE, processor
from cache_utils.store import CacheStore
from piper_core.dataset.layouts import read_dataset
from piper_core.features import FeatureSettings, PreparedUtterance, best_trim, prepare
from piper_core.system.cores import cores
from piper_core.training.batching import LengthBatches, batches_of_like_length, padding_share
from piper_core.training.data import Item, VitsDataModule, collate

SEED = 1234


def consume(loader: DataLoader[Item], epochs: int, work_s: float, device: torch.device) -> list[float]:
    """Seconds of each epoch, a new order each; `work_s` of arithmetic with every batch once it is on the device."""
    seconds = []
    for epoch in range(epochs):
        started = time.perf_counter()
        if isinstance(loader.batch_sampler, LengthBatches):
            loader.batch_sampler.set_epoch(epoch)
        for batch in loader:
            moved = [tensor.to(device, non_blocking=True) for tensor in batch]
            until = time.perf_counter() + work_s
            while time.perf_counter() < until:
                moved[2][:, :4096].float().square().mean()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, default=DATASET, help="real speech, with metadata.csv")
    parser.add_argument("--clips", type=int, default=500)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=5, help="epochs a repeat")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--work-ms", type=float, default=10.0)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = parser.parse_args()
    device = torch.device(options.device)
    with tempfile.TemporaryDirectory() as scratch:
        store = CacheStore(Path(scratch), 10**10)
        settings = FeatureSettings(SAMPLE_RATE, LANGUAGE, trim=best_trim())
        usable = read_dataset(options.dataset).usable[: options.clips]
        utterances = prepare(usable, settings, store, speakers={}, owner="benchmark").utterances

        def ours() -> DataLoader[Item]:
            return VitsDataModule(
                utterances, (), store, batch_size=options.batch_size, num_workers=options.workers, seed=SEED,
                pin_memory=device.type == "cuda",
            ).train_dataloader()  # fmt: skip

        def plain() -> DataLoader[Item]:
            data = VitsDataModule(utterances, (), store, batch_size=options.batch_size).training
            return DataLoader(
                data, batch_size=options.batch_size, shuffle=True, num_workers=options.workers, collate_fn=collate
            )

        consume(plain(), 1, 0.0, device)  # the entries are in the system's file cache from here on, for both
        epochs: dict[tuple[str, float], list[float]] = {}
        for _ in range(options.repeats):
            for work_s in (0.0, options.work_ms / 1e3):
                for name, make in (("ours", ours), ("plain", plain)):
                    epochs.setdefault((name, work_s), []).append(
                        statistics.mean(consume(make(), options.epochs, work_s, device))
                    )
    print(json.dumps(figures(options, epochs, utterances)))


def figures(
    options: argparse.Namespace, epochs: dict[tuple[str, float], list[float]], utterances: tuple[PreparedUtterance, ...]
) -> dict[str, object]:
    """The line that is printed."""
    work_s = options.work_ms / 1e3
    medians = {key: statistics.median(values) for key, values in epochs.items()}
    lengths = np.array([utterance.sample_count for utterance in utterances])
    shares = {
        size: statistics.mean(
            padding_share(lengths, batches_of_like_length(lengths, size, SEED, epoch)) for epoch in range(10)
        )
        for size in sorted({8, 32, options.batch_size})
    }
    shuffled = np.random.default_rng(SEED).permutation(len(lengths))
    cuts = [shuffled[i : i + options.batch_size] for i in range(0, len(lengths), options.batch_size)]
    return {
        "benchmark": "loader",
        "ratio": round(medians["ours", 0.0] / medians["plain", 0.0], 3),
        "ratio_working": round(medians["ours", work_s] / medians["plain", work_s], 3),
        "padding_share": round(shares[options.batch_size], 4),
        "padding_shares": {str(size): round(share, 4) for size, share in shares.items()},
        "plain_padding_share": round(padding_share(lengths, cuts), 4),
        "epoch_s": {f"{name}{' working' if work else ''}": round(s, 4) for (name, work), s in medians.items()},
        "spread_s": {
            f"{name}{' working' if work else ''}": [round(min(values), 4), round(max(values), 4)]
            for (name, work), values in epochs.items()
        },
        "work_ms": options.work_ms,
        "batch_size": options.batch_size,
        "batches": -(-len(utterances) // options.batch_size),
        "workers": options.workers,
        "device": torch.cuda.get_device_name() if options.device == "cuda" else "cpu",
        "clips": len(utterances),
        "epochs": options.epochs,
        "repeats": options.repeats,
        "cores": cores(),
        "machine": processor(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in ("torch", "numpy")},
    }


if __name__ == "__main__":
    main()
