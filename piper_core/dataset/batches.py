"""What is done with a batch of clips or texts: pure functions, the same in a thread, a process or a cluster."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from piper_core.dataset import text
from piper_core.dataset.audio import AudioError, ClipMeasurements, Unreadable, load_clip, measure, measure_with_pitch
from piper_core.dataset.kept_measurements import SpokenText
from piper_core.dataset.pitch import median_pitch

Span = tuple[str, float, float | None]
"""A clip to look at: its file's absolute path, where in it the clip starts, and how long it is (None: to the end)."""


def measure_spans(spans: Sequence[Span]) -> list[ClipMeasurements | Unreadable]:
    """Each clip measured."""
    return [measure(Path(path), offset_s, length_s) for path, offset_s, length_s in spans]


def measure_spans_with_pitch(spans: Sequence[Span]) -> list[tuple[ClipMeasurements | Unreadable, float | None]]:
    """Each clip measured, its pitch in Hz in the same decode."""
    return [measure_with_pitch(Path(path), offset_s, length_s) for path, offset_s, length_s in spans]


def pitch_of_spans(spans: Sequence[Span]) -> list[float | None]:
    """Each clip's median pitch in Hz; None where there is none, or no clip."""
    return [_pitch(Path(path), offset_s, length_s) for path, offset_s, length_s in spans]


def speak_texts(language: str, texts: Sequence[str]) -> list[SpokenText]:
    """Each text's phonemes. Raises TextError."""
    spoken = []
    for said in texts:
        encoded = text.encode(said, language)
        count = sum(map(str.isalpha, encoded.phonemes))
        spoken.append(SpokenText("".join(encoded.phonemes), "".join(encoded.unknown), count))
    return spoken


def crashed(span: Span) -> Unreadable:
    """What is known of a clip that the process which looked at it died of."""
    return Unreadable(
        f"It crashes the program that reads it ({os.path.splitext(span[0])[1] or 'no suffix'});"  # noqa: PTH122
        " make the recording anew, or leave the clip out."
    )


def _pitch(path: Path, offset_s: float, length_s: float | None) -> float | None:
    try:
        return median_pitch(*load_clip(path, offset_s=offset_s, length_s=length_s))
    except AudioError:  # it could be read a moment ago: the next inspection tells that the file has changed
        return None
