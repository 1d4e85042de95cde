"""What the clip view lets hear is what training keeps of a clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pages.components.dataset.clip_reading import reading
from pages.components.dataset.clip_sound import samples, trim
from piper_core.dataset.layouts import read_dataset
from piper_core.features import FeatureSettings, extract
from piper_core.features.trimming import best_trim


def test_the_trimmed_clip_is_the_one_that_training_gets(kathleen: Path) -> None:
    settings = FeatureSettings(sample_rate=22050, language="en-us", trim=best_trim())
    for utterance in read_dataset(kathleen).utterances[:5]:
        heard = samples(utterance.path)
        assert not isinstance(heard, str)
        sound, rate = heard
        kept = trim(sound, rate)
        _, trained = extract(utterance.path, utterance.text, settings)
        assert rate == settings.sample_rate
        assert np.array_equal(np.rint(sound[kept.start : kept.end] * 32768), trained)


@pytest.mark.parametrize(
    ("sound", "said"),
    [(np.zeros(22050), "is silent"), (np.full(22050 * 31, 0.1), "too long"), (np.zeros(0), "no samp")],
)
def test_what_training_leaves_out_is_said(sound: np.ndarray, said: str) -> None:
    assert said in trim(sound.astype(np.float32), 22050).refusal


def test_a_clip_that_is_gone_is_a_sentence(tmp_path: Path) -> None:
    assert "no file gone.wav" in str(samples(tmp_path / "gone.wav"))


def test_a_reading_says_why_there_is_none(kathleen: Path, tmp_path: Path) -> None:
    path = read_dataset(kathleen).utterances[0].path
    assert "no word" in str(reading(path, " … ", "en-us"))
    assert "no language" in str(reading(path, "Hello.", "xx-nowhere"))
    assert "more than a clip holds" in str(reading(path, "word " * 20_000, "en-us"))
    assert "gone.wav" in str(reading(tmp_path / "gone.wav", "Hello.", "en-us"))


def test_a_reading_agrees_with_its_own_clip_better_than_with_another(kathleen: Path) -> None:
    one, other = read_dataset(kathleen).utterances[:2]
    own, foreign = (reading(path, one.text, "en-us") for path in (one.path, other.path))
    assert not isinstance(own, str)
    assert not isinstance(foreign, str)
    assert own.cost < foreign.cost
    assert len(own.words) >= len(one.text.split()) - 1
