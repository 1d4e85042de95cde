"""Where speech begins and ends in a clip, with a quarter of a second of what is around it.

`speech_span` is the rule of Piper's trainer (piper-tts 1.8.0, `_trim_silence`) on the decisions of Silero's voice
activity detector; `sounding_span` stands in for it where the detector is not installed.
"""

from __future__ import annotations

import math

import numpy as np

from piper_core.features.settings import ClipRefused, FeatureSettings, Trim
from piper_core.features.silero import CHUNK, SAMPLE_RATE, silero_problem

_FRAME, _HOP = 2048, 512  # of the trim by loudness, as librosa.effects.trim
_SILENT_POWER = 1e-10  # -100 dBFS, under one step of 16 bits


def best_trim() -> Trim:
    """By Silero's detector, or by loudness where a package that it needs is missing (see `silero_problem`)."""
    return "silero" if silero_problem() is None else "energy"


def speech_span(speech: np.ndarray, samples_16k: int, samples: int, settings: FeatureSettings) -> tuple[int, int]:
    """First sample and the one after the last that are kept, of `samples` at the voice's rate.

    `speech` [chunks] are probabilities for chunks of 512 of the `samples_16k` at 16 kHz. Kept are the first chunk of
    speech to the last, and `keep_silence_s` each side; the whole clip where no chunk is speech.
    """
    found = np.flatnonzero(speech >= np.float32(settings.speech_probability))
    if not len(found):
        return 0, samples
    duration_s, chunk_s = samples_16k / SAMPLE_RATE, CHUNK / SAMPLE_RATE
    start_s = max(0.0, int(found[0]) * chunk_s - settings.keep_silence_s)
    end_s = min(duration_s, (int(found[-1]) + 1) * chunk_s + settings.keep_silence_s)
    return math.floor(samples * (start_s / duration_s)), math.ceil(samples * (end_s / duration_s))


def sounding_span(audio: np.ndarray, settings: FeatureSettings) -> tuple[int, int]:
    """The same for float audio [N] at the voice's rate, by its loudness.

    A frame is silence when its mean power lies more than `trim_db` below the loudest frame's (the rule of
    librosa.effects.trim: frames of 2048 samples centred every 512).
    """
    power = np.concatenate(([0.0], np.cumsum(np.square(audio, dtype=np.float64))))
    centres = np.arange(0, len(audio) + 1, _HOP)
    frame_power = (
        power[np.minimum(centres + _FRAME // 2, len(audio))] - power[np.maximum(centres - _FRAME // 2, 0)]
    ) / _FRAME
    sounding = np.flatnonzero(frame_power > frame_power.max() * 10 ** (-settings.trim_db / 10))
    keep = int(settings.keep_silence_s * settings.sample_rate)
    return max(0, int(sounding[0]) * _HOP - keep), min(len(audio), (int(sounding[-1]) + 1) * _HOP + keep)


def refuse_silence(audio: np.ndarray) -> None:
    """Raises ClipRefused for a clip without samples, or without a stretch of 2048 samples above -100 dBFS."""
    if not len(audio):
        raise ClipRefused("holds no samples")
    if float(np.abs(audio).max()) ** 2 >= _SILENT_POWER * _FRAME:
        return  # one sample alone lifts its frame that far
    starts = np.arange(0, len(audio), _FRAME // 2)
    power = np.add.reduceat(np.square(audio, dtype=np.float64), starts)
    if (power[:-1] + power[1:]).max(initial=power[0]) < _SILENT_POWER * _FRAME:
        raise ClipRefused("is silent")
