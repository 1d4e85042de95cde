"""What is odd about a text, before it is spoken: characters that espeak-ng may not read as the speaker did."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from piper_core.dataset.checks import Severity

_MARKUP = re.compile(r"</?[A-Za-z][^<>]*>|&(?:[A-Za-z]{2,8}|#\d{1,6});")
_SYMBOLS = re.compile(r"[&%€$£@#+=*/\\^_~<>{}\[\]|°§©®™•…]")
_DIGITS = re.compile(r"\d[\d.,:/-]*")
_CAPITALS = re.compile(r"\b[A-ZÄÖÜÉÈ]{2,}\b")
_JAPANESE = frozenset({"CJK", "HIRAGANA", "KATAKANA"})


@dataclass(frozen=True)
class Oddity:
    """One thing about a text, and how much it matters."""

    severity: Severity
    message: str


def oddities(text: str, main_script: str | None = None) -> list[Oddity]:
    """What is odd about `text`; `main_script` is the dataset's, as `main_script` gives it."""
    found = []
    hidden = [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Co", "Cn", "Cs") or c == "\ufffd"]
    if hidden:
        names = ", ".join(dict.fromkeys(f"U+{ord(c):04X}" for c in hidden))
        found.append(Oddity("warning", f"holds characters that can't be seen or read ({names})"))
    if markup := _MARKUP.search(text):
        found.append(Oddity("warning", f"holds markup ({markup[0]})"))
    if main_script is not None:
        other = [c for c in text if script_of(c) not in (None, main_script)]
        if other:
            found.append(Oddity("warning", f"holds letters of another script ({''.join(dict.fromkeys(other))[:10]})"))
    if digits := _DIGITS.findall(text):
        found.append(Oddity("info", f"holds digits ({', '.join(digits[:3])})"))
    if symbols := dict.fromkeys(_SYMBOLS.findall(_MARKUP.sub(" ", text))):
        found.append(Oddity("info", f"holds symbols ({' '.join(symbols)})"))
    if capitals := [word for word in _CAPITALS.findall(text) if not text.isupper()]:
        found.append(Oddity("info", f"holds words in capitals ({', '.join(capitals[:3])})"))
    if not unicodedata.is_normalized("NFC", text):
        found.append(Oddity("info", "holds letters and accents apart (not NFC)"))
    return found


def main_script(texts: Iterable[str]) -> str | None:
    """The script of most letters of `texts`, as LATIN or CYRILLIC; None without letters."""
    counts = Counter(script for text in texts for script in map(script_of, text) if script is not None)
    return counts.most_common(1)[0][0] if counts else None


def normalised(text: str) -> str:
    """`text` for comparison: small letters and digits, nothing else."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


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
