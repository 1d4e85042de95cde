"""The peer's preparing as shipped, on request: `python -m benchmarks.peer.peer_prepare DATASET`.

Runs in the peer's environment. DATASET holds metadata.csv with `path|text` lines, paths as the peer looks them up.
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.peer import alignment
from benchmarks.peer.process import Requests


def main(dataset: str) -> None:
    requests = Requests()
    logging.disable(logging.WARNING)
    alignment.install()
    from piper.train.vits.dataset import VitsDataModule

    def prepare(cache: str, language: str, sample_rate: int) -> dict[str, Any]:
        data = VitsDataModule(
            csv_path=Path(dataset) / "metadata.csv",
            audio_dir=dataset,
            cache_dir=cache,
            config_path=Path(cache) / "config.json",
            espeak_voice=language,
            voice_name="benchmark",
            sample_rate=sample_rate,
        )
        started = time.perf_counter()
        data.prepare_data()
        seconds = time.perf_counter() - started
        return {"seconds": seconds, "clips": len(list(Path(cache).glob("*.audio.pt")))}

    requests.serve({"prepare": prepare})


if __name__ == "__main__":
    main(*sys.argv[1:])
