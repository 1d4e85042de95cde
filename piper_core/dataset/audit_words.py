"""English alone: the words that pocketsphinx hears in a clip, beside the words that are written.

pocketsphinx is an optional package; its wheel carries its model. It mishears a word in five or so, and takes about half
the clip's length: a help for the eye on a doubtful clip, no check of its own.
"""

from __future__ import annotations

import difflib
import functools
import importlib.util
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from piper_core.dataset.audio import load_clip

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


def words_problem(language: str = "en-us") -> str | None:
    """A sentence when words can't be heard in `language` here, without importing anything; else None."""
    if language.partition("-")[0].lower() != "en":
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
    audio, _ = load_clip(path, _RATE, offset_s=offset_s, length_s=length_s)
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
