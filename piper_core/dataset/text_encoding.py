"""Bytes of a text file -> its text, and how it was encoded: told by a mark, proven by the bytes, or inferred and said.

UTF-8 proves itself: text in another encoding is hardly ever valid UTF-8. UTF-16 without a mark shows in its zero bytes.
Latin-1 (read as its superset Windows-1252) can only be inferred: it is where a few accented letters stand among many
plain ones, and refused where the bytes look like another script or language.
"""

from __future__ import annotations

import codecs
import re
import string
from dataclasses import dataclass

_MARKS = (
    (codecs.BOM_UTF8, "utf-8", "UTF-8 with a byte-order mark"),
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32 with a byte-order mark"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32 with a byte-order mark"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16 (little-endian, with a byte-order mark)"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16 (big-endian, with a byte-order mark)"),
)
_HEAD_BYTES = 1 << 18
_MOST_ACCENTED = 0.4
"""Share of letters above ASCII from which Latin-1 is not believed: in French it is 0.04, in Cyrillic nearly 1."""
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
_MARKS_OF_TEXT = "’‘“”„–—…´·°«»\xa0"
_IN_A_WORD = re.compile(rf"(?<=[A-Za-z])[^\x00-\x7f{_MARKS_OF_TEXT}]|[^\x00-\x7f{_MARKS_OF_TEXT}¿¡](?=[A-Za-z])")
_ASCII_LETTERS = (string.ascii_letters).encode()


class EncodingError(ValueError):
    """Bytes that are no text in an encoding that can be told. The message says why, and ends without a full stop."""


@dataclass(frozen=True)
class DecodedText:
    """A text file's text."""

    text: str
    """Bytes that are no UTF-8 stand as surrogates (PEP 383) where `damaged`."""
    encoding: str
    """For people; empty for plain UTF-8."""
    inferred: bool = False
    """Whether nothing proves the encoding."""
    damaged: bool = False
    """Whether single lines are not in the encoding of the rest."""


def decode_text(data: bytes) -> DecodedText:
    """The text of a whole file. Raises EncodingError."""
    for mark, encoding, name in _MARKS:
        if data.startswith(mark):
            body = data[len(mark) :]
            try:
                return DecodedText(body.decode(encoding), name)
            except UnicodeDecodeError as error:
                if encoding == "utf-8":
                    return DecodedText(body.decode(encoding, "surrogateescape"), name, damaged=True)
                if encoding.startswith("utf-16") and error.end == len(body):
                    return DecodedText(body[: error.start].decode(encoding), name)  # half a character at the end
                raise EncodingError(f"says that it is {name} and is not (byte {error.start:,})") from None
    if b"\0" in data and (wide := _utf_16(data)):
        return wide
    try:
        return DecodedText(data.decode("utf-8"), "")
    except UnicodeDecodeError as error:
        first_bad = error.start
    patched = data.decode("utf-8", "surrogateescape")
    bad = len("".join(re.findall("[\udc80-\udcff]+", patched)))
    above_ascii = len(patched) - len(patched.encode("ascii", "ignore"))
    if above_ascii > 2 * bad:
        return DecodedText(patched, "", damaged=True)
    line = data.count(b"\n", 0, first_bad) + 1
    return DecodedText(_latin(data, line), "Latin-1 (Windows-1252)", inferred=True)


def _utf_16(data: bytes) -> DecodedText | None:
    """UTF-16 without a mark: read in the right order of bytes it holds ASCII's separators and no zeros."""
    head = data[: _HEAD_BYTES - _HEAD_BYTES % 2]
    best: tuple[float, str] = (0.0, "")
    for encoding in ("utf-16-le", "utf-16-be"):
        text = head[: len(head) - len(head) % 2].decode(encoding, "replace")
        if "\0" in text or "\ufffd" in text[:-1]:
            continue
        plain = sum(character in "\n\r\t |,;." or "0" <= character <= "z" for character in text) / max(1, len(text))
        best = max(best, (plain, encoding))
    share, encoding = best
    # In Chinese or Cyrillic only separators are ASCII: a few of a hundred characters.
    if share < 0.02:
        return None
    try:
        text = data[: len(data) - len(data) % 2].decode(encoding)
    except UnicodeDecodeError:
        return None
    if "\n" not in text and "\r" not in text and share < 0.2:
        return None
    order = "little" if encoding.endswith("le") else "big"
    return DecodedText(text, f"UTF-16 ({order}-endian, without a byte-order mark)", inferred=True)


def _latin(data: bytes, line: int) -> str:
    advice = f"is not UTF-8 (line {line})"
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        raise EncodingError(f"{advice}, nor Latin-1") from None
    if _CONTROL.search(text):
        raise EncodingError(f"{advice}, nor any text: it holds control characters")
    plain = len(data) - len(data.translate(None, _ASCII_LETTERS))
    accented = sum(map(str.isalpha, "".join(re.findall(r"[^\x00-\x7f]+", text))))
    if accented > _MOST_ACCENTED * (plain + accented):
        raise EncodingError(f"{advice}, and its bytes could be one of several encodings of another script")
    within = _IN_A_WORD.findall(text)
    if sum(not character.isalpha() for character in within) > 0.1 * len(within):
        raise EncodingError(f"{advice}, and read as Latin-1 its words hold symbols: it is another encoding")
    return text
