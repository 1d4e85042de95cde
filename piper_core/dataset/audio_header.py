"""What a file's header claims, against the bytes that are there: headers lie, and libsndfile believes some of them."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

_STREAMED = (0, 0xFFFFFFFF)
"""Lengths written by programs that could not go back to fill them in."""


def cut_off(path: Path) -> str | None:
    """Why the file is shorter than its container says, or None where nothing shows that it is.

    Looks at the chunks of WAV and AIFF and at the last page of Ogg. Raises OSError.
    """
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(12)
        if start[:4] == b"RIFF" and start[8:] == b"WAVE":
            return _cut_chunk(file, size_bytes, b"data", "<I")
        if start[:4] == b"FORM" and start[8:] in (b"AIFF", b"AIFC"):
            return _cut_chunk(file, size_bytes, b"SSND", ">I")
        if start[:4] == b"OggS":
            return _cut_ogg(file, size_bytes)
    return None


def _cut_chunk(file: BinaryIO, size_bytes: int, wanted: bytes, length_format: str) -> str | None:
    while len(header := file.read(8)) == 8:
        length = struct.unpack(length_format, header[4:])[0]
        if header[:4] == wanted:
            there = size_bytes - file.tell()
            if length in _STREAMED or length <= there:
                return None
            return f"its header promises {length:,} bytes of audio, {there:,} are there"
        file.seek(length + length % 2, os.SEEK_CUR)
    return None


def _cut_ogg(file: BinaryIO, size_bytes: int) -> str | None:
    """An Ogg stream's last page carries the flag 4, end of stream (RFC 3533, section 6)."""
    file.seek(max(0, size_bytes - 65_307))  # the largest page
    tail = file.read()
    page = tail.rfind(b"OggS")
    if page >= 0 and page + 5 < len(tail) and not tail[page + 5] & 4:
        return "its stream stops without an end"
    return None
