"""Texts -> how often each sound of the language is in them, and which sentences would add what is missing."""

from __future__ import annotations

import heapq
import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from piper_core.dataset import text
from piper_core.dataset.sounds import Inventory, inventory, pairs, sounds_of

WANTED = 10
"""Times that each sound should be spoken, at the least. Fewer, and a voice learns it from its neighbours at best."""


@dataclass(frozen=True)
class Counted:
    """The sounds of texts."""

    sounds: dict[str, int]
    """Each sound and how often."""
    pairs: frozenset[tuple[str, str]]
    """Every two sounds that follow each other."""
    example: dict[str, str]
    """A text in which each sound occurs: the first."""
    texts: int
    """How many texts were read."""


@dataclass(frozen=True)
class Coverage:
    """What texts hold of a language's sounds."""

    counts: dict[str, int]
    """Each usual sound of the language, then each other one of the texts, and how often the texts have it."""
    missing: tuple[str, ...]
    """Usual sounds of the language that the texts lack."""
    thin: tuple[str, ...]
    """Usual sounds that are there, but fewer than `WANTED` times."""
    share: float
    """Of the usual sounds, how many are there at all, 0 to 1."""
    pair_share: float
    """Of the pairs of sounds in the language's own words, how many are there, 0 to 1."""


@dataclass(frozen=True)
class BaseVoice:
    """What a voice to start from has heard."""

    language: str
    symbols: frozenset[str]
    """Phonemes of its language that it has ids for."""

    def knows(self, sound: str) -> bool:
        """Whether every symbol and mark of `sound` was in its training."""
        return all(symbol in self.symbols for symbol in sound)


@dataclass(frozen=True)
class Suggested:
    """A sentence to record."""

    sentence: str
    adds: dict[str, int]
    """The wanted sounds in it -> how many of them count towards what is wanted."""


class BaseError(ValueError):
    """A file that does not tell what a voice has heard. The message says what to give instead."""


def count(texts: Iterable[str], language: str, on_progress: Callable[[int], None] | None = None) -> Counted:
    """The sounds of `texts`. `on_progress` is told how many are read, and may raise to stop. Raises TextError."""
    counts: Counter[str] = Counter()
    beside: set[tuple[str, str]] = set()
    example: dict[str, str] = {}
    read = 0
    for read, words in enumerate(texts, start=1):
        of = sounds_of(words, language)
        counts.update(of)
        beside.update(pairs(of))
        for sound in set(of):
            example.setdefault(sound, words)
        if on_progress is not None:
            on_progress(read)
    counts.pop(" ", None)
    example.pop(" ", None)
    return Counted(dict(counts.most_common()), frozenset(beside), example, read)


def coverage(counted: Counted, known: Inventory) -> Coverage:
    """What `counted` texts hold of the sounds of a language."""
    usual = known.usual
    counts = {sound: counted.sounds.get(sound, 0) for sound in usual}
    missing = tuple(sound for sound in usual if not counts[sound])
    return Coverage(
        counts=counts | {sound: number for sound, number in counted.sounds.items() if sound not in counts},
        missing=missing,
        thin=tuple(sound for sound in usual if 0 < counts[sound] < WANTED),
        share=1 - len(missing) / len(usual) if usual else 0.0,
        pair_share=len(known.pairs & counted.pairs) / len(known.pairs) if known.pairs else 0.0,
    )


def base_voice(language: str, phoneme_ids: Collection[str] | None = None) -> BaseVoice:
    """A voice that was trained in `language`, with `phoneme_ids` (default: piper-tts' own).

    Raises TextError, and BaseError for a language in which espeak-ng has no words to learn the sounds from.
    """
    known = inventory(text.check_language(language))
    if not known.has_words:
        raise BaseError(f"espeak-ng has no words of {language} at hand, so what such a voice has heard can't be told.")
    heard = {symbol for sound in known.words for symbol in sound}
    return BaseVoice(known.language, frozenset(heard & set(phoneme_ids or text.phoneme_id_map())))


def read_base(voice_json: bytes) -> BaseVoice:
    """The voice that a Piper voice's JSON (.onnx.json, or config.json beside a checkpoint) describes.

    Raises BaseError, and TextError for a language that espeak-ng lacks.
    """
    try:
        content = json.loads(voice_json)
    except ValueError as error:
        raise BaseError(
            "This is no JSON. Give the .onnx.json of a voice, or the config.json of a checkpoint."
        ) from error
    espeak = content.get("espeak") if isinstance(content, dict) else None
    language = espeak.get("voice") if isinstance(espeak, dict) else None
    ids = content.get("phoneme_id_map") if isinstance(content, dict) else None
    if not isinstance(language, str) or not isinstance(ids, dict):
        raise BaseError(
            "This JSON does not describe a Piper voice: espeak.voice and phoneme_id_map are missing."
            " Give the .onnx.json of a voice, or the config.json of a checkpoint."
        )
    return base_voice(language, ids)


def sentences_to_record(
    candidates: Mapping[str, Sequence[str]],
    counts: Mapping[str, int],
    wanted: Collection[str],
    want_per_phoneme: int = WANTED,
    most: int = 100,
) -> list[Suggested]:
    """The fewest sentences, greedily, after which each sound of `wanted` was spoken `want_per_phoneme` times.

    `candidates`: sentence -> its sounds; `counts`: what the dataset has already. In each step the sentence that adds
    most for its length; greedy cover is within ln n of the best (Chvátal 1979, Math. of OR 4). Ends when nothing adds.
    """
    needed = {sound: want_per_phoneme - counts.get(sound, 0) for sound in wanted}
    needed = {sound: number for sound, number in needed.items() if number > 0}
    holds = {
        sentence: {sound: number for sound, number in Counter(of).items() if sound in needed}
        for sentence, of in candidates.items()
    }

    def gain(sentence: str) -> float:
        # A sound that is not there at all counts more than one that is there nine times.
        adds = sum(min(number, needed[sound]) / (1 + counts.get(sound, 0)) for sound, number in holds[sentence].items())
        return adds / (10 + len(candidates[sentence]))

    # What a sentence adds only falls as others are taken, so the best of the old gains need be checked alone.
    queue = [(-gain(sentence), at, sentence) for at, sentence in enumerate(holds) if holds[sentence]]
    heapq.heapify(queue)
    taken: list[Suggested] = []
    while queue and len(taken) < most:
        _, at, sentence = heapq.heappop(queue)
        now = gain(sentence)
        if now <= 0:
            continue
        if queue and now < -queue[0][0]:
            heapq.heappush(queue, (-now, at, sentence))
            continue
        adds = {sound: min(number, needed[sound]) for sound, number in holds[sentence].items() if needed[sound] > 0}
        for sound, number in adds.items():
            needed[sound] -= number
        taken.append(Suggested(sentence, adds))
    return taken


def sentences_of(words: str, longest: int = 160) -> list[str]:
    """The different sentences of a text that can be read in one breath: 3 words and more, up to `longest` letters."""
    ends = ".!?…。！？।؟"
    found: list[str] = []
    for line in words.splitlines():
        sentence = ""
        for at, character in enumerate(line):
            sentence += character
            # A full stop ends a sentence before a space or a line's end; those of other scripts end it anywhere.
            if character in ends and (line[at + 1 : at + 2] in ("", " ", "”", "»") or character in "。！？"):
                found.append(sentence.strip())
                sentence = ""
        found.append(sentence.strip())
    spaced = [s for s in dict.fromkeys(found) if len(s) <= longest]
    return [s for s in spaced if len(s.split()) >= 3 or (len(s) >= 6 and _unspaced(s))]


def _unspaced(sentence: str) -> bool:
    return any(unicodedata.category(character) == "Lo" for character in sentence)
