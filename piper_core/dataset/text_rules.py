"""What is odd about a text, before it is spoken: characters that espeak-ng may not read as the speaker did."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from piper_core.dataset.checks import Severity

_MARKUP = re.compile(r"</?[A-Za-z][^<>]*>|&(?:[A-Za-z]{2,8}|#\d{1,6});")
_SYMBOLS = re.compile(r"[&%€$£@#+=*/\\^_~<>{}\[\]|°§©®™•…]")
_DIGITS = re.compile(r"\d[\d.,:/-]*")
_CAPITALS = re.compile(r"\b[A-ZÄÖÜÉÈ]{2,}\b")
_KNOWN = (
    "Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|Rev|Hon|Gen|Col|Capt|Lt|Sgt|Gov|Messrs|Esq|Ltd|Co|Inc|Corp|Bros|Mt|Ave|etc|vs|viz|approx"
    "|dept|Fig|fig|Vol|vol|Nos|Hr|Fr|bzw|usw|ca|Nr|Str|evtl|ggf|inkl|Mme|Mlle|Mgr|Sra|Srta|Ud|Uds|Dra|Sig|Dott|dhr|mevr"
    "|bijv|enz|pl|tzn|np|itd|tzv|apod|т|др|пр|руб|см"
)
_ABBREVIATIONS = re.compile(
    rf"\b(?:{_KNOWN})\.(?!\w)"  # known ones, in several languages
    r"|\b[^\W\d_]\.(?: ?[^\W\d_]\.)+"  # e.g. and U. S.
    r"|\b[^\W\d_]{1,5}\.(?=,| [^\W\d_A-Z\u00C0-\u00DE\u0410-\u042F])"  # a stop amid a sentence: a small letter follows
)
_PLAIN_ENDED = re.compile(r"[A-Za-z ,;:!?'\"()-]*[.!?]?['\")]*")
"""ASCII letters, usual signs and one full stop at most, at the end: nothing to look for but capitals."""
_TWO_CAPITALS = re.compile(r"[A-Z][A-Z]")
_ASCII_REST = bytes(point for point in range(128) if not chr(point).isalnum())
_BY_SCRIPT = {
    "CYRILLIC": "ru uk be bg mk kk ky tt ba cv",
    "GREEK": "el grc",
    "HEBREW": "he",
    "ARABIC": "ar fa ur ug sd",
    "DEVANAGARI": "hi mr ne kok bho",
    "BENGALI": "bn as bpy",
    "ARMENIAN": "hy hyw",
    "GEORGIAN": "ka",
    "TAMIL": "ta",
    "TELUGU": "te",
    "KANNADA": "kn",
    "MALAYALAM": "ml",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
    "THAI": "th",
    "HANGUL": "ko",
    "ETHIOPIC": "am",
    "LATIN": "af an ca cs cy da de en es et eu fi fr ga gd hr hu id is it la lb lt lv ms mt nb nl no pl pt ro sk sl sq"
    " sv sw tr vi",
}
_SCRIPTS = {language: script for script, languages in _BY_SCRIPT.items() for language in languages.split()}
_HIDDEN = frozenset({"Cc", "Cf", "Co", "Cn", "Cs"})
_JAPANESE = frozenset({"CJK", "HIRAGANA", "KATAKANA"})


@dataclass(frozen=True)
class Oddity:
    """One thing about a text, and how much it matters."""

    severity: Severity
    message: str


def oddities(text: str, main_script: str | None = None) -> list[Oddity]:
    """What is odd about `text`; `main_script` is the one that it should be in, as `main_script` gives it."""
    if main_script in (None, "LATIN") and _is_plain(text):
        return []
    found = []
    # What is printable holds none of these categories, and is told fifty times faster.
    plain = text.isprintable() and "\ufffd" not in text
    hidden = [] if plain else [c for c in text if unicodedata.category(c) in _HIDDEN or c == "\ufffd"]
    if hidden:
        names = ", ".join(dict.fromkeys(f"U+{ord(c):04X}" for c in hidden))
        found.append(Oddity("warning", f"holds characters that can't be seen or read ({names})"))
    if markup := _MARKUP.search(text):
        found.append(Oddity("warning", f"holds markup ({markup[0]})"))
    if main_script is not None and not (main_script == "LATIN" and text.isascii()):
        other = [c for c in text if script_of(c) not in (None, main_script)]
        if other:
            found.append(Oddity("warning", f"holds letters of another script ({''.join(dict.fromkeys(other))[:10]})"))
    if shown := " ".join(pictures(text)):
        found.append(Oddity("warning", f"holds pictures ({shown}): espeak-ng says their names, or crashes on them"))
    if digits := _DIGITS.findall(text):
        found.append(Oddity("info", f"holds digits ({', '.join(digits[:3])})"))
    if symbols := dict.fromkeys(_SYMBOLS.findall(_MARKUP.sub(" ", text))):
        found.append(Oddity("info", f"holds symbols ({' '.join(symbols)})"))
    if capitals := [word for word in _CAPITALS.findall(text) if not text.isupper()]:
        found.append(Oddity("info", f"holds words in capitals ({', '.join(capitals[:3])})"))
    if short := dict.fromkeys(match[0].strip() for match in _ABBREVIATIONS.finditer(text)):
        found.append(Oddity("info", f"holds abbreviations ({', '.join([*short][:3])})"))
    if not unicodedata.is_normalized("NFC", text):
        found.append(Oddity("info", "holds letters and accents apart (not NFC)"))
    return found


def main_script(texts: Iterable[str]) -> str | None:
    """The script of most letters of `texts`, as LATIN or CYRILLIC; None without letters."""
    points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    if not points.size:
        return None
    times = np.bincount(points)
    counts: Counter[str] = Counter()
    for point in np.flatnonzero(times).tolist():
        if (script := script_of(chr(point))) is not None:
            counts[script] += int(times[point])
    return counts.most_common(1)[0][0] if counts else None


def expected_script(language: str, texts: Iterable[str]) -> str | None:
    """The script that texts in the espeak-ng voice `language` are written in; where it has several, or is not known
    here, that of most letters of `texts`."""
    return _SCRIPTS.get(language.lower().partition("-")[0]) or main_script(texts)


def normalised(text: str) -> str:
    """`text` for comparison: small letters and digits, nothing else."""
    if text.isascii():
        return text.lower().encode().translate(None, _ASCII_REST).decode()
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def _is_plain(text: str) -> bool:
    """Whether `text` holds nothing to look at, told quickly: most texts do not."""
    return _PLAIN_ENDED.fullmatch(text) is not None and not _TWO_CAPITALS.search(text) and not _last_is_short(text)


def _last_is_short(text: str) -> bool:
    """Whether the last word may be an abbreviation, as etc."""
    return text.endswith(".") and _ABBREVIATIONS.search(text, max(0, len(text) - 12)) is not None


def pictures(text: str) -> list[str]:
    """The emoji and other signs without a reading of their own in `text`, each once; those of `_SYMBOLS` have one."""
    if text.isascii():
        return []
    return [*dict.fromkeys(c for c in text if unicodedata.category(c) == "So" and not _SYMBOLS.match(c))]


def without_pictures(text: str) -> str:
    """`text` with a space for each of its `pictures`: nobody says their names, and espeak-ng ends the process on some
    sequences of them (in German, of two)."""
    for picture in pictures(text):
        text = text.replace(picture, " ")
    return text


@functools.cache
def script_of(character: str) -> str | None:
    """The script of a letter, as LATIN; None for what is no letter."""
    if not character.isalpha():
        return None
    name = unicodedata.name(character, "")
    script = name.split(" ")[0].split("-")[0]
    if script in ("MODIFIER", "FEMININE", "MASCULINE", "FULLWIDTH"):
        return None
    return "JAPANESE OR CHINESE" if script in _JAPANESE else script
