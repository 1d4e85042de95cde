"""What inspections found out, kept for the next one: a JSON file a dataset, an entry a clip and a text.

A clip's entry holds while the file's size and time stay; a text's is found by the text itself.
"""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

from cache_utils.atomic import write_atomically
from piper_core.dataset import text as phonemizer
from piper_core.dataset.audio import MEASURE_VERSION, ClipMeasurements, Unreadable, measure


class KeptMeasurements:
    """Measures through what is known already. `measure` may be called from several threads."""

    def __init__(self, file: Path | None, folder: Path, clips: dict[str, Any], phonemes: dict[str, Any]) -> None:
        self._file = file
        self._folder = folder
        self._clips = clips
        self._phonemes = phonemes
        self._lock = threading.Lock()
        self._changed = False

    @classmethod
    def open(cls, cache_dir: Path | None, folder: Path) -> KeptMeasurements:
        """What is known of the dataset in `folder`; nothing is kept without a `cache_dir`."""
        if cache_dir is None:
            return cls(None, folder, {}, {})
        name = hashlib.blake2b(str(folder.resolve()).encode(errors="surrogateescape"), digest_size=12).hexdigest()
        file = cache_dir / f"{name}.json"
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            content = None  # none yet, or damaged: it is made anew, and `close` tells when it can't be written
        if not isinstance(content, dict) or content.get("version") != MEASURE_VERSION:
            content = {}
        return cls(file, folder, content.get("clips", {}), content.get("phonemes", {}))

    def measure(self, path: Path) -> ClipMeasurements | Unreadable:
        """As `audio.measure`, or what that gave last time for the same file."""
        if self._file is None:
            return measure(path)
        try:
            status = path.stat()
        except OSError:
            return measure(path)
        key, stamp = path.relative_to(self._folder).as_posix(), [status.st_size, status.st_mtime_ns]
        entry = self._clips.get(key)
        if entry is not None and entry[0] == stamp:
            return ClipMeasurements(**entry[1]) if isinstance(entry[1], dict) else Unreadable(entry[1])
        result = measure(path)
        with self._lock:
            self._clips[key] = [stamp, result.reason if isinstance(result, Unreadable) else result.to_dict()]
            self._changed = True
        return result

    def unknown_phonemes(self, text: str, language: str) -> tuple[str, ...]:
        """Phonemes of `text` in `language` that Piper has no id for. Raises TextError."""
        if self._file is None:
            return phonemizer.encode(text, language).unknown
        key = hashlib.blake2b(f"{language}|{text}".encode(errors="surrogateescape"), digest_size=9).hexdigest()
        if key not in self._phonemes:
            self._phonemes[key] = list(phonemizer.encode(text, language).unknown)
            self._changed = True
        return tuple(self._phonemes[key])

    def close(self) -> str | None:
        """Write what is new, after a stopped inspection too. A sentence where that can't be done, else None."""
        if self._file is None or not self._changed:
            return None
        try:
            content = {"version": MEASURE_VERSION, "clips": self._clips, "phonemes": self._phonemes}
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file, json.dumps(content).encode())
        except OSError as error:
            return f"The measurements could not be kept ({error}); the next inspection measures all clips again."
        return None
