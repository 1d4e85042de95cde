"""What a checkpoint is and which starts it allows, asked of `python -m piper_core doctor`: reading one needs torch."""

from __future__ import annotations

import json
import os
import re
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
_POSSIBLE = "possible for "


@dataclass(frozen=True)
class Doctored:
    """What the doctor says of a checkpoint."""

    report: Mapping[str, Any]

    @property
    def line(self) -> str:
        """For people: what it is."""
        report = self.report
        parts = [str(report.get("preset") or report.get("quality")), f"{report.get('sample_rate', 0):,} Hz"]
        if report.get("language"):
            parts.append(str(report["language"]))
        parts += [f"step {report.get('step', 0):,}", f"made by {report.get('made_by')}"]
        return " · ".join(parts)

    def reason(self, start: StartMode, preset: str) -> str | None:
        """Why a run of `preset` can't start so, as a sentence; None when it can."""
        sentence = str(self.report.get(start, ""))
        if not sentence.startswith(_POSSIBLE):
            return sentence.partition(": ")[2] or sentence
        presets = [re.sub(r" \(.*\)", "", name) for name in sentence.removeprefix(_POSSIBLE).split(", ")]
        return None if preset in presets else f"It fits the presets {', '.join(presets)}, not {preset}."


def examine(path: Path) -> Doctored | str:
    """What the checkpoint is, or a sentence that says why it can't be used."""
    if not path.is_file():
        return f"There is no checkpoint {path}: check the path."
    stat = path.stat()
    return _examine(str(path), stat.st_mtime_ns, stat.st_size)


@st.cache_data(max_entries=32, show_spinner="Looking into the checkpoint …")
def _examine(path: str, changed_ns: int, size_bytes: int) -> Doctored | str:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "piper_core", "doctor", path, "--json"],
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
