"""espeak-ng as a speaker, through the espeakng-loader wheel: no network, no system package.

It is another copy of the library than the one inside piper-tts; each keeps its own state, so both work side by side.
"""

from __future__ import annotations

import ctypes
import importlib.util
import threading
from dataclasses import dataclass

import numpy as np

# From espeak-ng's speak_lib.h.
_SYNCHRONOUS = 2
_PHONEME_EVENTS, _IPA = 1, 2
_UTF8 = 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_END_OF_EVENTS, _WORD, _PHONEME = 0, 1, 7
_SPEAKING = threading.Lock()


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)  # the samples, their number, what happens in them


class EspeakUnavailable(ValueError):
    """espeak-ng can't speak here. The message says what to install."""


_MISSING = "espeakng-loader is not installed; install it with: pip install espeakng-loader"


def espeak_problem() -> str | None:
    """A sentence when espeakng-loader is missing, without loading anything; else None."""
    return None if importlib.util.find_spec("espeakng_loader") else _MISSING


@dataclass(frozen=True)
class SpokenWord:
    """A word of the text and where it starts in the speech."""

    start: int
    """First character in the text."""
    end: int
    start_s: float


@dataclass(frozen=True)
class SpokenPhoneme:
    """A phoneme in IPA (empty: a pause) and where it starts in the speech."""

    name: str
    start_s: float


@dataclass(frozen=True)
class Spoken:
    """A text as espeak-ng speaks it."""

    samples: np.ndarray
    """int16 [N] at `sample_rate`."""
    sample_rate: int
    words: tuple[SpokenWord, ...]
    phonemes: tuple[SpokenPhoneme, ...]
    whole: bool
    """Whether all of the text was spoken, rather than the first `max_s` of it."""


class EspeakVoice:
    """Speaks. Only one may speak at a time in a process: use it as a context manager. Raises EspeakUnavailable."""

    def __init__(self) -> None:
        try:
            import espeakng_loader
        except ImportError:
            raise EspeakUnavailable(_MISSING) from None
        try:
            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
            data_path = espeakng_loader.get_data_path()
        except (OSError, RuntimeError) as error:
            raise EspeakUnavailable(f"espeakng-loader's library can't be used on this machine: {error}") from error
        self._data_path = str(data_path).encode()
        self._chunks: list[bytes] = []
        self._words: list[tuple[int, int, int]] = []
        self._phonemes: list[tuple[str, int]] = []
        self._left = 0
        self._callback = _Callback(self._collect)
        self.sample_rate = 0

    def __enter__(self) -> EspeakVoice:
        _SPEAKING.acquire()
        self.sample_rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, self._data_path, _PHONEME_EVENTS | _IPA)
        if self.sample_rate <= 0:
            _SPEAKING.release()
            raise EspeakUnavailable("espeak-ng could not be started; reinstall espeakng-loader.")
        self._library.espeak_SetSynthCallback(self._callback)
        return self

    def __exit__(self, *_: object) -> None:
        self._library.espeak_Terminate()
        _SPEAKING.release()

    def speak(
        self,
        text: str,
        *,
        voice: str,
        words_per_minute: int = 175,
        pitch: int = 50,
        pitch_range: int = 50,
        max_s: float = 600.0,
    ) -> Spoken:
        """`text` spoken, at most `max_s` of it; pitch and pitch_range are espeak-ng's 0 to 100.

        `voice` is the name of an espeak-ng voice file, as `en-us`. Raises EspeakUnavailable for an unknown one.
        """
        for collected in (self._chunks, self._words, self._phonemes):
            collected.clear()
        self._left = int(max_s * self.sample_rate)
        library = self._library
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise EspeakUnavailable(f"espeak-ng has no voice {voice}; reinstall espeakng-loader.")
        for parameter, value in ((_RATE, words_per_minute), (_PITCH, pitch), (_RANGE, pitch_range)):
            library.espeak_SetParameter(parameter, value, 0)
        # espeak-ng reads C strings: it would end at the first NUL. Lone surrogates are no text at all.
        data = text.replace("\0", " ").encode(errors="replace")
        if library.espeak_Synth(data, ctypes.c_size_t(len(data) + 1), 0, 1, 0, _UTF8, None, None) != 0:
            raise EspeakUnavailable(f"espeak-ng could not speak {text[:80]!r}.")
        library.espeak_Synchronize()
        rate = self.sample_rate
        return Spoken(
            np.frombuffer(b"".join(self._chunks), dtype="<i2"),
            rate,
            tuple(SpokenWord(start, end, sample / rate) for start, end, sample in self._words),
            tuple(SpokenPhoneme(name, sample / rate) for name, sample in self._phonemes),
            self._left > 0,
        )

    def _collect(self, samples: ctypes._Pointer[ctypes.c_short], count: int, events: ctypes._Pointer[_Event]) -> int:
        if samples and count > 0:
            self._chunks.append(ctypes.string_at(samples, count * 2))
            self._left -= count
        place = 0
        while events and (kind := events[place].type) != _END_OF_EVENTS:
            event = events[place]
            if kind == _PHONEME:
                self._phonemes.append((event.id.string.decode(errors="replace"), event.sample))
            elif kind == _WORD:  # espeak-ng counts characters from 1
                self._words.append((event.text_position - 1, event.text_position - 1 + event.length, event.sample))
            place += 1
        return int(self._left <= 0)  # 1 stops espeak-ng
