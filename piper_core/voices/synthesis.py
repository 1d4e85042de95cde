"""Speaking a text with an exported voice, through piper-tts: what the user's own Piper will say.

A text of any length is spoken: piper-tts runs the networks once a sentence, and a sentence without an end is cut
at a comma or a space, because memory grows with the square of its phonemes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from piper_core.dataset.text import ESPEAK_LOCK
from piper_core.dataset.text_rules import without_pictures
from piper_core.wav import wav_bytes

LONGEST_PIECE = 400
"""Characters spoken in one run of the networks when a text has no sentence ends."""


class SpeechError(ValueError):
    """A text or voice that can't be spoken. The message says why and what to do."""


@dataclass(frozen=True)
class Speech:
    """Spoken text."""

    audio: np.ndarray
    """int16 [N], one channel."""
    sample_rate: int
    """Hertz."""
    elapsed_s: float
    """Time that speaking took."""

    @property
    def seconds(self) -> float:
        """Length of the audio."""
        return len(self.audio) / self.sample_rate

    @property
    def peak_dbfs(self) -> float:
        """Largest sample against full scale; -inf for silence."""
        peak = float(np.abs(self.audio.astype(np.int32)).max(initial=0))
        return 20 * float(np.log10(peak / 32768)) if peak else float("-inf")


def load_voice(path: Path) -> Any:
    """The `PiperVoice` of an .onnx file, its JSON beside it. Raises SpeechError.

    Keep it when speaking often: loading a medium voice takes about a second.
    """
    config_path = path.with_name(f"{path.name}.json")
    for file in (path, config_path):
        if not file.is_file():
            raise SpeechError(f"There is no {file}. A voice is two files: NAME.onnx and NAME.onnx.json.")
    try:
        from piper import PiperVoice
    except ImportError as error:
        raise SpeechError("piper-tts is not installed, so no voice can speak here: pip install piper-tts.") from error
    try:
        voice: Any = PiperVoice.load(path, config_path)
    except onnx_errors() as error:
        raise SpeechError(f"{path.name} is no ONNX model that can be run. Export the voice again.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SpeechError(f"{config_path.name} is no voice's JSON ({error!r}). Export the voice again.") from error
    voice.phonemize = _alone_in_espeak(voice.phonemize)
    return voice


def speak(
    voice: Path | Any,
    text: str,
    *,
    length_scale: float | None = None,
    noise_scale: float | None = None,
    noise_w: float | None = None,
    speaker_id: int | None = None,
    sentence_silence_s: float = 0.2,
) -> Speech:
    """`text` spoken by a voice's .onnx file, or by what `load_voice` gave.

    Scales that are not given are the voice's own: `length_scale` above 1 is slower, `noise_scale` varies the sound,
    `noise_w` the durations. Pictures (emoji) are passed over. Raises SpeechError for a text without anything to speak,
    a speaker that the voice has not, or a scale out of range.
    """
    if not without_pictures(text).strip():
        raise SpeechError("There is no text to speak. Write a sentence.")
    started = time.perf_counter()
    piper_voice = load_voice(voice) if isinstance(voice, Path) else voice
    settings = _settings(piper_voice, length_scale, noise_scale, noise_w, speaker_id)
    sample_rate = int(piper_voice.config.sample_rate)
    silence = np.zeros(int(sample_rate * sentence_silence_s), np.int16)
    audio: list[np.ndarray] = []
    for piece in pieces(without_pictures(text)):
        try:
            chunks = [chunk.audio_int16_array for chunk in piper_voice.synthesize(piece, settings)]
        except onnx_errors() as error:
            raise SpeechError(f"The voice can't speak this: {str(error).splitlines()[0]}.") from error
        for chunk in chunks:
            audio += [chunk, silence]
    if not audio:
        raise SpeechError("Nothing in this text can be spoken: it has no letters or digits of the voice's language.")
    return Speech(np.concatenate(audio[:-1]), sample_rate, time.perf_counter() - started)


def write_wav(path: Path, speech: Speech) -> Path:
    """Writes the speech as a WAV file, and gives its path back. Raises SpeechError when it can't be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav_bytes(speech.audio, speech.sample_rate))
    except OSError as error:
        raise SpeechError(f"{path} can't be written: {error.strerror}. Choose another place.") from error
    return path


def pieces(text: str, longest: int = LONGEST_PIECE) -> list[str]:
    """`text` in parts of at most `longest` characters, cut at a sentence's end, else a comma, else a space.

    A line that is short enough stays whole, so that piper-tts finds its sentences itself.
    """
    parts: list[str] = []
    for line in text.splitlines():
        rest = line.strip()
        while len(rest) > longest:
            end = _cut(rest[:longest])
            parts.append(rest[:end].strip())
            rest = rest[end:].strip()
        parts.append(rest)
    return [part for part in parts if part]


def _alone_in_espeak(phonemize: Callable[[str], list[list[str]]]) -> Callable[[str], list[list[str]]]:
    """piper-tts sets espeak-ng's language and then asks for phonemes, under a lock of its own. Another thread of
    this process that makes phonemes in dataset/text.py would change the language in between: one lock for both.
    """

    def phonemize_alone(text: str) -> list[list[str]]:
        with ESPEAK_LOCK:
            return phonemize(text)

    return phonemize_alone


def onnx_errors() -> tuple[type[Exception], ...]:
    """What loading and speaking raise in piper-tts: onnxruntime's exceptions have no base class of their own, and
    espeak-ng's refusal of a language is a RuntimeError.
    """
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    names = (
        "Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoSuchFile", "NotImplemented",
        "RuntimeException", "EngineError", "NoModel",
    )  # fmt: skip
    return (RuntimeError, *(getattr(state, name) for name in names))


def _cut(stretch: str) -> int:
    for ends in (r"[.!?…]['\")\]”’»]*\s|[。！？।؟]", r"[,;:–—]\s|[、，；]", r"\s"):
        found = [match.end() for match in re.finditer(ends, stretch)]
        if found and found[-1] > len(stretch) // 4:
            return found[-1]
    return len(stretch)


def _settings(
    voice: Any, length_scale: float | None, noise_scale: float | None, noise_w: float | None, speaker_id: int | None
) -> Any:
    from piper import SynthesisConfig

    for name, value, low, high in (
        ("length_scale", length_scale, 0.1, 10.0),
        ("noise_scale", noise_scale, 0.0, 5.0),
        ("noise_w", noise_w, 0.0, 5.0),
    ):
        if value is not None and not low <= value <= high:
            raise SpeechError(f"{name} is {value:g}; choose a number from {low:g} to {high:g}.")
    count = int(voice.config.num_speakers)
    if speaker_id is not None and not 0 <= speaker_id < count:
        raise SpeechError(f"There is no speaker {speaker_id}: the voice has {count}, numbered from 0.")
    return SynthesisConfig(
        speaker_id=speaker_id, length_scale=length_scale, noise_scale=noise_scale, noise_w_scale=noise_w
    )
