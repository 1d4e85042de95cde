"""English alone: the words that pocketsphinx hears in a clip, beside the words that are written.

pocketsphinx is an optional package; its wheel carries its model. It mishears a word in five or so, and takes about a
third of the clip's length: a help for the eye on a doubtful clip, no check of its own. It keeps Python's lock while it
listens, so whoever serves pages lets `words_heard_apart` listen in a process of its own.
"""

from __future__ import annotations

import difflib
import functools
import importlib.util
import json
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from piper_core.dataset.audio import AudioError, load_clip

LONGEST_HEARD_S = 60.0
"""Of a longer clip only the beginning is listened to."""
_PATIENCE_S = 120
_RATE = 16000  # Hz, of pocketsphinx' model
_FRAMES_A_S = 100
_LISTENING = threading.Lock()
_NO_WORD = re.compile(r"<.*>|\[.*\]")


class WordsUnavailable(ValueError):
    """No words can be heard here. The message says what to install."""


@dataclass(frozen=True)
class HeardWord:
    """A word and where it lies in the clip."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class WordPair:
    """A stretch of the text beside what was heard there."""

    kind: Literal["same", "other", "missing", "added"]
    """missing: written, not heard; added: heard, not written."""
    written: tuple[str, ...]
    heard: tuple[str, ...]


def is_heard(language: str) -> bool:
    """Whether it is English: `en`, `en-us`, `en-gb`... The model is American; other accents are misheard more often."""
    return language.partition("-")[0].lower() == "en"


def words_problem(language: str = "en-us") -> str | None:
    """A sentence when words can't be heard in `language` here, without importing anything; else None."""
    if not is_heard(language):
        return "The words heard are shown for English alone: pocketsphinx carries no other model."
    if importlib.util.find_spec("pocketsphinx") is None:
        return "To see the words heard beside the words written, install pocketsphinx: pip install pocketsphinx"
    return None


def words_heard(path: Path, offset_s: float = 0.0, length_s: float | None = None) -> list[HeardWord]:
    """The words that pocketsphinx hears in an English clip (or a span), in order; empty when it hears none.

    Raises AudioError for a file that can't be read, WordsUnavailable without pocketsphinx.
    """
    problem = words_problem()
    if problem is not None:
        raise WordsUnavailable(problem)
    audio, _ = load_clip(path, _RATE, max_s=LONGEST_HEARD_S, offset_s=offset_s, length_s=length_s)
    samples = (np.clip(np.nan_to_num(audio), -1, 1) * 32767).astype("<i2")
    with _LISTENING:
        decoder = _decoder()
        decoder.start_utt()
        decoder.process_raw(samples.tobytes(), full_utt=True)
        decoder.end_utt()
        if decoder.hyp() is None:
            return []
        found = [(segment.word, segment.start_frame, segment.end_frame) for segment in decoder.seg()]
    return [
        HeardWord(word.partition("(")[0], first / _FRAMES_A_S, (last + 1) / _FRAMES_A_S)
        for word, first, last in found
        if not _NO_WORD.fullmatch(word)
    ]


def words_heard_apart(path: Path, offset_s: float = 0.0, length_s: float | None = None) -> list[HeardWord]:
    """As `words_heard`, in a process of its own: nobody else has to wait. Raises WordsUnavailable if that fails."""
    asked = json.dumps([str(path.absolute()), offset_s, length_s])
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__], input=asked, capture_output=True, text=True, encoding="utf-8",
            timeout=_PATIENCE_S, cwd=Path(__file__).parents[2], check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise WordsUnavailable(f"pocketsphinx was still listening to {path.name} after {_PATIENCE_S} s.") from error
    if done.returncode != 0:
        raise WordsUnavailable(f"pocketsphinx could not listen to {path.name}: {done.stderr.strip()[-200:]}")
    told = json.loads(done.stdout)
    if isinstance(told, str):
        raise WordsUnavailable(told)
    return [HeardWord(**word) for word in told]


def word_diff(text: str, heard: Sequence[HeardWord]) -> list[WordPair]:
    """`text` beside the words heard, in order: what is the same, what is not. Case and punctuation do not count."""
    written = [word for word in text.split() if _bare(word)]
    said = [word.text for word in heard]
    matcher = difflib.SequenceMatcher(None, [*map(_bare, written)], [*map(_bare, said)], autojunk=False)
    kinds: dict[str, Literal["same", "other", "missing", "added"]] = {
        "equal": "same", "replace": "other", "delete": "missing", "insert": "added"
    }  # fmt: skip
    return [
        WordPair(kinds[kind], tuple(written[first:last]), tuple(said[begin:end]))
        for kind, first, last, begin, end in matcher.get_opcodes()
    ]


def _bare(word: str) -> str:
    return "".join(filter(str.isalnum, word.casefold()))


@functools.cache
def _decoder() -> Any:
    import pocketsphinx

    return pocketsphinx.Decoder(samprate=_RATE, loglevel="FATAL")


def _listen_apart() -> None:
    path, offset_s, length_s = json.load(sys.stdin)
    try:
        told: object = [asdict(word) for word in words_heard(Path(path), offset_s, length_s)]
    except (AudioError, WordsUnavailable) as problem:
        told = str(problem)
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    _listen_apart()
