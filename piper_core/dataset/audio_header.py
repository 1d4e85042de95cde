"""What a file's header claims, against the bytes that are there: headers lie, and libsndfile believes some of them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_STREAMED = (0, 0xFFFFFFFF)
"""Lengths written by programs that could not go back to fill them in."""
_W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"  # Sony Wave64's name of the chunk of samples
_MOST_CHUNKS, _LONGEST_CHUNK = 1000, 1 << 48


@dataclass(frozen=True)
class AudioHeader:
    """What the header says; whether it is true shows only in decoding."""

    duration_s: float
    sample_rate: int
    """Hertz."""
    channels: int
    format: str
    subtype: str
    size_bytes: int


def cut_off(path: Path) -> str | None:
    """Why the file is shorter than its container says, or None where nothing shows that it is.

    Looks at the chunks of WAV, RF64, W64, AIFF and CAF, at the length in AU, and at the last page of Ogg.
    Raises OSError.
    """
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(12)
        if start[:4] == b"RIFF" and start[8:] == b"WAVE":
            return _short(_chunk(file, 12, b"data", "<4sI", 2), size_bytes)
        if start[:4] == b"RF64" and start[8:] == b"WAVE":
            return _short(_rf64_data(file), size_bytes)
        if start[:4] == b"FORM" and start[8:] in (b"AIFF", b"AIFC"):
            return _short(_chunk(file, 12, b"SSND", ">4sI", 2), size_bytes)
        if start[:4] == b"caff":
            return _short(_chunk(file, 8, b"data", ">4sq", 1), size_bytes)
        if start[:4] == b"riff":  # W64: names of 16 bytes, lengths that count name and length too, in steps of 8
            return _short(_chunk(file, 40, _W64_DATA, "<16sQ", 8, counted=24), size_bytes)
        if start[:4] == b".snd":
            offset, length = struct.unpack(">II", start[4:])
            return _short((offset, length), size_bytes)
        if start[:4] == b"OggS":
            return _cut_ogg(file, size_bytes)
    return None


def _short(audio: tuple[int, int] | None, size_bytes: int) -> str | None:
    """A sentence's end where the audio, as offset and length in bytes, reaches beyond the file."""
    if audio is None or audio[1] in _STREAMED or audio[1] < 0:
        return None
    length, there = audio[1], max(0, size_bytes - audio[0])
    return f"its header promises {length:,} bytes of audio, {there:,} are there" if length > there else None


def _chunk(file: BinaryIO, start: int, wanted: bytes, head: str, step: int, counted: int = 0) -> tuple[int, int] | None:
    """Offset and length in bytes of the chunk named `wanted`.

    `head` packs a chunk's name and length, `counted` bytes of which are the head itself; chunks begin at multiples of
    `step`.
    """
    position, size = start, struct.calcsize(head)
    for _ in range(_MOST_CHUNKS):
        file.seek(position)
        packed = file.read(size)
        if len(packed) < size:
            return None
        name, length = struct.unpack(head, packed)
        length -= counted
        if name == wanted:
            return position + size, length
        if not 0 <= length < _LONGEST_CHUNK:
            return None
        position += size + length + -length % step
    return None


def _rf64_data(file: BinaryIO) -> tuple[int, int] | None:
    """As `_chunk`: the length of 64 bits stands in a chunk of its own (EBU Tech 3306)."""
    sizes, data = (_chunk(file, 12, name, "<4sI", 2) for name in (b"ds64", b"data"))
    if sizes is None or data is None:
        return None
    file.seek(sizes[0] + 8)
    packed = file.read(8)
    return (data[0], struct.unpack("<Q", packed)[0]) if len(packed) == 8 else None


def _cut_ogg(file: BinaryIO, size_bytes: int) -> str | None:
    """An Ogg stream's last page carries the flag 4, end of stream, and is there as a whole (RFC 3533, section 6)."""
    file.seek(max(0, size_bytes - 65_307))  # the largest page
    tail = file.read()
    page = tail.rfind(b"OggS")
    if page < 0 or page + 27 > len(tail):
        return "its last page is broken off"
    segments = tail[page + 27 : page + 27 + tail[page + 26]]
    if not tail[page + 5] & 4:
        return "its stream stops without an end"
    ends = page + 27 + tail[page + 26] + sum(segments)
    return "its last page is broken off" if ends > len(tail) else None
