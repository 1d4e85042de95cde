"""The headers of WAV and FLAC, read in one piece: what libsndfile says of them, in a tenth of its time.

For the first totals of a large dataset. Whether a header is true shows only in decoding, which libsndfile does.
"""

from __future__ import annotations

import os
import stat
import struct

from piper_core.dataset.audio_header import AudioHeader

_HEAD_BYTES = 4096
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_WAV_SUBTYPES = {
    (_PCM, 8): "PCM_U8", (_PCM, 16): "PCM_16", (_PCM, 24): "PCM_24", (_PCM, 32): "PCM_32",
    (_FLOAT, 32): "FLOAT", (_FLOAT, 64): "DOUBLE",
}  # fmt: skip
_FLAC_SUBTYPES = {8: "PCM_S8", 16: "PCM_16", 24: "PCM_24"}
_LONGEST_S, _RATES_HZ = 600, (1000, 384_000)


def plain_header(path: str) -> AudioHeader | None:
    """What the header of a common WAV or FLAC file says; None where libsndfile has to be asked.

    That is so for other formats, and wherever anything is odd. Raises OSError.
    """
    file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a pipe's opening would wait for a writer
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            return None
        head = os.read(file, _HEAD_BYTES)
    finally:
        os.close(file)
    header = None
    if head[:4] == b"fLaC":
        header = flac_header(head, status.st_size)
    elif head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        header = _wav(head, status.st_size)
    if header is None or not _RATES_HZ[0] <= header.sample_rate <= _RATES_HZ[1]:
        return None
    return header if 0 < header.duration_s <= _LONGEST_S else None


def flac_header(head: bytes, size_bytes: int) -> AudioHeader | None:
    """What the first bytes of a FLAC file, 42 at least, say; None where anything is odd.

    Its first block is STREAMINFO (RFC 9639, section 8.2): 20 bits rate, 3 channels, 5 width, 36 samples.
    """
    if len(head) < 42 or head[4] & 0x7F or head[5:8] != b"\0\0\x22":
        return None
    packed = int.from_bytes(head[18:26], "big")
    rate, channels, bits = packed >> 44, (packed >> 41 & 7) + 1, (packed >> 36 & 31) + 1
    subtype = _FLAC_SUBTYPES.get(bits)
    if not rate or subtype is None:
        return None
    return AudioHeader((packed & (1 << 36) - 1) / rate, rate, channels, "FLAC", subtype, size_bytes)


def _wav(head: bytes, size_bytes: int) -> AudioHeader | None:
    """Chunks of a name, a length and that many bytes, each beginning at an even place."""
    position, told = 12, None
    while position + 8 <= len(head):
        name, length = head[position : position + 4], int.from_bytes(head[position + 4 : position + 8], "little")
        position += 8
        if name == b"fmt " and length >= 16 and position + length <= len(head):
            told = struct.unpack_from("<HHIIHH", head, position)
            extended = told[0] == _EXTENSIBLE and length >= 40
            kind = struct.unpack_from("<H", head, position + 24)[0] if extended else told[0]
        elif name == b"data":
            if told is None or not 0 < length <= size_bytes - position:
                return None
            _, channels, rate, _, frame_bytes, bits = told
            subtype = _WAV_SUBTYPES.get((kind, bits))
            if subtype is None or not channels or not rate or frame_bytes != channels * bits // 8:
                return None
            container = "WAVEX" if extended else "WAV"
            return AudioHeader(length // frame_bytes / rate, rate, channels, container, subtype, size_bytes)
        position += length + length % 2
    return None
