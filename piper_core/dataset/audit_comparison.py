"""One clip beside its text, spoken by espeak-ng: for the ear, for the eye, and where the two belong together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from piper_core.dataset.audio import mel_spectrogram
from piper_core.dataset.audit import align_frames, speak_text
from piper_core.dataset.audit_cepstra import HOP_S, cepstra, shared_top_hz
from piper_core.dataset.audit_likeness import Likeness
from piper_core.dataset.decoding import MAX_CLIP_S, Unreadable, decode, mono
from piper_core.dataset.espeak_voice import EspeakVoice
from piper_core.dataset.text import check_language


@dataclass(frozen=True)
class ComparedWord:
    """A word of the text, where it should lie in the recording, and how badly the two agree there."""

    text: str
    start_s: float
    end_s: float
    cost: float
    """Minus nats a frame, as a clip's cost: below 0 they agree, above 0 they do not."""


@dataclass(frozen=True)
class Comparison:
    """A recording and its text, spoken."""

    audio: np.ndarray
    """float32 [N] at `sample_rate`."""
    sample_rate: int
    spoken: np.ndarray
    """float32 [M] at `spoken_rate`."""
    spoken_rate: int
    mel: np.ndarray
    """[80, frames] in dB below the loudest point, hop 256 samples, as `audio.mel_spectrogram` draws it."""
    spoken_mel: np.ndarray
    times_s: np.ndarray
    """float32 [k], rising: moments of the recording; its pauses have none."""
    spoken_times_s: np.ndarray
    """float32 [k]: which moment of the spoken text each belongs to."""
    costs: np.ndarray
    """float32 [k]: how badly the two agree at each."""
    cost: float
    """Of the whole clip. Nothing was learnt from other clips, so it lies nearer to 0 than the set's audit finds."""
    words: tuple[ComparedWord, ...]


@dataclass(frozen=True)
class NotCompared:
    """Nothing can be laid side by side, and why."""

    reason: str


def compare(
    path: Path, text: str, language: str, offset_s: float = 0.0, length_s: float | None = None
) -> Comparison | NotCompared:
    """The clip at `path` (a span of it) beside `text`, spoken.

    Raises TextError for a language that espeak-ng lacks, EspeakUnavailable without espeakng-loader, AudioError without
    librosa.
    """
    code = check_language(language)
    decoded = decode(path, MAX_CLIP_S, offset_s, length_s)
    if isinstance(decoded, Unreadable):
        return NotCompared(f"{path.name} can't be read. {decoded.reason}")
    header, samples = decoded
    with EspeakVoice() as voice:
        said = speak_text(voice, text, code)
    if said is None:
        return NotCompared("The text has no word that could be spoken.")
    audio, spoken = mono(samples), said.samples.astype(np.float32) / 32768
    top_hz = shared_top_hz(header.sample_rate)
    heard, beside = cepstra(audio, header.sample_rate, top_hz), cepstra(spoken, said.sample_rate, top_hz)
    if heard is None:
        return NotCompared("There is no sound in the clip.")
    if beside is None:
        return NotCompared("espeak-ng makes no sound of this text.")
    rate = len(heard.frames) / len(beside.frames)
    total, places, nats = align_frames(heard.frames, beside.frames, Likeness.assumed(), rate)
    spoken_times_s = np.interp(places, np.arange(len(beside.times_s)), beside.times_s).astype(np.float32)
    bounds = [*(word.start_s for word in said.words), np.inf]
    words = []
    for word, end_s in zip(said.words, bounds[1:], strict=True):
        inside = np.flatnonzero((spoken_times_s >= word.start_s) & (spoken_times_s < end_s))
        if inside.size:
            first, last = heard.times_s[inside[0]], heard.times_s[inside[-1]]
            words.append(
                ComparedWord(
                    text[word.start : word.end],
                    max(0.0, float(first) - HOP_S / 2),
                    float(last) + HOP_S / 2,
                    -float(nats[inside].mean()),
                )
            )
    return Comparison(
        audio=audio,
        sample_rate=header.sample_rate,
        spoken=spoken,
        spoken_rate=said.sample_rate,
        mel=mel_spectrogram(np.nan_to_num(audio), header.sample_rate),
        spoken_mel=mel_spectrogram(spoken, said.sample_rate),
        times_s=heard.times_s,
        spoken_times_s=spoken_times_s,
        costs=-nats,
        cost=-total / len(nats),
        words=tuple(words),
    )
