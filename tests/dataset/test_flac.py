"""dr_flac gives the samples that libsndfile gives, or leaves the file to it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from piper_core.dataset import decoding, flac
from piper_core.dataset.decoding import MAX_CLIP_S, Unreadable, decode
from piper_core.dataset.flac import decode_flac


@pytest.fixture
def by_libsndfile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "decode_flac", lambda *_: None)


def quickly(path: Path, longest_s: float = MAX_CLIP_S) -> np.ndarray | None:
    decoded = decode_flac(path, path.stat().st_size, longest_s)
    return None if decoded is None else decoded[1]


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_samples_are_libsndfiles(tmp_path: Path, subtype: str, channels: int) -> None:
    path = tmp_path / "a.flac"
    samples = np.random.default_rng(channels).uniform(-1, 1, (5001, channels))
    soundfile.write(path, samples, 44100, subtype=subtype)
    expected, _ = soundfile.read(path, dtype="float32", always_2d=True)
    found = quickly(path)
    assert found is not None
    assert found.dtype == np.float32
    assert np.array_equal(found, expected)


def test_real_clips(kathleen: Path) -> None:
    for path in sorted((kathleen / "wavs").iterdir())[:40]:
        found = quickly(path)
        assert found is not None
        assert np.array_equal(found, soundfile.read(path, dtype="float32", always_2d=True)[0])


def test_what_is_broken_is_left_to_libsndfile(kathleen: Path, tmp_path: Path, by_libsndfile: None) -> None:
    """Flipped bits, and files that end early: where the quick way says anything, it is what libsndfile says."""
    whole = sorted((kathleen / "wavs").iterdir())[0].read_bytes()
    random, path = np.random.default_rng(5), tmp_path / "a.flac"
    refused = 0
    for number in range(150):
        damaged = bytearray(whole if number % 3 else whole[: random.integers(10, len(whole))])
        for _ in range(random.integers(1, 4)):
            damaged[random.integers(0, len(damaged))] ^= 1 << int(random.integers(0, 8))
        path.write_bytes(damaged)
        found, told = quickly(path), decode(path, MAX_CLIP_S)
        refused += found is None
        if found is not None:
            assert not isinstance(told, Unreadable)
            assert np.array_equal(found, told[1])
    assert refused > 50


def test_what_it_does_not_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, np.zeros(44100), 22050)
    assert quickly(path) is not None
    assert quickly(path, longest_s=1.5) is None
    monkeypatch.setattr(flac, "_MOST_SAMPLES", 44099)
    assert quickly(path) is None
    wav = tmp_path / "a.wav"
    wav.write_bytes(path.read_bytes())
    assert quickly(wav) is None


def test_without_miniaudio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, np.zeros(44100), 22050)
    monkeypatch.setitem(sys.modules, "miniaudio", None)
    flac._miniaudio.cache_clear()
    try:
        assert quickly(path) is None
        assert not isinstance(decode(path, MAX_CLIP_S), Unreadable)
    finally:
        flac._miniaudio.cache_clear()
