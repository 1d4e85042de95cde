"""Text -> phonemes and their ids, by the espeak-ng inside the piper-tts wheel: exactly what Piper trains on and speaks.

espeak-ng keeps its state once per process, so every call holds one lock.
"""

from __future__ import annotations

import difflib
import functools
import re
import threading
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ESPEAK_LOCK = threading.Lock()
_FOREIGN = re.compile(r"\([a-z][\w-]*\)[^()]*(?:\([a-z][\w-]*\)|$)")
"""As `(en)bˈeɪbi(de)`: switched to another language and back."""


class TextError(ValueError):
    """A text or language that can't be turned into phonemes. The message says why and what to do."""


class PhonemizerMissing(TextError):
    """piper-tts is not installed, so that no text at all can be turned into phonemes."""


@dataclass(frozen=True)
class Language:
    """An espeak-ng voice of the piper-tts wheel."""

    code: str
    """As `en-us`: what the voice's configuration calls `espeak.voice`."""
    name: str
    """As `English (America)`."""


@dataclass(frozen=True)
class PhonemeIds:
    """A text as the networks read it."""

    ids: tuple[int, ...]
    """`^ _ p _ p _ ... $` of each sentence, one after the other."""
    phonemes: tuple[str, ...]
    """Of all sentences, as espeak-ng made them."""
    unknown: tuple[str, ...]
    """Phonemes without an id, in the order they came; they are not in `ids`."""


def languages() -> list[Language]:
    """Every language that piper-tts can turn into phonemes, by name. Raises TextError without piper-tts."""
    return sorted(_voices().languages, key=lambda language: language.name)


def check_language(language: str) -> str:
    """The code that espeak-ng takes: en-gb becomes en. Raises TextError, with the nearest codes, for an unknown one."""
    known = _voices().codes
    code = known.get(language.lower().replace("_", "-"))
    if code is not None:
        return code
    near = difflib.get_close_matches(language.lower(), known, n=3, cutoff=0.4)
    hint = f"; near it are {', '.join(near)}" if near else "; for example en-us, en-gb, de, fr, es"
    raise TextError(f"espeak-ng has no language {language!r}{hint}.")


def phonemize(text: str, language: str) -> list[list[str]]:
    """The phonemes of each sentence of `text`, punctuation among them, in decomposed form (NFD).

    Raises TextError for a language that espeak-ng does not know.
    """
    code = check_language(language)
    # espeak-ng reads C strings: it would end at the first NUL.
    text = text.replace("\0", " ")
    with ESPEAK_LOCK:
        try:
            return _phonemizer().phonemize(code, text)
        except RuntimeError as error:
            raise TextError(f"espeak-ng could not read the text in {code}: {error}.") from error


def phonemize_own(texts: Iterable[str], language: str) -> list[str]:
    """The phonemes of each of `texts`, less what espeak-ng reads in another language: foreign words, unknown letters.

    In decomposed form (NFD). Raises TextError.
    """
    code = check_language(language)
    _phonemizer()
    from piper import espeakbridge

    found = []
    with ESPEAK_LOCK:
        try:
            espeakbridge.set_voice(code)
            for text in texts:
                clauses = espeakbridge.get_phonemes(text.replace("\0", " "))
                spoken = " ".join(phonemes for phonemes, _, _ in clauses)
                found.append(unicodedata.normalize("NFD", _FOREIGN.sub(" ", spoken)))
        except RuntimeError as error:
            raise TextError(f"espeak-ng could not read the texts in {code}: {error}.") from error
    return found


def encode(text: str, language: str) -> PhonemeIds:
    """Phonemes and ids of `text`, sentences chained as Piper's trainer chains them."""
    return encode_phonemes(phonemize(text, language))


def encode_phonemes(sentences: Sequence[Sequence[str]]) -> PhonemeIds:
    """Ids of phonemes that `phonemize` gave."""
    id_map = _id_map()
    pad, ids, unknown = id_map["_"], [], []
    for sentence in sentences:
        ids += [*id_map["^"], *pad]
        for phoneme in sentence:
            if phoneme in id_map:
                ids += [*id_map[phoneme], *pad]
            else:
                unknown.append(phoneme)
        ids += id_map["$"]
    return PhonemeIds(tuple(ids), tuple(p for sentence in sentences for p in sentence), tuple(unknown))


def phoneme_ids(text: str, language: str) -> list[int]:
    """The ids of `text`: what the text encoder is fed. Phonemes without an id are left out, as Piper does."""
    return list(encode(text, language).ids)


def phoneme_id_map() -> dict[str, list[int]]:
    """Piper's table: phoneme -> ids. A copy, to be written into a voice's configuration."""
    return {phoneme: list(ids) for phoneme, ids in _id_map().items()}


@functools.cache
def _id_map() -> Mapping[str, Sequence[int]]:
    _require_piper()
    from piper.phoneme_ids import DEFAULT_PHONEME_ID_MAP

    return DEFAULT_PHONEME_ID_MAP


def _require_piper() -> Path:
    """The folder of espeak-ng's data inside the piper-tts wheel."""
    try:
        from piper.phonemize_espeak import ESPEAK_DATA_DIR
    except ImportError:
        raise PhonemizerMissing("piper-tts is not installed; install it with: pip install piper-tts.") from None
    return Path(ESPEAK_DATA_DIR)


@functools.cache
def _phonemizer() -> Any:
    from piper.phonemize_espeak import EspeakPhonemizer

    return EspeakPhonemizer()


@dataclass(frozen=True)
class _Voices:
    languages: tuple[Language, ...]
    codes: dict[str, str]
    """Every spelling of a language -> the name of its voice file, which is what espeak-ng finds a voice by."""


@functools.cache
def _voices() -> _Voices:
    data_dir = _require_piper()
    found: list[Language] = []
    aliases: list[tuple[int, str, str]] = []
    for path in sorted((data_dir / "lang").rglob("*")):
        if not path.is_file():
            continue
        code, name, dictionary = path.name.lower(), path.name, path.name.split("-")[0].lower()
        named: list[tuple[int, str, str]] = []
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            key, *values = line.split()[:3] or [""]
            if key == "name":
                name = line.partition(" ")[2].strip()
            elif key == "dictionary" and values:
                dictionary = values[0]
            elif key == "language" and values:
                # "language en-gb 2": among files that share a language, the lowest number is preferred; 5 by default.
                named.append((int(values[1]) if len(values) > 1 else 5, values[0].lower(), code))
        if (data_dir / f"{dictionary}_dict").is_file():
            found.append(Language(code, name))
            aliases += named
    codes = {alias: code for _, alias, code in sorted(aliases, reverse=True)}
    return _Voices(tuple(found), codes | {language.code: language.code for language in found})
