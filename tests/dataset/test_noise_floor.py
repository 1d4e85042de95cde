"""The noise floor of speech, held against noise that was added at a known level."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from piper_core.dataset.audio import load_clip
from piper_core.dataset.bandwidth import frame_spectra
from piper_core.dataset.noise_floor import floor_snr_db

RATE = 22050


def with_noise(audio: np.ndarray, snr_db: float, seed: int = 0) -> np.ndarray:
    level = np.sqrt(np.mean(audio**2)) * 10 ** (-snr_db / 20)
    return (audio + np.random.default_rng(seed).normal(scale=level, size=audio.size)).astype(np.float32)


@pytest.mark.parametrize("snr_db", [5, 10, 15, 20])
def test_white_noise_under_real_speech_is_read_within_3_db(kathleen: Path, snr_db: float) -> None:
    for file in sorted((kathleen / "wavs").iterdir())[::25]:
        audio, _ = load_clip(file)
        found = floor_snr_db(frame_spectra(with_noise(audio, snr_db)))
        # Power above the floor holds the noise itself.
        assert found == pytest.approx(10 * np.log10(10 ** (snr_db / 10) + 1), abs=3)


def test_clean_clips_lie_higher_though_they_hold_no_silence(kathleen: Path) -> None:
    files = sorted((kathleen / "wavs").iterdir())[::25]
    levels = [floor_snr_db(frame_spectra(load_clip(file)[0])) for file in files]
    assert min(level for level in levels if level is not None) > 20


def test_silence_has_none_and_an_offset_is_no_noise(kathleen: Path) -> None:
    assert floor_snr_db(frame_spectra(np.zeros(RATE, np.float32))) is None
    audio, _ = load_clip(sorted((kathleen / "wavs").iterdir())[0])
    plain, padded = (floor_snr_db(frame_spectra(x)) for x in (audio, np.pad(audio, RATE)))
    shifted = floor_snr_db(frame_spectra(audio + np.float32(0.05)))
    assert plain is not None
    assert shifted == pytest.approx(plain, abs=1)
    assert padded == pytest.approx(plain, abs=3), "nothing records exact zeros"
