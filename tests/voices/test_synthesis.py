"""Speaking through piper-tts: what comes out, and what is refused."""

from __future__ import annotations

import io
import math
import shutil
import sys
import threading
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from piper_core.dataset.text import phonemize
from piper_core.voices.synthesis import (
    LONGEST_PIECE,
    Speech,
    SpeechError,
    load_voice,
    pieces,
    speak,
    write_wav,
)
from piper_core.voices.voice import Exported
from piper_core.wav import wav_bytes


@pytest.fixture(scope="module")
def voice(tiny_voice: Exported) -> Any:
    return load_voice(tiny_voice.onnx)


def test_a_sentence_is_spoken(tiny_voice: Exported) -> None:
    speech = speak(tiny_voice.onnx, "The boat left the harbour at dawn.")
    assert (speech.audio.dtype, speech.audio.ndim, speech.sample_rate) == (np.int16, 1, 16000)
    assert 0.2 < speech.seconds < 20
    assert speech.peak_dbfs > -6
    assert speech.elapsed_s > 0


def test_slower_is_longer(voice: Any) -> None:
    usual = speak(voice, "One two three four.", noise_w=0, noise_scale=0)
    slow = speak(voice, "One two three four.", noise_w=0, noise_scale=0, length_scale=2.0)
    assert slow.seconds > 1.5 * usual.seconds


def test_sentences_have_a_pause_between_them(voice: Any) -> None:
    close, apart = (
        speak(voice, "One. Two. Three.", noise_w=0, noise_scale=0, sentence_silence_s=pause) for pause in (0.0, 0.5)
    )
    assert apart.seconds - close.seconds == pytest.approx(1.0)


@pytest.mark.parametrize("text", ["", "   \n\t", "\u200b", "…", "[[]]", "\U0001f600 \U0001f920"])
def test_nothing_to_speak_is_refused(voice: Any, text: str) -> None:
    with pytest.raises(SpeechError, match=r"text"):
        speak(voice, text)


@pytest.mark.parametrize(
    "changed",
    [{"speaker_id": 1}, {"speaker_id": -1}, {"length_scale": 0.0}, {"noise_scale": -1.0}, {"noise_w": math.nan}],
)
def test_values_out_of_range_are_refused(voice: Any, changed: dict[str, Any]) -> None:
    with pytest.raises(SpeechError):
        speak(voice, "Hello.", **changed)


def test_the_second_speaker_speaks(two_voices: Exported) -> None:
    loaded = load_voice(two_voices.onnx)
    first, second = (speak(loaded, "Good morning.", speaker_id=row, noise_w=0, noise_scale=0).audio for row in (0, 1))
    assert len(first) != len(second) or not np.array_equal(first, second)


def test_a_long_text_without_an_end_is_spoken(voice: Any) -> None:
    """One run of the networks over it would need memory with the square of its length."""
    speech = speak(voice, "and then the river turned again " * 120)
    assert speech.seconds > 30


def test_pieces_keep_every_word_and_their_limit() -> None:
    text = "A short line.\nA second one here, " + "and more of it, " * 60 + "the end. Then one more. " + "word " * 200
    parts = pieces(text)
    assert parts[0] == "A short line."
    assert max(map(len, parts)) <= LONGEST_PIECE
    assert " ".join(parts).split() == text.split()
    assert parts[1].endswith(",")


@pytest.mark.parametrize("text", ["字" * 1000, "x" * 1000])
def test_a_text_without_spaces_is_cut_too(text: str) -> None:
    assert "".join(pieces(text)) == text
    assert max(map(len, pieces(text))) <= LONGEST_PIECE


def test_sentences_are_cut_at_their_ends() -> None:
    text = "Mr. Smith came. " * 40
    assert all(part.endswith(".") for part in pieces(text))
    assert pieces("Mr. Smith came. He left.") == ["Mr. Smith came. He left."]


def test_the_wav_is_what_was_spoken(tmp_path: Path) -> None:
    speech = Speech(np.array([0, 1000, -32768, 32767], np.int16), 22050, 0.1)
    path = write_wav(tmp_path / "new" / "out.wav", speech)
    for source in (str(path), io.BytesIO(wav_bytes(speech.audio, speech.sample_rate))):
        with wave.open(source) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (22050, 1, 2)
            assert np.array_equal(np.frombuffer(file.readframes(9), "<i2"), speech.audio)
    with pytest.raises(SpeechError, match="can't be written"):
        write_wav(path / "below-a-file.wav", speech)


def test_silence_has_no_peak() -> None:
    assert Speech(np.zeros(5, np.int16), 16000, 0.0).peak_dbfs == -math.inf
    assert Speech(np.array([-32768], np.int16), 16000, 0.0).peak_dbfs == 0


def test_files_that_are_no_voice_are_refused(tmp_path: Path, tiny_voice: Exported) -> None:
    with pytest.raises(SpeechError, match="There is no"):
        speak(tmp_path / "none.onnx", "Hello.")
    lone = tmp_path / "lone.onnx"
    shutil.copy(tiny_voice.onnx, lone)
    with pytest.raises(SpeechError, match=r"lone\.onnx\.json"):
        load_voice(lone)
    described = tmp_path / "lone.onnx.json"
    for content in ("", "{}", "[]", '{"num_symbols": 256, "num_speakers": 1, "audio": 7}'):
        described.write_text(content)
        with pytest.raises(SpeechError, match="voice's JSON"):
            load_voice(lone)
    shutil.copy(tiny_voice.json, described)
    lone.write_bytes(b"not a model")
    with pytest.raises(SpeechError, match="no ONNX model"):
        load_voice(lone)


def test_speaking_and_phonemes_of_another_language_do_not_mix(voice: Any) -> None:
    """espeak-ng has one language at a time in a process; without a common lock some 4 in 100 came out wrong."""
    text = "One hundred and twenty three houses by the water."
    alone = voice.phonemize(text), phonemize(text, "de")
    wrong = []

    def compare(expected: list[list[str]], make: Callable[[], list[list[str]]]) -> None:
        wrong.append(sum(make() != expected for _ in range(600)))

    former = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [
            threading.Thread(target=compare, args=(alone[0], lambda: voice.phonemize(text))),
            threading.Thread(target=compare, args=(alone[1], lambda: phonemize(text, "de"))),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(former)
    assert wrong == [0, 0]
