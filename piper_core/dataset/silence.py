"""Where the speech of a clip begins, rests and ends, and how loud it is in between: from the RMS of its frames."""

from __future__ import annotations

import math

import numpy as np

FRAME, HOP = 2048, 512
"""Samples: librosa's defaults for frames of RMS, centred on every 512th sample."""
TOP_DB = (24.0, 40.0)
"""As in librosa.effects.trim: frames that far below the loudest one count as silence. Where a clip's own floor is high,
5 dB above the tenth percentile of its frames, but never less than 24 dB below the loudest: noise is no speech."""
_QUIETEST = 0.1


def frame_levels(block_energy: np.ndarray) -> np.ndarray:
    """RMS [N // HOP + 1] of frames centred on every 512th sample, from the sum of squares of each 512 samples.

    librosa.feature.rms(frame_length=FRAME, hop_length=HOP): a frame is two blocks before its centre and two after.
    """
    padded = np.zeros(block_energy.size + 3)
    padded[2:-1] = block_energy
    return np.asarray(np.sqrt((padded[:-3] + padded[1:-2] + padded[2:-1] + padded[3:]) / FRAME))


def speech_frames(frame_rms: np.ndarray) -> np.ndarray:
    """The numbers of the frames that hold speech, from RMS of centred frames: librosa.effects.trim's rule.

    The threshold is the clip's own (see `TOP_DB`). Silence alone has none.
    """
    from piper_core.dataset.signal_pass import percentile

    loudest = float(frame_rms.max(initial=0.0))
    if loudest <= 0:
        return np.zeros(0, np.int64)
    levels_db = 20 * np.log10(np.maximum(frame_rms, 1e-10, dtype=np.float64) / loudest)
    low, high = TOP_DB
    top_db = min(high, max(low, -percentile(levels_db, _QUIETEST) - 5))
    return np.flatnonzero(levels_db > -top_db)


def speech_edges(speech: np.ndarray, sample_count: int) -> tuple[int, int]:
    """First sample of speech and the one after its last, as librosa.effects.trim; without any, two `sample_count`."""
    if not speech.size:
        return sample_count, sample_count
    return int(speech[0]) * HOP, min(sample_count, (int(speech[-1]) + 1) * HOP)


def longest_pause(speech: np.ndarray) -> int:
    """Samples of the longest silence between two frames of speech.

    A pause of n samples holds (n - FRAME) / HOP + 1 frames: the ones at its ends hear the speech beside it.
    """
    silent = int((speech[1:] - speech[:-1]).max(initial=1)) - 1
    return (silent - 1) * HOP + FRAME if silent else 0


def noise_level(frame_rms: np.ndarray, sample_count: int) -> float:
    """RMS of the quietest tenth of the frames, 0 in silence.

    Frames that reach over the clip's ends are left out, and so are those of exact zeros: nothing records them.
    """
    from piper_core.dataset.signal_pass import quietest_power

    frame_rms = np.asarray(frame_rms, np.float64)
    inside = frame_rms[FRAME // 2 // HOP : max(0, sample_count - FRAME // 2) // HOP + 1]
    return math.sqrt(quietest_power(inside, _QUIETEST) or quietest_power(frame_rms, _QUIETEST))
