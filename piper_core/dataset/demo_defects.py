"""Known defects, planted into a demo dataset: to see what the inspection says, and to test that it says it."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np

from piper_core.wav import wav_bytes

_MIN_CLIPS = 16


def plant(folder: Path, lines: list[str]) -> tuple[list[dict[str, str]], list[str]]:
    """Spoil clips of the demo in `folder`, the second of every pair and so on; the others stay as they are.

    Returns what was planted, a dict with `code` and `utterance_id` (a finding's) each, and the metadata's new lines.
    Raises ValueError for fewer than 16 clips: too few would be left whole.
    """
    if len(lines) < _MIN_CLIPS:
        raise ValueError(f"A demo with defects needs {_MIN_CLIPS} clips or more, to leave some whole.")
    lines = list(lines)
    ids = [line.partition("|")[0] for line in lines]
    wavs = folder / "wavs"
    planted: list[dict[str, str]] = []

    def mark(code: str, index: int) -> Path:
        planted.append({"code": code, "utterance_id": ids[index]})
        return wavs / f"{ids[index]}.wav"

    _change(mark("clipping", 0), lambda audio: np.clip(audio * 8.0, -32768, 32767))
    _change(mark("silent", 1), lambda audio: audio * 0)
    mark("missing-audio", 2).unlink()
    mark("unreadable", 3).write_bytes(b"")
    _resave(mark("sample-rate", 4), lambda audio: audio[::2], rate_factor=0.5)
    _resave(mark("channels", 5), lambda audio: np.stack([audio, audio], axis=1))
    mark("empty-text", 6)
    lines[6] = f"{ids[6]}|"
    mark("quote", 7)
    identifier, _, text = lines[7].partition("|")
    lines[7] = f'{identifier}|"{text}'
    truncated = mark("unreadable", 8)
    truncated.write_bytes(truncated.read_bytes()[: truncated.stat().st_size // 2])
    _change(mark("noise", 11), _noisy)
    _change(mark("bandwidth", 12), _narrow)
    _change(mark("internal-pause", 13), _paused)
    # The copied row's text is another clip's: neither of the two rows can be trusted.
    mark("duplicate-id", 9)
    lines.append(f"{ids[9]}|{lines[10].partition('|')[2]}")
    return planted, lines


def _noisy(audio: np.ndarray) -> np.ndarray:
    """White noise 10 dB under the speech."""
    level = np.sqrt(np.mean(audio**2)) * 10 ** (-10 / 20)
    return audio + np.random.default_rng(11).normal(scale=level, size=audio.size)


def _narrow(audio: np.ndarray) -> np.ndarray:
    """Nothing above a third of the band, as of a telephone."""
    spectrum = np.fft.rfft(audio)
    spectrum[spectrum.size // 3 :] = 0
    return np.fft.irfft(spectrum, audio.size)


def _paused(audio: np.ndarray) -> np.ndarray:
    """Three seconds of a quiet room in the middle."""
    rest = np.random.default_rng(13).normal(scale=3.0, size=3 * 22050)
    return np.insert(audio, audio.size // 2, rest)


def _change(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    _resave(path, change)


def _resave(path: Path, change: Callable[[np.ndarray], np.ndarray], rate_factor: float = 1.0) -> None:
    with wave.open(str(path), "rb") as file:
        sample_rate = file.getframerate()
        audio = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    changed = np.rint(change(audio.astype(np.float64))).astype(np.int16)
    path.write_bytes(wav_bytes(changed, round(sample_rate * rate_factor)))
