"""One clip and its text -> phoneme ids and trimmed int16 audio: decoded once, resampled to each rate that is needed.

The two halves stand apart because the detector that trims works on many clips at once: `decode_clip`, then
`finish_clip` with what the detector said. `extract` does both for a single clip.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from piper_core.features.settings import ClipRefused, FeatureSettings
from piper_core.features.silero import SAMPLE_RATE, load_silero
from piper_core.features.trimming import refuse_silence, sounding_span, speech_span


@dataclass(frozen=True)
class DecodedClip:
    """A clip at the voice's rate, and what the detector needs of it."""

    audio: np.ndarray
    """float32 [N], mono"""
    samples_16k: int
    """Samples at 16 kHz; 0 where nothing was encoded"""
    encoded: np.ndarray | None
    """float32 [chunks, 128] for SileroVad.speech; None when trimming by energy"""


def decode_clip(
    path: Path, settings: FeatureSettings, offset_s: float = 0.0, length_s: float | None = None
) -> DecodedClip:
    """A file, or a span of it. Decodes little more than `longest_s`, whatever the header claims. Raises ClipRefused."""
    from piper_core.dataset.audio import AudioError, load_clip

    try:
        source, rate = load_clip(path, max_s=settings.longest_s + 1, offset_s=offset_s, length_s=length_s)
    except AudioError as error:
        raise ClipRefused(str(error).rstrip(".")) from None
    return clip_of(source, rate, settings)


def clip_of(source: np.ndarray, rate: int, settings: FeatureSettings) -> DecodedClip:
    """As `decode_clip`, of float32 mono samples [N] at `rate` Hz that were read already. Raises ClipRefused."""
    from piper_core.dataset.audio import AudioError, resample

    try:
        audio = resample(source, rate, settings.sample_rate)
        if len(audio) > settings.longest_s * settings.sample_rate:
            raise ClipRefused(f"too long: over {settings.longest_s:g} s, the longest that is trained on")
        if not np.isfinite(audio).all():
            raise ClipRefused("holds samples that are not numbers")
        refuse_silence(audio)
        if settings.trim == "energy":
            return DecodedClip(audio, 0, None)
        at_16k = audio if settings.sample_rate == SAMPLE_RATE else resample(source, rate, SAMPLE_RATE)
    except AudioError as error:
        raise ClipRefused(str(error).rstrip(".")) from None
    return DecodedClip(audio, len(at_16k), load_silero().encode(at_16k))


def finish_clip(
    clip: DecodedClip, speech: np.ndarray | None, text: str, settings: FeatureSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Phoneme ids int64 [T] and trimmed audio int16 [N]. `speech` is SileroVad's for this clip. Raises ClipRefused."""
    from piper_core.dataset.text import TextError, phoneme_ids

    start, end = kept_span(clip, speech, settings)
    audio = _int16(clip.audio[start:end])
    if len(audio) < settings.shortest_samples:
        raise ClipRefused(
            f"too short: {len(audio) / settings.sample_rate:.2f} s of speech, and training needs at least "
            f"{settings.shortest_samples / settings.sample_rate:.2f} s"
        )
    try:
        ids = phoneme_ids(text, settings.language)
    except TextError as error:
        raise ClipRefused(str(error)) from None
    if len(ids) <= 3:  # only the marks of beginning, pad and end
        raise ClipRefused("its text has no phonemes")
    frames = len(audio) // settings.hop_length
    if len(ids) > frames:
        # Monotonic alignment gives every phoneme at least one frame.
        raise ClipRefused(f"too much text for its audio: {len(ids)} phoneme ids on {frames} frames")
    return np.asarray(ids, dtype=np.int64), audio


def kept_span(clip: DecodedClip, speech: np.ndarray | None, settings: FeatureSettings) -> tuple[int, int]:
    """First sample of `clip.audio` that is trained on, and the one after the last."""
    if speech is None:
        return sounding_span(clip.audio, settings)
    return speech_span(speech, clip.samples_16k, len(clip.audio), settings)


def extract(path: Path, text: str, settings: FeatureSettings) -> tuple[np.ndarray, np.ndarray]:
    """Phoneme ids int64 [T] and trimmed audio int16 [N] of one clip. Raises ClipRefused."""
    clip = decode_clip(path, settings)
    speech = None if clip.encoded is None else load_silero().speech([clip.encoded])[0]
    return finish_clip(clip, speech, text, settings)


def _int16(audio: np.ndarray) -> np.ndarray:
    scaled = audio * np.float32(32768.0)
    np.rint(scaled, out=scaled)
    return np.clip(scaled, -32768, 32767, out=scaled).astype(np.int16)
