"""Metadata with every trap that is known of, read by the peer's own trainer and by our dry run of it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np

from benchmarks.parity.exchange import Differs
from benchmarks.peer.environment import PROJECT_ROOT
from piper_core.dataset.layouts import read_dataset
from piper_core.dataset.piper_reading import read_as_piper
from piper_core.wav import wav_bytes

_LONG = "A sentence that is long enough for the key of its features to be cut before its end"
METADATA = {
    "plain": "a|One.\nb.wav|Two.\nc|Three\n",
    "quotes": 'a|"One.\nb|Two.\nc|Three" he said.\nd|"Stop" he said.\ne|He said "stop".\nf|""Doubled""\n',
    "missing and lone columns": "a|One.\nnone|Two.\nflac|Three.\nb\nc|Written 4|Written four.\n",
    "keys": f"a|{_LONG}.\nb|{_LONG}: 1/2?\nc|  <Spaces> and \\ signs*  \n",
    "byte-order mark": "\ufeffa|One.\nb|Two.\n",
    "speakers": "a|anna|One.\nb|ben|Two.\nc|anna|Three.\n",
    "a blank row": "a|One.\n\nb|Two.\n",
    "a row without a speaker": "a|anna|One.\nb|ben|Two.\nc|Three.\n",
    "an endless column": f"a|One.\nb|{'x' * 140_000}\n",
    "line ends": "a|One.\r\nb|Two.\rc|Three.\u2028Four.\n",
}
"""Name -> metadata.csv."""


def readings_agree(folder: Path, python: Path) -> str:
    """Each of `METADATA`, both ways. Raises Differs."""
    datasets = [folder / f"reading-{number}" for number in range(len(METADATA))]
    for dataset, metadata in zip(datasets, METADATA.values(), strict=True):
        _write(dataset, metadata)
    readings = [read_as_piper(read_dataset(dataset), audio_dir="wavs") for dataset in datasets]
    asked = [(dataset, 2 if reading.multispeaker else 1) for dataset, reading in zip(datasets, readings, strict=True)]
    stops = 0
    for name, reading, theirs in zip(METADATA, readings, _peer(asked, python), strict=True):
        ours = [{"text": row.text, "cache_key": row.cache_key} for row in reading.rows if row.text is not None]
        if isinstance(theirs, dict) != (reading.stop is not None):
            raise Differs(f"{name}: the peer says {theirs}, the dry run {reading.stop}")
        if reading.stop is not None:
            stops += 1
        elif ours != theirs:
            raise Differs(f"{name}: the peer reads {theirs}, the dry run {ours}")
    return f"{len(METADATA)} metadata files give the same utterances and keys, {stops} of them an error in both"


def _write(dataset: Path, metadata: str) -> None:
    (dataset / "wavs").mkdir(parents=True)
    (dataset / "metadata.csv").write_bytes(metadata.encode())
    time_s = np.arange(22_050) / 22_050
    for number, name in enumerate("abcdef"):
        tone = 0.3 * np.sin(2 * np.pi * (200 + 30 * number) * time_s)
        (dataset / "wavs" / f"{name}.wav").write_bytes(wav_bytes(tone, 22_050))
    (dataset / "wavs" / "flac.flac").write_bytes(b"fLaC")


def _peer(asked: list[tuple[Path, int]], python: Path) -> list[list[dict[str, str]] | dict[str, str]]:
    arguments = [str(part) for pair in asked for part in pair]
    ran = subprocess.run(
        [str(python), "-m", "benchmarks.peer.peer_reading", *arguments],
        cwd=PROJECT_ROOT,
        env=os.environ | {"PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        raise Differs(f"the peer could not be asked: {ran.stderr[-1000:]}")
    return json.loads(ran.stdout.splitlines()[-1])
