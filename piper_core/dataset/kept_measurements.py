"""Measurements kept between inspections: one JSON file a dataset, an entry a clip, valid while size and time agree."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

from piper_core.dataset.audio import MEASURE_VERSION, ClipMeasurements, Unreadable, measure
from piper_core.dataset.whole_file import write_whole


class KeptMeasurements:
    """Measures through what is known already. `measure` may be called from several threads."""

    def __init__(self, file: Path | None, folder: Path, entries: dict[str, Any]) -> None:
        self._file = file
        self._folder = folder
        self._entries = entries
        self._used: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._new = 0

    @classmethod
    def open(cls, cache_dir: Path | None, folder: Path) -> KeptMeasurements:
        """The measurements of the dataset in `folder`; nothing is kept without a `cache_dir`."""
        if cache_dir is None:
            return cls(None, folder, {})
        name = hashlib.blake2b(str(folder.resolve()).encode(), digest_size=12).hexdigest()
        file = cache_dir / f"{name}.json"
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return cls(file, folder, {})  # a damaged file is measured anew and replaced
        known = isinstance(content, dict) and content.get("version") == MEASURE_VERSION
        return cls(file, folder, content["clips"] if known else {})

    def measure(self, path: Path) -> ClipMeasurements | Unreadable:
        """As `audio.measure`, or what that gave last time for the same file."""
        if self._file is None:
            return measure(path)
        try:
            stat = path.stat()
        except OSError:
            return measure(path)
        key, stamp = path.relative_to(self._folder).as_posix(), [stat.st_size, stat.st_mtime_ns]
        entry = self._entries.get(key)
        if entry is not None and entry[0] == stamp:
            with self._lock:
                self._used[key] = entry
            return ClipMeasurements(**entry[1]) if isinstance(entry[1], dict) else Unreadable(entry[1])
        result = measure(path)
        value = result.reason if isinstance(result, Unreadable) else result.to_dict()
        with self._lock:
            self._used[key] = [stamp, value]
            self._new += 1
        return result

    def close(self) -> None:
        """Write what is new, replacing the file whole; after a stopped inspection too."""
        if self._file is None or not self._new:
            return
        content = {"version": MEASURE_VERSION, "clips": self._entries | self._used}
        write_whole(self._file, json.dumps(content))
