"""Utterance -> cached training features: int16 audio at the voice's rate, and phoneme ids, keyed by content.

`settings`     what features depend on beside the clip; the errors
`silero`       where speech is: Piper's voice activity detector, over many clips at once
`trimming`     the edges that are kept of a clip
`extraction`   one clip: decoded once, resampled, trimmed; its text as phoneme ids
`entries`      a cache entry: key, bytes, reading back
`known_files`  what a former start knew of the files, so that the next reads none
`streaming`    work on threads that can be stopped
`preparing`    a dataset: look up what is there, make what is missing

A key is a hash of the audio file's bytes, the span of it that is the clip, the text, the language, the audio settings
and FEATURE_VERSION, so an edit anywhere makes new features, and moving a file or reordering the manifest makes none.
Spectrograms are not stored: they are computed on the fly, which leaves the cache about six times smaller.
"""

from __future__ import annotations

from collections.abc import Iterable

from piper_core.features.entries import load_features, pack, unpack
from piper_core.features.extraction import extract
from piper_core.features.preparing import Prepared, PreparedUtterance, PreparingProgress, prepare
from piper_core.features.settings import FEATURE_VERSION, ClipRefused, FeatureError, FeatureSettings
from piper_core.features.silero import silero_problem
from piper_core.features.trimming import best_trim

__all__ = [
    "FEATURE_VERSION",
    "ClipRefused",
    "FeatureError",
    "FeatureSettings",
    "Prepared",
    "PreparedUtterance",
    "PreparingProgress",
    "best_trim",
    "extract",
    "load_features",
    "pack",
    "prepare",
    "silero_problem",
    "speaker_ids",
    "unpack",
]


def speaker_ids(speakers: Iterable[str | None]) -> dict[str, int]:
    """Speaker name -> id, in order of first appearance, as Piper numbers them; empty for a single speaker."""
    names = dict.fromkeys(name for name in speakers if name)
    return {name: index for index, name in enumerate(names)} if len(names) > 1 else {}
