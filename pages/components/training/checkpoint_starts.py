"""What a checkpoint is and which starts it allows, asked of `python -m piper_core doctor`: reading one needs torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from piper_core.runs.launcher import PROJECT_ROOT
from piper_core.training.config import StartMode

STARTS: dict[StartMode, str] = {
    "resume": "Go on",
    "warmstart": "Take what fits",
    "vocoder": "Take the sound only",
}
"""The starts from a checkpoint, as people read them."""
EXPLAINED: dict[StartMode, str] = {
    "resume": "As if training had never stopped: weights, optimizers and step.",
    "warmstart": "Every weight that fits, from step 0: a voice learns from another one, best in the same language.",
    "vocoder": "Decoder, posterior encoder and flow only: for another language or alphabet.",
}
_WAIT_S = 120


@dataclass(frozen=True)
class Doctored:
    """What the doctor says of a checkpoint, and of starting from it on a dataset."""

    report: Mapping[str, Any]

    @property
    def line(self) -> str:
        """For people: what it is."""
        report = self.report
        parts = [str(report.get("preset") or report.get("quality")), f"{report.get('sample_rate', 0):,} Hz"]
        if report.get("language"):
            parts.append(str(report["language"]))
        speakers = report.get("num_speakers", 1)
        parts.append("1 speaker" if speakers == 1 else f"{speakers} speakers")
        parts += [f"step {report.get('step', 0):,}", f"made by {report.get('made_by')}"]
        if self.use_mrd:
            parts.append("with the multi-resolution discriminator")
        if report.get("averaged"):
            parts.append("averaged weights")
        return " · ".join(parts)

    def reason(self, start: StartMode, preset: str) -> str | None:
        """Why a run of `preset` on the dataset can't start so, as a sentence; None when it can."""
        reason: str | None = self.report["for_dataset"]["starts"][preset][start]
        return reason

    @property
    def use_mrd(self) -> bool:
        """Whether it has the multi-resolution discriminator, which a run that goes on then needs too."""
        return bool(self.report.get("use_mrd"))


def examine(path: Path, dataset: Path, metadata: str | None, speakers: int, language: str) -> Doctored | str:
    """What the checkpoint is and how a run on the dataset can start from it, or a sentence why it can't be used.

    `speakers`: how many the dataset has by now.
    """
    if not path.is_file():
        return f"There is no checkpoint {path}: check the path."
    stat = path.stat()
    return _examine(str(path), stat.st_mtime_ns, stat.st_size, str(dataset), metadata, speakers, language)


@st.cache_data(max_entries=32, show_spinner="Looking into the checkpoint …")
def _examine(
    path: str, changed_ns: int, size_bytes: int, dataset: str, metadata: str | None, speakers: int, language: str
) -> Doctored | str:
    options = ["--dataset", dataset, "--language", language, *(["--metadata", metadata] if metadata else [])]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "piper_core", "doctor", path, "--json", *options],
            cwd=PROJECT_ROOT,
            env=os.environ | {"PYTHONPATH": str(PROJECT_ROOT)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_WAIT_S,
        )
    except subprocess.TimeoutExpired:
        return f"Looking into {Path(path).name} took longer than {_WAIT_S} s. Try again when less is running."
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        return said[-1] if said else f"{Path(path).name} can't be read (exit status {done.returncode})."
    return Doctored(json.loads(done.stdout))
