"""Texts -> their characters and words, counted: quick at 100,000 texts."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from piper_core.dataset.text_rules import main_script, script_of

_GROWTH_POINTS = 200
_SAMPLE_TEXTS = 2000
_QUIET = frozenset(" .,;:!?'\"-–—’‘“”„«»()¿¡、。，！？「」…·")
"""Punctuation that a text to be read is expected to hold."""


@dataclass(frozen=True)
class Vocabulary:
    """What texts are made of."""

    characters: tuple[tuple[str, int], ...]
    """Each character but the space, and how often; the most frequent first."""
    odd: dict[str, str]
    """Characters to look at, and why in a word: a digit, a symbol, another script, can't be seen."""
    words: tuple[str, ...]
    """Different words, in small letters, the most frequent first."""
    counts: np.ndarray
    """How often each of `words` occurs."""
    read: np.ndarray
    """Numbers of words read, rising ..."""
    distinct: np.ndarray
    """... and how many different ones were among them."""

    @property
    def spoken_once(self) -> int:
        """Words that occur a single time."""
        return int((self.counts == 1).sum())


def vocabulary(texts: Sequence[str]) -> Vocabulary:
    """The characters and words of `texts`, in their order. Words are what white space parts, less punctuation."""
    whole = "\n".join(texts)
    codes = np.frombuffer(whole.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    points, numbers = np.unique(codes, return_counts=True) if codes.size else (codes, codes.astype(int))
    counted = [(chr(point), int(number)) for point, number in zip(points, numbers, strict=True)]
    # The line feeds between texts are ours; a line feed inside one is the text's.
    own = len(texts) - 1
    characters = [(c, n - own if c == "\n" else n) for c, n in counted if c != " "]
    characters = sorted((item for item in characters if item[1] > 0), key=lambda item: -item[1])
    every = max(1, len(texts) // _SAMPLE_TEXTS)
    most = main_script(texts[::every])
    odd = {c: why for c, _ in characters if (why := _oddity(c, most))}
    return Vocabulary(tuple(characters), odd, *_words(whole, [c for c, _ in characters]))


def _words(whole: str, characters: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray, np.ndarray, np.ndarray]:
    import pandas as pd

    # Apostrophe and hyphen belong to a word (it's, wolf-dog); every other mark parts words.
    marks = [c for c in characters if not (c.isalnum() or c in "'’-" or unicodedata.category(c).startswith("M"))]
    table = str.maketrans(dict.fromkeys(marks, " "))
    words = [word for piece in whole.casefold().translate(table).split() if (word := piece.strip("'’-"))]
    codes, names = pd.factorize(pd.Series(words, dtype=object), use_na_sentinel=False)
    if not len(names):
        nothing = np.zeros(0, int)
        return (), nothing, nothing, nothing
    # Codes are given in the order of first appearance, so the greatest so far tells how many have appeared.
    seen = np.maximum.accumulate(codes) + 1
    read = np.unique(np.linspace(1, len(words), min(_GROWTH_POINTS, len(words))).round().astype(int))
    counts = np.bincount(codes)
    order = np.argsort(-counts, kind="stable")
    return tuple(str(names[at]) for at in order), counts[order], read, seen[read - 1]


def _oddity(character: str, most: str | None) -> str:
    category = unicodedata.category(character)
    if category[0] == "C" or character == "\ufffd":
        return "can't be seen or read"
    if category[0] == "N":
        return "a digit: write numbers out"
    if category[0] == "S":
        return "a symbol: write it out"
    if category[0] == "P" and character not in _QUIET:
        return "an unusual mark"
    if most is not None and script_of(character) not in (None, most):
        return "of another script"
    return ""
