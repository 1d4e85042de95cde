"""What a checkpoint's voice is called and which language it speaks: the facts that its weights don't hold.

Ours notes them in the checkpoint, and its run folder has them too. Piper's trainer does not; there they stand in a
file beside: the voice's JSON, which Piper's published checkpoints come with, or the config.yaml of a training.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from piper_core.runs.run import Run, RunError


@dataclass(frozen=True)
class Origin:
    """Where a voice comes from; None and empty where nothing says it."""

    name: str | None = None
    language: str | None = None
    """The espeak-ng voice."""
    speakers: dict[str, int] = field(default_factory=dict)
    phonemes: dict[str, list[int]] | None = None
    """The phoneme id map, when it is not piper-tts' own."""

    def or_else(self, other: Origin) -> Origin:
        """This, with what it lacks taken from `other`."""
        return replace(
            self,
            name=self.name or other.name,
            language=self.language or other.language,
            speakers=self.speakers or other.speakers,
            phonemes=self.phonemes or other.phonemes,
        )


def origin_of(checkpoint: Path, note: Mapping[str, Any]) -> Origin:
    """What is known of the checkpoint at that path, `note` being what our trainer wrote into it.

    The note counts most, then the run folder, then files beside.
    """
    speakers = note.get("speakers")
    origin = Origin(
        name=_text(note.get("name")),
        language=_text(note.get("language")),
        speakers=dict(speakers) if isinstance(speakers, dict) else {},
    )
    for further in (_of_run(checkpoint), _of_voice_json(checkpoint), _of_training(checkpoint)):
        origin = origin.or_else(further)
    return origin


def _of_run(checkpoint: Path) -> Origin:
    try:
        config = Run(checkpoint.parent.parent).config()
    except RunError:
        return Origin()
    return Origin(name=config.name, language=config.language)


def _of_voice_json(checkpoint: Path) -> Origin:
    for path in (checkpoint.with_name(f"{checkpoint.name}.json"), checkpoint.with_name("config.json")):
        content = _read(path)
        espeak, phonemes = content.get("espeak"), content.get("phoneme_id_map")
        if not isinstance(espeak, dict) or not isinstance(phonemes, dict):
            continue
        speakers = content.get("speaker_id_map")
        return Origin(
            name=_middle(_text(content.get("dataset"))),
            language=_text(espeak.get("voice")),
            speakers=dict(speakers) if isinstance(speakers, dict) else {},
            phonemes={symbol: _ids(ids) for symbol, ids in phonemes.items() if _ids(ids)},
        )
    return Origin()


def _of_training(checkpoint: Path) -> Origin:
    """Lightning's command line leaves config.yaml beside the checkpoints' folder."""
    for path in (checkpoint.with_name("config.yaml"), checkpoint.parent.parent / "config.yaml"):
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            continue
        found = {
            match[1]: match[2].strip("'\"")
            for line in lines
            if (match := re.fullmatch(r"\s+(espeak_voice|voice_name): *(\S.*?)\s*", line))
        }
        return Origin(name=found.get("voice_name"), language=found.get("espeak_voice"))
    return Origin()


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _ids(value: object) -> list[int]:
    return [number for number in value if isinstance(number, int)] if isinstance(value, list) else []


def _middle(name: str | None) -> str | None:
    """`lessac` of `en_US-lessac-medium`; any other name as it is."""
    match = re.fullmatch(r"[a-z]{2,3}_[A-Z0-9]{2,3}-([^-]+)-[a-z_]+", name or "")
    return match[1] if match else name
