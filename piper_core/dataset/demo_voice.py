"""espeak-ng as a speaker, through the espeakng-loader wheel: no network, no system package.

It is another copy of the library than the one inside piper-tts; each keeps its own state, so both work side by side.
"""

from __future__ import annotations

import ctypes
import importlib.util
import threading

import numpy as np

_SYNTHESIZE_AND_RETURN = 2  # AUDIO_OUTPUT_SYNCHRONOUS in espeak-ng's speak_lib.h
_UTF8 = 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_SPEAKING = threading.Lock()
_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class DemoUnavailable(ValueError):
    """The demo dataset can't be spoken here. The message says what to install."""


_MISSING = "The demo dataset needs espeakng-loader; install it with: pip install espeakng-loader"


def demo_problem() -> str | None:
    """A sentence when espeakng-loader is missing, without loading anything; else None."""
    return None if importlib.util.find_spec("espeakng_loader") else _MISSING


class DemoVoice:
    """Speaks English. Only one may speak at a time in a process: use it as a context manager."""

    def __init__(self) -> None:
        try:
            import espeakng_loader
        except ImportError:
            raise DemoUnavailable(_MISSING) from None
        try:
            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
            data_path = espeakng_loader.get_data_path()
        except (OSError, RuntimeError) as error:
            raise DemoUnavailable(f"espeakng-loader's library can't be used on this machine: {error}") from error
        self._data_path = str(data_path).encode()
        self._chunks: list[bytes] = []
        self._callback = _Callback(self._collect)
        self.sample_rate = 0

    def __enter__(self) -> DemoVoice:
        _SPEAKING.acquire()
        self.sample_rate = self._library.espeak_Initialize(_SYNTHESIZE_AND_RETURN, 0, self._data_path, 0)
        if self.sample_rate <= 0:
            _SPEAKING.release()
            raise DemoUnavailable("espeak-ng could not be started; reinstall espeakng-loader.")
        self._library.espeak_SetSynthCallback(self._callback)
        return self

    def __exit__(self, *_: object) -> None:
        self._library.espeak_Terminate()
        _SPEAKING.release()

    def speak(self, text: str, *, voice: str, words_per_minute: int, pitch: int, pitch_range: int) -> np.ndarray:
        """`text` as int16 samples [N] at `sample_rate`; pitch and pitch_range are espeak-ng's 0 to 100."""
        self._chunks.clear()
        library = self._library
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise DemoUnavailable(f"espeak-ng has no voice {voice}; reinstall espeakng-loader.")
        for parameter, value in ((_RATE, words_per_minute), (_PITCH, pitch), (_RANGE, pitch_range)):
            library.espeak_SetParameter(parameter, value, 0)
        data = text.encode()
        if library.espeak_Synth(data, ctypes.c_size_t(len(data) + 1), 0, 1, 0, _UTF8, None, None) != 0:
            raise DemoUnavailable(f"espeak-ng could not speak {text!r}.")
        library.espeak_Synchronize()
        return np.frombuffer(b"".join(self._chunks), dtype="<i2")

    def _collect(self, samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int | None) -> int:
        if samples and count > 0:
            self._chunks.append(ctypes.string_at(samples, count * 2))
        return 0
