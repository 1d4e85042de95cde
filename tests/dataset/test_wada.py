"""WADA-SNR: a table made from theory, against mixtures whose ratio is known."""

from __future__ import annotations

from math import lgamma, log

import numpy as np
import pytest

from piper_core.dataset.wada import SNR_RANGE_DB, snr_db, spread_by_snr


def mixture(ratio_db: float, size: int = 1_000_000) -> np.ndarray:
    """Samples with the amplitudes of speech (gamma, shape 0.4) in Gaussian noise, `ratio_db` above it in power."""
    random = np.random.default_rng(round(ratio_db) + 1000)
    speech = random.gamma(0.4, size=size) * random.choice([-1.0, 1.0], size)
    speech /= np.sqrt(np.mean(speech**2))
    return speech + random.normal(scale=10 ** (-ratio_db / 20), size=size)


def estimate(samples: np.ndarray) -> float | None:
    heard = np.abs(samples[samples != 0])
    return snr_db(float(heard.mean()), float(np.log(heard).mean()))


@pytest.mark.parametrize("ratio_db", [-5, 0, 7.5, 15, 20, 32, 40, 50])
def test_known_mixtures(ratio_db: float) -> None:
    assert estimate(mixture(ratio_db)) == pytest.approx(ratio_db, abs=0.4)


def test_the_ends_of_the_table_are_the_two_distributions() -> None:
    """Noise alone: ln sqrt(2 / pi) + (gamma + ln 2) / 2. Speech alone: ln 0.4 - digamma(0.4)."""
    step = 1e-5
    digamma = (lgamma(0.4 + step) - lgamma(0.4 - step)) / (2 * step)
    table = spread_by_snr()
    assert len(table) == SNR_RANGE_DB[1] - SNR_RANGE_DB[0] + 1
    assert table[0] == pytest.approx(log(2 / np.pi) / 2 + (np.euler_gamma + log(2)) / 2, abs=1e-4)
    assert table[-1] == pytest.approx(log(0.4) - digamma, abs=0.02)
    assert np.all(np.diff(table) > 0)


def test_the_level_does_not_matter_and_exact_zeros_are_left_out() -> None:
    samples = mixture(20)
    expected = estimate(samples)
    assert estimate(samples * 1e-3) == pytest.approx(expected)
    assert estimate(np.concatenate([np.zeros(500_000), samples])) == pytest.approx(expected)


def test_what_is_no_speech_has_no_ratio_or_the_least() -> None:
    assert snr_db(0.0, -np.inf) is None
    assert estimate(np.full(1000, 0.5)) is None
    square = np.sign(np.sin(np.arange(1000))) * 0.5
    assert estimate(square) is None
    assert estimate(np.sin(np.arange(100_000))) == SNR_RANGE_DB[0]
