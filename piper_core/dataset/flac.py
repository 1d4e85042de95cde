"""FLAC files -> samples in half of libsndfile's time, by dr_flac (in the optional package miniaudio).

For whole clips of the common kinds, where all is as the header says. Of all others, and of whatever is broken,
libsndfile says what it is.
"""

from __future__ import annotations

import functools
from pathlib import Path
from types import ModuleType

import numpy as np

from piper_core.dataset.audio_header import AudioHeader
from piper_core.dataset.plain_header import flac_header

_MOST_BYTES, _MOST_SAMPLES = 1 << 26, 1 << 25
"""Longer files are read block by block, so that no header asks for more memory than there is."""


def decode_flac(path: Path, size_bytes: int, longest_s: float) -> tuple[AudioHeader, np.ndarray] | None:
    """Header and float32 samples [N, channels] of a FLAC file of at most `longest_s`; None where libsndfile has to.

    Raises OSError.
    """
    if path.suffix.lower() != ".flac" or size_bytes > _MOST_BYTES or (miniaudio := _miniaudio()) is None:
        return None
    data = path.read_bytes()
    header = flac_header(data, size_bytes) if data[:4] == b"fLaC" else None
    if header is None or not 0 < header.duration_s <= longest_s:
        return None
    samples = round(header.duration_s * header.sample_rate) * header.channels
    if samples > _MOST_SAMPLES:
        return None
    try:
        sound = miniaudio.flac_read_f32(data)
    except miniaudio.DecodeError:
        return None
    if (sound.sample_rate, sound.nchannels, len(sound.samples)) != (header.sample_rate, header.channels, samples):
        return None
    return header, np.frombuffer(sound.samples, np.float32).reshape(-1, header.channels)


@functools.cache
def _miniaudio() -> ModuleType | None:
    try:
        import miniaudio
    except ImportError:
        return None
    return miniaudio
