"""Where a recording's band ends: upsampled and coded clips, against steep voices that are narrow to the eye alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from piper_core.dataset.bandwidth import RANGE_DB, bandwidth_hz, frame_spectra, mean_power


def of(audio: np.ndarray, sample_rate: int) -> float | None:
    return bandwidth_hz(mean_power(frame_spectra(audio.astype(np.float32))), sample_rate)


def noise(duration_s: float, sample_rate: int, tilt_db_an_octave: float = 0.0) -> np.ndarray:
    """White noise at -20 dBFS, or noise that falls by so much an octave from 200 Hz on."""
    size = round(duration_s * sample_rate)
    spectrum = np.fft.rfft(np.random.default_rng(7).normal(size=size))
    frequency_hz = np.fft.rfftfreq(size, 1 / sample_rate)
    spectrum *= 10 ** (-tilt_db_an_octave * np.log2(np.maximum(frequency_hz, 200) / 200) / 20)
    audio = np.fft.irfft(spectrum, size)
    return 0.1 * audio / np.sqrt(np.mean(audio**2))


def stored(audio: np.ndarray) -> np.ndarray:
    """As 16 bits hold it."""
    return np.rint(audio * 32767) / 32767


@pytest.mark.parametrize("tilt_db_an_octave", [0, 6, 12, 18])
@pytest.mark.parametrize("sample_rate", [16000, 22050, 44100, 48000])
def test_a_spectrum_that_falls_steeply_is_not_narrow(sample_rate: int, tilt_db_an_octave: float) -> None:
    """At 12 dB an octave it is 50 dB down by 3.6 kHz: the plain rule calls that narrow."""
    audio = stored(noise(3, sample_rate, tilt_db_an_octave))
    power = mean_power(frame_spectra(audio.astype(np.float32)))
    plain = np.flatnonzero(power > power.max() * 10 ** (-RANGE_DB / 10))[-1] * sample_rate / 512
    assert plain < 5000 or tilt_db_an_octave <= 6
    assert bandwidth_hz(power, sample_rate) == sample_rate / 2


@pytest.mark.parametrize("tilt_db_an_octave", [0, 6, 9])
@pytest.mark.parametrize(
    ("narrow", "sample_rate"), [(8000, 22050), (11025, 22050), (16000, 22050), (16000, 48000), (22050, 44100)]
)
def test_upsampled_noise_is_found(narrow: int, sample_rate: int, tilt_db_an_octave: float) -> None:
    audio = soxr.resample(noise(3, narrow, tilt_db_an_octave), narrow, sample_rate, quality="HQ")
    assert of(stored(audio), sample_rate) == pytest.approx(narrow / 2, rel=0.06)


@pytest.mark.parametrize("narrow", [8000, 11025, 16000])
@pytest.mark.parametrize("gain", [1.0, 0.1])
def test_upsampled_speech_is_found(multispeaker: Path, narrow: int, gain: float) -> None:
    for path in sorted((multispeaker / "wavs").iterdir()):
        audio, rate = soundfile.read(path, dtype="float32")
        upsampled = soxr.resample(soxr.resample(audio, rate, narrow), narrow, rate)
        assert of(stored(gain * upsampled), rate) == pytest.approx(narrow / 2, rel=0.07), path.name


def test_real_speech_reaches_half_its_rate(kathleen: Path, multispeaker: Path) -> None:
    for path in [*sorted((kathleen / "wavs").iterdir())[::5], *(multispeaker / "wavs").iterdir()]:
        audio, rate = soundfile.read(path, dtype="float32")
        assert of(audio, rate) > 0.95 * rate / 2, path.name


@pytest.mark.parametrize("sample_rate", [44100, 48000])
def test_an_mp3_that_ends_at_16_khz(tmp_path: Path, sample_rate: int) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(
        path, noise(4, sample_rate), sample_rate, format="MP3", subtype="MPEG_LAYER_III", compression_level=0.8
    )
    audio, rate = soundfile.read(path, dtype="float32")
    assert 12_000 < of(audio, rate) < 18_000
    assert of(stored(audio), rate) == pytest.approx(of(audio, rate), abs=200)


def test_silence_and_clips_shorter_than_a_frame() -> None:
    assert of(np.zeros(5000), 22050) is None
    assert of(np.zeros(0), 22050) is None
    assert of(noise(0.02, 22050)[:300], 22050) == 11025
