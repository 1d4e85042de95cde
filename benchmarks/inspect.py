"""How quickly a dataset is inspected, cold and warm, beside decoding alone and beside the usual libraries in a loop.

    python -m benchmarks.inspect --dataset FOLDER [--clips 13100] [--repeats 3] [--sample 200] [--warm 13100 100000]

The clips are links to those of FOLDER under names of their own. Cold is the engine's own `inspect` without kept
measurements, pitch and audit (headers, every signal check, texts, findings, report), after one inspection of a few
clips: numba's loops are compiled once a machine, and the worker processes start (`first_s`). The system's own cache of
file pages can't be dropped from here; the first of the runs fills it. `decode` reads the same files to float32 in the
same worker processes and looks at nothing; `soundfile` does so with soundfile.read alone. `libraries` is one thread's
librosa.load, librosa.effects.trim, NeMo Speech Data Explorer's bandwidth and pyloudnorm over a seeded sample of the
clips, per second of audio. All are interleaved; figures are medians.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import soundfile

from benchmarks.prepare import processor
from benchmarks.scale import link_dataset
from piper_core.dataset.audio import MAX_CLIP_S, ClipMeasurements
from piper_core.dataset.decoding import decode
from piper_core.dataset.inspection import inspect
from piper_core.dataset.layouts import read_dataset
from piper_core.dataset.report import DatasetReport
from piper_core.dataset.workers import processes
from piper_core.system.cores import cores

PACKAGES = ("soundfile", "miniaudio", "loky", "librosa", "numba", "numpy", "scipy", "pyloudnorm")
_SEED = 20_260


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds on the clock, seconds of processor time of all threads, and what came out."""
    started, used = time.perf_counter(), processor_s()
    result = work()
    return time.perf_counter() - started, processor_s() - used, result


def processor_s() -> float:
    """Of this process and its workers."""
    own = psutil.Process()
    spent = [process.cpu_times() for process in (own, *own.children(recursive=True))]
    return sum(times.user + times.system for times in spent)


def cold(folder: Path) -> DatasetReport:
    return inspect(folder, cache_dir=None, pitch=False, audit=False)


def decode_some(paths: Sequence[Path]) -> list[None]:
    for path in paths:
        decode(path, MAX_CLIP_S)
    return [None] * len(paths)


def read_some(paths: Sequence[Path]) -> list[None]:
    for path in paths:
        soundfile.read(path, dtype="float32", always_2d=True)
    return [None] * len(paths)


def in_all_workers(read: Callable[[Sequence[Path]], list[None]], paths: Sequence[Path]) -> None:
    with processes(cores()) as workers:
        workers.look(read, paths, lambda *_: None, lambda _: None, lambda _: None)


def by_libraries(paths: Sequence[Path]) -> float:
    """Seconds of audio that were measured."""
    import librosa
    import pyloudnorm

    audio_s = 0.0
    for path in paths:
        audio, rate = librosa.load(path, sr=None)
        librosa.effects.trim(audio)
        spectrum = np.mean(np.abs(librosa.stft(audio, n_fft=512, window="blackmanharris")) ** 2, axis=1)
        level_db = librosa.power_to_db(spectrum, ref=np.max)
        np.flatnonzero(level_db > -50).max()
        if audio.size >= 0.4 * rate:
            pyloudnorm.Meter(rate).integrated_loudness(audio)
        audio_s += audio.size / rate
    return audio_s


def warm_s(source: Path, clips: int, repeats: int) -> list[float]:
    """Seconds of each second inspection of `clips` clips, measurements kept from a first."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = link_dataset(source, Path(scratch) / "linked", clips)
        kept = Path(scratch) / "kept"
        inspect(folder, cache_dir=kept, pitch=False, audit=False)
        return [timed(lambda: inspect(folder, cache_dir=kept, pitch=False, audit=False))[0] for _ in range(repeats)]


def spread(values: Sequence[float]) -> list[float]:
    """Least and most."""
    return [round(min(values), 3), round(max(values), 3)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True, help="real speech whose clips are linked to")
    parser.add_argument("--clips", type=int, default=13_100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sample", type=int, default=200, help="clips that the libraries measure each time")
    parser.add_argument("--warm", type=int, nargs="*", default=[13_100, 100_000], help="clips of second inspections")
    options = parser.parse_args()
    ours, decoding, reading, libraries = [], [], [], []
    with tempfile.TemporaryDirectory() as scratch:
        few = link_dataset(options.dataset, Path(scratch) / "few", 8)
        first_s, _, _ = timed(lambda: cold(few))
        folder = link_dataset(options.dataset, Path(scratch) / "linked", options.clips)
        paths = [utterance.path for utterance in read_dataset(folder).utterances]
        by_libraries(paths[:8])
        for repeat in range(options.repeats):
            sample = random.Random(_SEED + repeat).sample(paths, min(options.sample, len(paths)))
            decoding.append(timed(lambda: in_all_workers(decode_some, paths)))
            reading.append(timed(lambda: in_all_workers(read_some, paths)))
            ours.append(timed(lambda: cold(folder)))
            libraries.append(timed(lambda sample=sample: by_libraries(sample)))  # type: ignore[misc]
    report = ours[0][2]
    measured = [row.clip for row in report.utterances if isinstance(row.clip, ClipMeasurements)]
    if len(measured) != options.clips:
        raise SystemExit("Not every clip was measured: the figures would mean nothing.")
    audio_s = sum(one.duration_s for one in measured)
    wall = {
        name: [run[0] for run in runs] for name, runs in (("ours", ours), ("decode", decoding), ("soundfile", reading))
    }
    of_libraries = [seconds / heard_s for seconds, _, heard_s in libraries]
    ours_s, decode_s, soundfile_s = (statistics.median(wall[name]) for name in ("ours", "decode", "soundfile"))
    warm = {clips: warm_s(options.dataset, clips, options.repeats) for clips in options.warm}
    print(
        json.dumps(
            {
                "benchmark": "inspect",
                "times_real_time": round(audio_s / ours_s),
                "times_decode": round(ours_s / decode_s, 2),
                "times_soundfile": round(ours_s / soundfile_s, 2),
                "ratio_libraries": round(statistics.median(of_libraries) * audio_s / ours_s, 1),
                **{f"warm_{clips}_s": round(statistics.median(seconds), 2) for clips, seconds in warm.items()},
                "warm_s": round(statistics.median(warm[options.warm[0]]), 2) if warm else None,
                "cold_s": round(ours_s, 2),
                "decode_s": round(decode_s, 2),
                "soundfile_s": round(soundfile_s, 2),
                "decode_times_real_time": round(audio_s / decode_s),
                "processor_ms_per_clip": round(1000 * statistics.median(run[1] for run in ours) / options.clips, 3),
                "decode_processor_ms_per_clip": round(
                    1000 * statistics.median(run[1] for run in decoding) / options.clips, 3
                ),
                "libraries_times_real_time": round(1 / statistics.median(of_libraries)),
                "first_s": round(first_s, 2),
                "audio_s": round(audio_s),
                "clips": options.clips,
                "sample": options.sample,
                "repeats": options.repeats,
                "spread": {
                    "cold_s": spread(wall["ours"]),
                    "decode_s": spread(wall["decode"]),
                    "libraries_times_real_time": spread([1 / value for value in of_libraries]),
                    **{f"warm_{clips}_s": spread(seconds) for clips, seconds in warm.items()},
                },
                "page_cache_dropped": False,
                "cores": cores(),
                "machine": processor(),
                "python": platform.python_version(),
                "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
            }
        )
    )


if __name__ == "__main__":
    main()
