"""What features depend on beside the clip itself, and what can go wrong in making them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

FEATURE_VERSION = 2
"""Counts up whenever the same input would give other features."""

Trim = Literal["silero", "energy"]
"""How the edges are found: silero, by the voice activity detector that Piper's trainer uses; energy, by loudness."""


class FeatureError(RuntimeError):
    """Features that can't be made or read at all (no clip usable, disk full). The message says what to do."""


class ClipRefused(ValueError):
    """One clip that can't be trained on. The message says why."""


@dataclass(frozen=True)
class FeatureSettings:
    """What features depend on, beside the clip itself."""

    sample_rate: int
    """Hertz, the voice's."""
    language: str
    """The espeak-ng voice."""
    trim: Trim = "silero"
    """How silent edges are found; see `best_trim`."""
    speech_probability: float = 0.2
    """A chunk of 32 ms counts as speech from here on (trim silero), as in Piper's trainer."""
    trim_db: float = 40.0
    """Edges this far below the clip's loudest frame are silence (trim energy)."""
    keep_silence_s: float = 0.25
    """Silence left at each edge, as Piper's trainer leaves."""
    shortest_samples: int = 8192
    """One training segment of VITS: shorter clips can't be sliced."""
    longest_s: float = 30.0
    """Longer clips are left out: a batch's memory grows with its longest clip."""
    hop_length: int = 256
    """Samples a spectrogram frame."""

    @property
    def identity(self) -> bytes:
        """These settings and the version, as a part of every key."""
        return repr((FEATURE_VERSION, sorted(asdict(self).items()))).encode()
