"""A span of a long file is trained on as the clip that it is: its own audio, its own key, and its file read once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cache_utils.store import CacheStore
from piper_core.dataset.layouts import Utterance, read_dataset
from piper_core.features import FeatureSettings, load_features, prepare, preparing

RATE = 16000
SETTINGS = FeatureSettings(sample_rate=RATE, language="en-us", trim="energy", keep_silence_s=0.0)
TEXT = "Three words here."


def tone(frequency_hz: float, duration_s: float) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(round(duration_s * RATE)) / RATE)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Three seconds at 200 Hz, then three at 400 Hz, and a NeMo manifest with a span of each."""
    folder = tmp_path / "set"
    (folder / "wavs").mkdir(parents=True)
    soundfile.write(folder / "wavs/long.wav", np.concatenate([tone(200, 3), tone(400, 3)]), RATE)
    rows = [{"audio_filepath": "wavs/long.wav", "offset": at_s, "duration": 1.5, "text": TEXT} for at_s in (1, 4)]
    (folder / "manifest.json").write_text("\n".join(map(json.dumps, rows)))
    return folder


def test_spans_are_prepared_as_clips_of_their_own(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CacheStore(tmp_path / "cache", max_bytes=10**9)
    utterances = read_dataset(recording).utterances
    read: list[Path] = []
    digest = preparing.file_digest
    monkeypatch.setattr(preparing, "file_digest", lambda path: read.append(path) or digest(path))
    prepared = prepare(utterances, SETTINGS, store, speakers={}, owner="test", jobs=1)
    assert [one.utterance_id for one in prepared.utterances] == ["long_0001000-0002500", "long_0004000-0005500"]
    assert len(read) == 1, "the file is read once for all its spans"
    for one, frequency_hz in zip(prepared.utterances, (200, 400), strict=True):
        _, audio = load_features(store, one.key)
        assert abs(len(audio) - 1.5 * RATE) <= 512
        spectrum = np.abs(np.fft.rfft(audio.astype(float)))
        assert abs(np.argmax(spectrum) * RATE / len(audio) - frequency_hz) < 2
    again = prepare(utterances, SETTINGS, store, speakers={}, owner="test", jobs=1)
    assert again.cache_hits == 2
    assert [one.key for one in again.utterances] == [one.key for one in prepared.utterances]


def test_another_span_is_another_key_and_the_whole_file_keeps_its_own(recording: Path, tmp_path: Path) -> None:
    store = CacheStore(tmp_path / "cache", max_bytes=10**9)
    path = recording / "wavs/long.wav"
    spans = [Utterance(f"c{i}", path, TEXT, None, i, None, *span) for i, span in enumerate([(0.0, None), (1.0, 1.5),
             (1.0, 1.6), (1.0, None)])]  # fmt: skip
    prepared = prepare(spans, SETTINGS, store, speakers={}, owner="test", jobs=2)
    assert len({one.key for one in prepared.utterances}) == 4
    lengths = [one.sample_count / RATE for one in prepared.utterances]
    np.testing.assert_allclose(lengths, [6.0, 1.5, 1.6, 5.0], atol=0.05)


def test_a_span_that_leaves_its_file_is_refused_with_a_reason(recording: Path, tmp_path: Path) -> None:
    store = CacheStore(tmp_path / "cache", max_bytes=10**9)
    span = Utterance("x", recording / "wavs/long.wav", TEXT, None, 1, None, 5.0, 3.0)
    prepared = prepare([span], SETTINGS, store, speakers={}, owner="test", jobs=1)
    assert prepared.utterances == ()
    assert "span" in prepared.skipped[0][1]
