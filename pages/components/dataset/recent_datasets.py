"""The datasets opened lately, kept in the workspace, and those that lie in the folders that the pages may read."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path

KEPT = 8
_MANIFESTS = (
    "metadata.csv", "metadata.txt", "metadata.tsv", "metadata.jsonl", "metadata.json", "manifest.json",
    "manifest.jsonl", "wav.scp", "txt",
)  # fmt: skip


def recent(file: Path) -> list[Path]:
    """Folders opened lately, newest first; those that are gone are left out. An unreadable `file` counts as empty."""
    try:
        listed = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
        return []
    names = listed if isinstance(listed, list) else []
    return [Path(name) for name in names if isinstance(name, str) and Path(name).is_dir()]


def remember(file: Path, folder: Path) -> None:
    """Put `folder` first among the recent ones; `file` is replaced whole, so that two pages can't tear it."""
    known = recent(file)
    if known[:1] == [folder]:
        return
    folders = [folder, *(other for other in known if other != folder)][:KEPT]
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=file.parent, prefix=file.name, delete=False, encoding="utf-8") as written:
        json.dump([str(path) for path in folders], written, indent=1)
    Path(written.name).replace(file)


def lying_in(roots: Iterable[Path], limit: int = 50) -> list[Path]:
    """Datasets directly in `roots`: folders that hold a manifest, by name; at most `limit`."""
    found = []
    for root in roots:
        if not root.is_dir():
            continue
        for entry in sorted(root.iterdir()):
            # A name that is no UTF-8 can't be sent to a browser.
            if entry.name.isprintable() and entry.is_dir() and any((entry / name).exists() for name in _MANIFESTS):
                found.append(entry)
                if len(found) == limit:
                    return found
    return found
