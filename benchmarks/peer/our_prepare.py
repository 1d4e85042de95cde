"""Our preparing, on request: `python -m benchmarks.peer.our_prepare DATASET`, as the trainer does it at its start."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.peer.process import Requests
from cache_utils.store import CacheStore
from piper_core.dataset.layouts import read_dataset
from piper_core.features import FeatureSettings, best_trim, prepare

LIMIT_BYTES = 10 * 1024**3


def main(dataset: str) -> None:
    requests = Requests()

    def answer(cache: str, language: str, sample_rate: int) -> dict[str, Any]:
        started = time.perf_counter()
        usable = read_dataset(Path(dataset)).usable
        read_s = time.perf_counter() - started
        store = CacheStore(Path(cache), LIMIT_BYTES)
        store.clean()
        settings = FeatureSettings(sample_rate, language, trim=best_trim())
        prepared = prepare(usable, settings, store, speakers={}, owner="benchmark")
        seconds = time.perf_counter() - started
        return {
            "seconds": seconds,
            "read_s": read_s,
            "clips": len(prepared.utterances),
            "hits": prepared.cache_hits,
            "trim": settings.trim,
        }

    requests.serve({"prepare": answer})


if __name__ == "__main__":
    main(*sys.argv[1:])
