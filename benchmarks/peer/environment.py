"""The peer's environment: `.venv-peer` beside `.venv`, made when it is first asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[2]
FOLDER = PROJECT_ROOT / ".venv-peer"
TORCH = "torch==2.13.0"
"""Ours too, so that a comparison compares the trainers."""
PEER = "piper-tts[train]==1.8.0"


def peer_python() -> Path:
    """The Python that has the peer and all that it trains with. Takes a minute or two the first time."""
    python = FOLDER / "bin" / "python"
    done = FOLDER / "peer.stamp"
    if not done.is_file():
        print(f"Installing {PEER} in {FOLDER.name} ...", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", FOLDER], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, TORCH], check=True)  # alone: what names it beside others may bring a larger build
        subprocess.run([*install, PEER, "psutil"], check=True)
        done.touch()
    return python


if __name__ == "__main__":
    print(peer_python())
