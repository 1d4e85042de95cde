"""Edges, pauses and the floor between the words: planted, and found to a frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from piper_core.dataset.audio import load_clip
from piper_core.dataset.silence import longest_pause, noise_level, speech_edges, speech_frames

RATE = 22050


def frames_of(audio: np.ndarray) -> np.ndarray:
    import librosa

    return librosa.feature.rms(y=audio.astype(np.float32))[0]


def clip(*parts: tuple[float, float], floor: float = 1e-4) -> np.ndarray:
    """Tones of (level, seconds) over a floor of noise."""
    time_s = [np.arange(round(seconds * RATE)) / RATE for _, seconds in parts]
    audio = np.concatenate([level * np.sin(2 * np.pi * 220 * t) for (level, _), t in zip(parts, time_s, strict=True)])
    return audio + np.random.default_rng(1).normal(scale=floor, size=audio.size)


def test_edges_of_real_speech_are_librosas(kathleen: Path) -> None:
    import librosa

    for path in sorted((kathleen / "wavs").iterdir())[::25]:
        audio, _ = load_clip(path)
        frames = frames_of(audio)
        levels_db = 20 * np.log10(frames / frames.max())
        top_db = min(40.0, max(24.0, -float(np.percentile(levels_db, 10)) - 5))
        assert speech_edges(speech_frames(frames), audio.size) == tuple(librosa.effects.trim(audio, top_db=top_db)[1])


@pytest.mark.parametrize("pause_s", [0.2, 0.5, 1.0, 2.5])
def test_a_pause_has_its_length(pause_s: float) -> None:
    audio = clip((0, 0.4), (0.3, 1), (0, pause_s), (0.2, 1), (0, 0.15), (0.3, 0.5), (0, 0.6))
    assert longest_pause(speech_frames(frames_of(audio))) / RATE == pytest.approx(pause_s, abs=0.05)


def test_a_pause_in_real_speech(kathleen: Path) -> None:
    """Two seconds of the clip's own floor between its halves."""
    audio, rate = load_clip(kathleen / "wavs" / "arctic_a0007_1592748422.flac")
    middle = audio.size // 2
    before = longest_pause(speech_frames(frames_of(audio)))
    floor = np.random.default_rng(3).normal(scale=1e-3, size=2 * rate).astype(np.float32)
    paused = np.concatenate([audio[:middle], floor, audio[middle:]])
    assert before / rate < 0.5
    assert 1.9 < longest_pause(speech_frames(frames_of(paused))) / rate < 2.5


def test_no_pause() -> None:
    assert longest_pause(speech_frames(frames_of(clip((0.3, 2.0))))) == 0
    assert longest_pause(speech_frames(np.zeros(40))) == 0
    assert speech_edges(speech_frames(np.zeros(40)), 20_000) == (20_000, 20_000)


@pytest.mark.parametrize("floor", [1e-4, 1e-3, 1e-2])
def test_the_floor_between_the_words(floor: float) -> None:
    audio = clip((0, 0.4), (0.5, 1.5), (0, 0.5), floor=floor)
    assert 20 * np.log10(noise_level(frames_of(audio), audio.size)) == pytest.approx(20 * np.log10(floor), abs=0.5)


def test_digital_silence_at_the_edges_is_no_recorded_floor() -> None:
    audio = np.concatenate([np.zeros(RATE), clip((0, 0.6), (0.5, 1), floor=1e-3), np.zeros(RATE)])
    assert 20 * np.log10(noise_level(frames_of(audio), audio.size)) == pytest.approx(-60, abs=7)
    assert noise_level(np.zeros(40), 20_000) == 0
    assert noise_level(frames_of(np.full(700, 0.5)), 700) > 0, "shorter than a frame"
