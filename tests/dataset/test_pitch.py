"""The median pitch of a clip: tones and pulses of known frequency, and real voices beside librosa.pyin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from piper_core.dataset.audio import load_clip, measure, measure_with_pitch
from piper_core.dataset.pitch import median_pitch, voiced_pitch

RATE = 22050


def voice(pitch_hz: float, duration_s: float = 1.0, rate: int = RATE, weakest: int = 1) -> np.ndarray:
    """A pulse train through a formant or two: harmonics from number `weakest` on, falling 6 dB an octave."""
    time_s = np.arange(round(duration_s * rate)) / rate
    harmonics = range(weakest, int(min(rate / 2, 4000) / pitch_hz))
    audio = sum(np.cos(2 * np.pi * k * pitch_hz * time_s + k) / k for k in harmonics)
    return (0.1 * np.asarray(audio) / np.abs(audio).max()).astype(np.float32)


def semitones(a: float | None, b: float) -> float:
    assert a is not None
    return float(12 * np.log2(a / b))


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("pitch_hz", [70, 110, 155, 220, 330, 450])
def test_voices_of_known_pitch(pitch_hz: float, rate: int) -> None:
    assert semitones(median_pitch(voice(pitch_hz, rate=rate), rate), pitch_hz) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("pitch_hz", [90, 180, 360])
def test_a_missing_or_weak_fundamental_is_no_octave_error(pitch_hz: float) -> None:
    """A telephone's or a small microphone's."""
    assert semitones(median_pitch(voice(pitch_hz, weakest=2), RATE), pitch_hz) == pytest.approx(0, abs=0.2)


def test_the_level_does_not_matter_and_pauses_do_not_count() -> None:
    quiet = np.random.default_rng(4).normal(scale=1e-4, size=2 * RATE).astype(np.float32)
    clip = np.concatenate([quiet, voice(140), quiet, voice(140), quiet])
    assert semitones(median_pitch(clip, RATE), 140) == pytest.approx(0, abs=0.1)
    assert median_pitch(0.001 * clip, RATE) == pytest.approx(median_pitch(clip, RATE), rel=1e-3)


def test_a_gliding_voice_has_the_pitch_of_its_middle() -> None:
    time_s = np.arange(2 * RATE) / RATE
    phase = 2 * np.pi * (100 * time_s + 50 * time_s**2 / 2)
    glide = sum(np.cos(k * phase) / k for k in range(1, 15)).astype(np.float32)
    assert median_pitch(glide, RATE) == pytest.approx(150, rel=0.02)


def test_noise_and_silence_have_none() -> None:
    assert median_pitch(np.zeros(RATE, np.float32), RATE) is None
    assert median_pitch(np.random.default_rng(5).normal(scale=0.1, size=3 * RATE).astype(np.float32), RATE) is None
    assert median_pitch(voice(200)[:500], RATE) is None
    assert median_pitch(np.zeros(0, np.float32), RATE) is None


def test_real_voices_have_the_pitch_that_pyin_finds(kathleen: Path, multispeaker: Path) -> None:
    """Frame by frame within a semitone, where both are sure of a voice. Which frames those are, the two see differently

    (pyin's own median moves by a semitone and more in a tenth of these clips with the least confidence it is asked
    for), and so a tenth of the medians may.
    """
    import librosa

    paths = [*sorted((kathleen / "wavs").iterdir())[3::25], *sorted((multispeaker / "wavs").iterdir())[::4]]
    of_medians, of_frames = [], []
    for path in paths:
        audio, rate = load_clip(path)
        pyin_hz, voiced, probability = librosa.pyin(audio, sr=rate, fmin=60, fmax=500)
        of_medians.append(abs(semitones(median_pitch(audio, rate), float(np.nanmedian(pyin_hz[voiced])))))
        times_s, pitch_hz = voiced_pitch(audio, rate)
        beside = np.rint(times_s * rate / 512).astype(int).clip(0, len(pyin_hz) - 1)
        both = (voiced & (probability > 0.1))[beside]
        of_frames.append(np.abs(12 * np.log2(pitch_hz[both] / pyin_hz[beside[both]])))
    frames = np.concatenate(of_frames)
    assert frames.size > 20 * len(paths)
    assert np.mean(frames < 1) > 0.95
    assert np.mean(np.array(of_medians) < 1) > 0.9
    assert max(of_medians) < 4


def test_two_voices_are_told_apart(multispeaker: Path) -> None:
    pitches = {speaker: [] for speaker in ("kathleen", "lj")}
    for path in sorted((multispeaker / "wavs").iterdir()):
        pitches[path.name.split("_")[0]].append(median_pitch(*load_clip(path)))
    assert np.median(pitches["lj"]) > 1.25 * np.median(pitches["kathleen"])


def test_one_decode_gives_both(kathleen: Path) -> None:
    path = kathleen / "wavs" / "arctic_a0007_1592748422.flac"
    measured, pitch_hz = measure_with_pitch(path, 0.5, 2.0)
    assert measured == measure(path, 0.5, 2.0)
    assert pitch_hz == median_pitch(*load_clip(path, offset_s=0.5, length_s=2.0))
    assert measure_with_pitch(path.with_suffix(".none"))[1] is None


def test_broken_samples_count_as_zeros() -> None:
    broken = voice(140)
    broken[[5, 9000, 9001]] = [np.nan, np.inf, -np.inf]
    assert semitones(median_pitch(broken, RATE), 140) == pytest.approx(0, abs=0.1)
