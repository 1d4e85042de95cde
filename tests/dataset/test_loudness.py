"""ITU-R BS.1770-4 on signals whose loudness the standard states."""

from __future__ import annotations

import numpy as np
import pytest

from piper_core.dataset.loudness import _k_weighting, integrated_loudness


def sine(frequency_hz: float, level_dbfs: float, sample_rate: int, duration_s: float = 5.0) -> np.ndarray:
    time_s = np.arange(round(duration_s * sample_rate)) / sample_rate
    return 10 ** (level_dbfs / 20) * np.sin(2 * np.pi * frequency_hz * time_s)


@pytest.mark.parametrize("sample_rate", [16000, 22050, 44100, 48000])
@pytest.mark.parametrize("level_dbfs", [0.0, -20.0, -40.0])
def test_the_reference_sine(sample_rate: int, level_dbfs: float) -> None:
    """Annex 1: a 997 Hz sine at 0 dBFS in one channel reads -3.01 LUFS."""
    loudness = integrated_loudness(sine(997, level_dbfs, sample_rate), sample_rate)
    assert loudness == pytest.approx(-3.01 + level_dbfs, abs=0.05)


def test_coefficients_at_48_khz_are_the_standards() -> None:
    """Tables 1 and 2."""
    shelf, high_pass = _k_weighting(48000)
    assert shelf == pytest.approx(
        [1.53512485958697, -2.69169618940638, 1.19839281085285, 1, -1.69065929318241, 0.73248077421585], abs=1e-9
    )
    assert high_pass == pytest.approx([1, -2, 1, 1, -1.99004745483398, 0.99007225036621], abs=1e-9)


def test_silence_between_words_is_gated_away() -> None:
    """Half of the time in silence would cost 3 LU without the gates."""
    speech = sine(997, -23, 22050, 4)
    pauses = np.concatenate([speech, np.zeros(22050 * 4), speech])
    assert integrated_loudness(pauses, 22050) == pytest.approx(integrated_loudness(speech, 22050), abs=0.3)


def test_a_quiet_part_is_gated_relative_to_the_rest() -> None:
    """BS.1770-4: blocks 10 LU below the mean do not count."""
    both = np.concatenate([sine(997, -20, 22050, 4), sine(997, -45, 22050, 4)])
    assert integrated_loudness(both, 22050) == pytest.approx(-23.01, abs=0.3)


def test_too_short_and_silent_clips_have_none() -> None:
    assert integrated_loudness(sine(997, -20, 22050, 0.39), 22050) is None
    assert integrated_loudness(np.zeros(22050), 22050) is None
    assert integrated_loudness(sine(997, -90, 22050), 22050) is None


def test_a_band_below_the_weightings_shelf_has_none() -> None:
    assert integrated_loudness(sine(200, -20, 1000), 1000) is None
    assert integrated_loudness(sine(997, -20, 4000), 4000) == pytest.approx(-23, abs=0.3)
