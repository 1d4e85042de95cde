"""2,000 damaged files in a process with 2 GiB: a finding or a sentence each, no crash, none slow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

FILES = 2000
_WHOLE_FILES = ("flac", "ogg", "opus", "wav", "wav24", "wavf", "aiff", "au", "caf", "w64")


@pytest.mark.slow
def test_2000_mutated_files(kathleen: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    ran = subprocess.run(
        [sys.executable, "-m", "tests.dataset.mutations", str(kathleen), "--files", str(FILES), "--memory-gib", "2"],
        cwd=root,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    outcome = json.loads(ran.stdout.splitlines()[-1])
    print({name: outcome[name] for name in ("files", "slowest_s", "slowest", "peak_mib")})
    assert outcome["crashes"] == []
    assert outcome["files"] == FILES
    # What damages a file's structure is found; flipped bits of PCM, or a file twice over, are still a recording.
    read = Counter(outcome["read"])
    assert sum(count for kind, count in read.items() if kind.split()[-1] == "noise") <= 1
    assert [kind for kind in read if kind.endswith(" cut") and kind.split()[0] in _WHOLE_FILES] == []
    damaged = ("flips", "hole", "splice")
    assert [kind for kind in read if kind.startswith("flac") and kind.split()[-1] in damaged] == []
