"""What the peer's trainer reads of datasets: `python -m benchmarks.peer.peer_reading DATASET SPEAKERS [...]`.

Runs in the peer's environment. Prints a JSON list last, an item a dataset: a list with the text and the cache key of
each utterance that it would train on, or {"error": TYPE} where it ends with an error.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

from benchmarks.peer import alignment


def main(*arguments: str) -> None:
    logging.disable(logging.WARNING)
    alignment.install()
    asked = zip(arguments[::2], arguments[1::2], strict=True)
    print(json.dumps([read(Path(dataset), int(speakers)) for dataset, speakers in asked]))


def read(dataset: Path, speakers: int) -> list[dict[str, str]] | dict[str, str]:
    from piper.train.vits.dataset import VitsDataModule

    cache = dataset / "cache"
    cache.mkdir()
    data = VitsDataModule(
        csv_path=dataset / "metadata.csv",
        audio_dir=dataset / "wavs",
        cache_dir=cache,
        config_path=cache / "config.json",
        espeak_voice="en-us",
        voice_name="reading",
        num_speakers=speakers,
        validation_split=0.0,
        num_test_examples=0,
    )
    try:
        data.prepare_data()
        data.setup("fit")
    except Exception as error:  # noqa: BLE001 - which error ends it is what is asked
        return {"error": type(error).__name__}
    # Split at random, so put back in the metadata's order; with no clip to check or test with, all are here.
    split: Any = data.train_dataset
    utterances = [split.dataset.utts[index] for index in sorted(split.indices)]
    return [{"text": u.text, "cache_key": u.audio_norm_path.name.removesuffix(".audio.pt")} for u in utterances]


if __name__ == "__main__":
    main(*sys.argv[1:])
