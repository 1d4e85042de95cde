"""How small an error of the text, and how bad a recording, the transcript audit bears.

    python -m benchmarks.audit_strength --dataset FOLDER [--language en-us] [--clips 150] [--shared-limit]

Texts: words are left out, added or replaced in a random fifth of the texts. Recordings: all clips are spoiled alike,
and half of the texts exchanged as in `benchmarks.audit`; `above` is the share of costs above the limit of a warning,
of right texts and of wrong ones. `warned` has the same two where 0, 1, 10 and 50 % of the texts are exchanged.
`--shared-limit`: as if no set had a limit of its own (`audit_calibration`).
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np

from benchmarks.audit import auc, costs_of, exchanged, items_of, mixed, parser_of, recall
from piper_core.dataset.audio import load_clip, resample
from piper_core.dataset.audit import AuditItem
from piper_core.dataset.audit_calibration import DOUBTFUL

SPOILED_SHARE = 0.2
EXCHANGED_SHARES = (0.0, 0.01, 0.1, 0.5)


def spoilers(words: Sequence[str], chance: np.random.Generator) -> dict[str, Callable[[list[str]], list[str]]]:
    """What is done to the words of a text, by name; `words` are others to take from."""

    def replaced(said: list[str], count: int) -> list[str]:
        places = chance.choice(len(said), min(count, len(said)), replace=False)
        return [str(chance.choice(words)) if place in places else word for place, word in enumerate(said)]

    def added(said: list[str], count: int) -> list[str]:
        return [*said, *map(str, chance.choice(words, count))]

    def first_missing(said: list[str], count: int) -> list[str]:
        return said[count:] or said

    def last_missing(said: list[str], count: int) -> list[str]:
        return said[:-count] or said

    changes: dict[str, Callable[[list[str]], list[str]]] = {}
    for count in (1, 2, 3, 4):
        changes[f"last {count} missing"] = partial(last_missing, count=count)
        changes[f"first {count} missing"] = partial(first_missing, count=count)
        changes[f"{count} added"] = partial(added, count=count)
        changes[f"{count} replaced"] = partial(replaced, count=count)
    return changes


def recordings(chance: np.random.Generator) -> dict[str, Callable[[np.ndarray, int], tuple[np.ndarray, int]]]:
    """What is done to the sound of every clip, by name."""
    from scipy import signal

    def noisy(audio: np.ndarray, snr_db: float) -> np.ndarray:
        return audio + chance.normal(scale=audio.std() * 10 ** (-snr_db / 20), size=audio.size)

    def telephone(audio: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
        band = signal.butter(4, (300, 3400), "band", fs=8000, output="sos")
        return signal.sosfilt(band, resample(audio, rate, 8000)), 8000

    def reverberant(audio: np.ndarray, rate: int, decay_s: float) -> np.ndarray:
        size = int(decay_s * rate)
        room = chance.normal(size=size) * 10 ** (-3 * np.arange(size) / size)
        room[0] = 8
        heard = signal.fftconvolve(audio, room)[: audio.size + size // 2]
        return heard / np.abs(heard).max() / 2

    def hushed(audio: np.ndarray, rate: int) -> np.ndarray:
        edge = chance.normal(scale=1e-4, size=2 * rate)
        return np.concatenate([edge, audio, edge])

    return {
        "as they are": lambda audio, rate: (audio, rate),
        "white noise, 20 dB": lambda audio, rate: (noisy(audio, 20), rate),
        "white noise, 10 dB": lambda audio, rate: (noisy(audio, 10), rate),
        "white noise, 5 dB": lambda audio, rate: (noisy(audio, 5), rate),
        "telephone, 8 kHz": telephone,
        "reverberation, 0.4 s": lambda audio, rate: (reverberant(audio, rate, 0.4), rate),
        "reverberation, 0.8 s": lambda audio, rate: (reverberant(audio, rate, 0.8), rate),
        "2 s of hush on each side": lambda audio, rate: (hushed(audio, rate), rate),
    }


def figures(right: np.ndarray, wrong: np.ndarray) -> dict[str, object]:
    right, wrong = right[np.isfinite(right)], wrong[np.isfinite(wrong)]
    return {
        "auc": round(auc(right, wrong), 3),
        "recall_at_2_percent": round(recall(right, wrong), 2),
        "above": [round(float(np.mean(costs > DOUBTFUL)), 3) for costs in (right, wrong)],
    }


def warned(items: Sequence[AuditItem], wrong: Sequence[AuditItem], language: str, share: float) -> list[float | None]:
    """Shares of right and of wrong texts above the limit of a warning, where `share` of a set is wrong."""
    is_wrong = np.zeros(len(items), bool)
    is_wrong[np.random.default_rng(1).permutation(len(items))[: round(share * len(items))]] = True
    heard = [bad if swap else good for good, bad, swap in zip(items, wrong, is_wrong, strict=True)]
    above = costs_of(heard, language) > DOUBTFUL
    return [round(float(above[of].mean()), 3) if of.any() else None for of in (~is_wrong, is_wrong)]


def spoiled_texts(items: Sequence[AuditItem], language: str, chance: np.random.Generator) -> dict[str, object]:
    vocabulary = [word for item in items for word in item.text.split() if len(word) > 4]
    found: dict[str, object] = {}
    for name, spoil in spoilers(vocabulary, chance).items():
        bad = chance.random(len(items)) < SPOILED_SHARE
        heard = [
            replace(item, text=" ".join(spoil(item.text.split()))) if spoiled else item
            for item, spoiled in zip(items, bad, strict=True)
        ]
        costs = costs_of(heard, language)
        found[name] = figures(costs[~bad], costs[bad])
    return found


def spoiled_recordings(items: Sequence[AuditItem], language: str, chance: np.random.Generator) -> dict[str, object]:
    import soundfile

    found: dict[str, object] = {}
    for name, change in recordings(chance).items():
        with tempfile.TemporaryDirectory() as scratch:
            heard, durations_s = [], []
            for number, item in enumerate(items):
                audio, rate = load_clip(item.path, offset_s=item.offset_s, length_s=item.length_s)
                changed, rate = change(audio, rate)
                path = Path(scratch) / f"{number}.wav"
                soundfile.write(path, changed, rate)
                heard.append(AuditItem(path, item.text, item.speaker))
                durations_s.append(changed.size / rate)
            wrong = exchanged(heard, durations_s)
            found[name] = figures(*mixed(heard, wrong, language, 0.5, 0)) | {
                "warned": {f"{share:.0%}": warned(heard, wrong, language, share) for share in EXCHANGED_SHARES}
            }
    return found


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--clips", type=int, default=150)
    parser.add_argument("--shared-limit", action="store_true", help="as if no set had a limit of its own")
    options = parser.parse_args()
    items, _ = items_of(options.dataset)
    items = items[:: max(1, len(items) // options.clips)][: options.clips]
    chance = np.random.default_rng(0)
    shared = mock.patch("piper_core.dataset.audit.limit_of", return_value=DOUBTFUL)
    with shared if options.shared_limit else contextlib.nullcontext():
        texts = spoiled_texts(items, options.language, chance)
        sounds = spoiled_recordings(items, options.language, chance)
    print(
        json.dumps(
            {
                "benchmark": "audit_strength",
                "texts": texts,
                "recordings": sounds,
                "clips": len(items),
                "language": options.language,
                "shared_limit": options.shared_limit,
            }
        )
    )


if __name__ == "__main__":
    main()
