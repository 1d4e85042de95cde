"""What columns and keys are called, where a row names them: in CSV headers and in JSON lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

AUDIO_FIELDS = (
    "file_name", "audio_filepath", "audio_file_name", "audio_file", "audio_path", "audio", "filename", "file", "path",
    "wav", "wav_filename", "utterance_id", "id",
)  # fmt: skip
"""Of the recording; the first that is there counts."""
TEXT_FIELDS = (
    "normalized_text", "text_normalized", "normalized_transcription", "normalized", "text", "transcription",
    "transcript", "sentence", "caption",
)  # fmt: skip
"""Of the text that is trained on: a normalised one before the one as written."""
WRITTEN_FIELDS = ("text", "transcription", "transcript", "sentence", "raw_text", "original_text")
"""Of the text as written, where a normalised one stands beside it."""
SPEAKER_FIELDS = ("speaker", "speaker_id", "speaker_name", "client_id", "voice")

Value = TypeVar("Value")


def first_of(named: Mapping[str, Value], names: Iterable[str]) -> Value | None:
    """The value under the first of `names` that is there."""
    return next((named[name] for name in names if named.get(name) is not None), None)
