"""A language's sounds, as Piper hears them: the symbols of espeak-ng, each with the marks that change it.

Piper's phonemes are single code points; here a symbol and its marks (long, nasal, palatal) are one sound, so that the
short and the long vowel count apart; the number of a tone is one of its own. What is no sound (stress, punctuation,
spaces) is left out.
"""

from __future__ import annotations

import functools
import itertools
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from piper_core.dataset import text
from piper_core.dataset.spoken_apart import spoken_apart
from piper_core.dataset.text_rules import script_of

_STRESS = frozenset("ˈˌ")
_LENGTH = frozenset("ːˑ")
_PICTURES = ((0x1F300, 0x1F650), (0x1F680, 0x1F6C6))
"""Blocks of Unicode whose characters espeak-ng calls by their names in many languages (of the CLDR)."""
_NUMBERS = (*range(101), *range(110, 1000, 37), 1000, 2000, 1_000_000, 2_000_000, 1_000_000_000)
_RARE_SHARE = 0.0003
"""Of all sounds in words. Below it a sound is rare: a language's loanwords have such."""
_WORDS_NEEDED = 500
"""Pictures with a name. With fewer espeak-ng has none in this language: it spells the rest as numbers."""
_MOST_LETTERS = 60
_MOST_SYLLABIC = 4000
"""Of scripts with a sign a syllable, so many are spoken, evenly spread."""


@dataclass(frozen=True)
class Inventory:
    """The sounds of a language, found by letting espeak-ng speak it."""

    language: str
    words: dict[str, int]
    """Each sound in words of the language (names of pictures, numbers) -> how often; the most frequent first."""
    pairs: frozenset[tuple[str, str]]
    """Two sounds one after the other, within the words."""
    has_words: bool
    """Whether espeak-ng has names of pictures in this language; without them letters were spoken in their place."""

    @property
    def usual(self) -> tuple[str, ...]:
        """The sounds that words are made of, the frequent first."""
        total = sum(self.words.values())
        return tuple(sound for sound, count in self.words.items() if count >= max(2, _RARE_SHARE * total))

    @property
    def rare(self) -> tuple[str, ...]:
        """Sounds met hardly at all: of loanwords, or of letters' names."""
        usual = set(self.usual)
        return tuple(sound for sound in self.words if sound not in usual)


def sounds(phonemes: Iterable[str]) -> list[str]:
    """The sounds in phonemes (single code points, as `text.phonemize` gives them), a space where words or clauses part.

    A mark joins the symbol before it: `ɑ` and the tilde are `ɑ̃`, `i` and `ː` are `iː`, `t` and `ʲ` are `tʲ`.
    """
    found: list[str] = []
    for symbol in phonemes:
        if symbol in _STRESS:
            continue
        if _is_mark(symbol):
            if found and found[-1] != " ":
                found[-1] += symbol
        elif _is_sound(symbol):
            found.append(symbol)
        elif found and found[-1] != " ":
            found.append(" ")
    return found


def sounds_of(words: str, language: str) -> list[str]:
    """The sounds of a text, as `sounds`. Raises TextError."""
    return sounds(symbol for sentence in text.phonemize(words, language) for symbol in (*sentence, " "))


def pairs(of: Sequence[str]) -> list[tuple[str, str]]:
    """Each sound with the one after it, in speech that goes on: words run on, only `sounds`' last space ends it."""
    spoken = [sound for sound in of if sound != " "]
    return list(itertools.pairwise(spoken))


@functools.lru_cache(maxsize=16)
def inventory(language: str, script: str | None = None) -> Inventory:
    """The sounds of `language`, from espeak-ng alone: no corpus is at hand for most languages.

    Words come from what espeak-ng itself can name: pictures, in the languages that it has their names in, and numbers.
    Where it has none, the letters of `script` (as `text_rules.script_of` calls it) are spoken, singly and in pairs.
    What it reads in another language does not count. Takes seconds. Raises TextError.
    """
    named = [chr(point) for start, end in _PICTURES for point in range(start, end)]
    heard = spoken_apart(named, language)
    has_words = sum(any(map(_is_sound, spoken)) for spoken in heard) >= _WORDS_NEEDED
    heard = [*(heard if has_words else ()), *spoken_apart([str(number) for number in _NUMBERS], language)]
    if not has_words and script is not None:
        heard += spoken_apart(_letters(script), language)
    counts: Counter[str] = Counter()
    beside: set[tuple[str, str]] = set()
    for spoken in heard:
        of = sounds(spoken)
        counts.update(of)
        beside.update(pairs(of))
    counts.pop(" ", None)
    return Inventory(language, dict(counts.most_common()), frozenset(beside), has_words)


def _letters(script: str) -> list[str]:
    """Made-up syllables of a script's small letters; of a script with a sign a syllable, the signs themselves."""
    points = (*range(0x61, 0x2E80), *range(0x3041, 0x3100), *range(0x4E00, 0xA000), *range(0xAC00, 0xD7A4))
    letters = [c for c in map(chr, points) if script_of(c) == script and not c.isupper()]
    if len(letters) > 10 * _MOST_LETTERS:
        return letters[:: max(1, len(letters) // _MOST_SYLLABIC)]
    few = letters[:_MOST_LETTERS]
    return [*few, *(one + other for one in few for other in few)]


@functools.cache
def _is_mark(symbol: str) -> bool:
    """Whether it changes the symbol before it: combining, length, or a raised letter."""
    return symbol in _LENGTH or unicodedata.category(symbol) in ("Mn", "Lm")


@functools.cache
def _is_sound(symbol: str) -> bool:
    """A letter of the phonetic alphabet, or the number of a tone."""
    return unicodedata.category(symbol) in ("Ll", "Lo", "Nd")
