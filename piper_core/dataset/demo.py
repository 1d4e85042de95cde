"""The demo dataset: sentences spoken by espeak-ng, in seconds, on a machine that has no recordings.

With `defects=True` some clips are spoiled in known ways, written down in defects.json beside the metadata.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np

from piper_core.dataset.demo_sentences import SENTENCES
from piper_core.dataset.espeak_voice import EspeakVoice, espeak_problem
from piper_core.wav import wav_bytes

SAMPLE_RATE = 22050
"""Hertz, of every demo clip: espeak-ng's own rate."""
DEFECTS_FILE = "defects.json"
_PEAK = 0.5  # -6 dBFS: loud enough to train on, far from clipping


def demo_problem() -> str | None:
    """A sentence when the demo dataset can't be made here, without loading anything; else None."""
    problem = espeak_problem()
    return problem and f"The demo dataset is spoken by espeak-ng. {problem}."


def write_demo(
    folder: Path, clips: int = 60, defects: bool = False, on_progress: Callable[[int, int], None] | None = None
) -> Path:
    """Write `clips` mono 22,050 Hz WAV files and metadata.csv (LJSpeech) into `folder`; returns the folder.

    A new process writes the same bytes again; within one, espeak-ng's oscillators go on and a few samples differ.
    `on_progress(done, total)` is called after each clip.
    Raises EspeakUnavailable without espeakng-loader, and ValueError for a folder that already holds something.
    """
    folder = Path(folder)
    if clips < 1:
        raise ValueError(f"A demo of {clips} clips can't be made; ask for 1 or more.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} already holds something; choose a new or empty folder for the demo dataset.")
    chance = random.Random(1234)
    rows = []
    with EspeakVoice() as voice:
        wavs = folder / "wavs"
        wavs.mkdir(parents=True, exist_ok=True)
        for number in range(clips):
            text = _sentence(number)
            samples = voice.speak(
                text,
                voice="en-us",
                words_per_minute=chance.randint(140, 190),
                pitch=chance.randint(42, 58),
                pitch_range=chance.randint(40, 65),
            ).samples
            name = f"demo_{number + 1:04d}"
            (wavs / f"{name}.wav").write_bytes(wav_bytes(_level(samples, chance), voice.sample_rate))
            rows.append((name, text))
            if on_progress is not None:
                on_progress(number + 1, clips)
    lines = [f"{name}|{text}" for name, text in rows]
    if defects:
        from piper_core.dataset.demo_defects import plant

        planted, lines = plant(folder, lines)
        (folder / DEFECTS_FILE).write_text(json.dumps(planted, indent=1) + "\n", encoding="utf-8")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def _sentence(number: int) -> str:
    """Past the end of the list two sentences make a new text, so that none comes twice in thousands of clips."""
    count = len(SENTENCES)
    first, round_number = SENTENCES[number % count], number // count
    if round_number == 0:
        return first
    return f"{first} {SENTENCES[(number * 7 + round_number * 11 + 1) % count]}"


def _level(samples: np.ndarray, chance: random.Random) -> np.ndarray:
    """Peaks near -6 dBFS, and a noise floor near -80 dBFS as in a quiet room: digital zeros are no recording."""
    audio = samples.astype(np.float64)
    audio *= _PEAK * 32767 / max(1.0, float(np.abs(audio).max()))
    noise = np.random.default_rng(chance.getrandbits(32)).normal(scale=3.0, size=audio.size)
    return np.clip(np.rint(audio + noise), -32768, 32767).astype(np.int16)
