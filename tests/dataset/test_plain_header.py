"""The quick reading of headers says what libsndfile says, or nothing."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from piper_core.dataset.audio import AudioHeader, read_header
from piper_core.dataset.plain_header import plain_header

COMMON = [
    *(("WAV", subtype) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")),
    *(("WAVEX", subtype) for subtype in ("PCM_16", "PCM_24", "FLOAT")),
    *(("FLAC", subtype) for subtype in ("PCM_S8", "PCM_16", "PCM_24")),
]


def written(path: Path, container: str, subtype: str, channels: int = 1, rate: int = 22050) -> Path:
    samples = np.random.default_rng(1).uniform(-0.5, 0.5, (1000, channels))
    soundfile.write(path, samples, rate, format=container, subtype=subtype)
    return path


@pytest.mark.parametrize(("container", "subtype"), COMMON)
@pytest.mark.parametrize(("channels", "rate"), [(1, 16000), (2, 48000), (6, 44100)])
def test_as_libsndfile(tmp_path: Path, container: str, subtype: str, channels: int, rate: int) -> None:
    path = written(tmp_path / "clip", container, subtype, channels, rate)
    assert plain_header(str(path)) == read_header(path)
    assert isinstance(read_header(path), AudioHeader)


@pytest.mark.parametrize(("container", "subtype"), [("WAV", "ULAW"), ("WAV", "IMA_ADPCM"), ("OGG", "VORBIS"),
                                                    ("AIFF", "PCM_16"), ("RF64", "PCM_16")])  # fmt: skip
def test_of_others_it_says_nothing(tmp_path: Path, container: str, subtype: str) -> None:
    assert plain_header(str(written(tmp_path / "clip", container, subtype))) is None


def test_real_and_awkward_files(kathleen: Path, awkward: Path) -> None:
    files = [*sorted((kathleen / "wavs").iterdir())[:50], *(path for path in awkward.rglob("*") if path.is_file())]
    said = {path: plain_header(str(path)) for path in files}
    told = {path: header for path, header in said.items() if header is not None}
    assert len(told) >= 50
    assert {path.name: header for path, header in told.items() if header != read_header(path)} == {}


def test_odd_headers_are_left_to_libsndfile(tmp_path: Path) -> None:
    whole = written(tmp_path / "a.wav", "WAV", "PCM_16").read_bytes()
    flac = written(tmp_path / "a.flac", "FLAC", "PCM_16").read_bytes()
    odd = {
        "half": whole[: len(whole) // 2],
        "no fmt": whole[:12] + whole[36:],
        "no rate": whole[:24] + bytes(4) + whole[28:],
        "no channels": whole[:22] + bytes(2) + whole[24:],
        "odd frame": whole[:32] + b"\3\0" + whole[34:],
        "streamed": whole[:40] + b"\xff" * 4 + whole[44:],
        "head alone": whole[:20],
        "empty": b"",
        "no samples": whole[:40] + bytes(4),
        "flac without STREAMINFO": flac[:4] + b"\4" + flac[5:],
        "flac, half a head": flac[:30],
        "flac of unknown length": flac[:21] + bytes([flac[21] & 0xF0]) + bytes(4) + flac[26:],
        "flac of a day": flac[:21] + bytes([flac[21] | 0x0F]) + bytes(4) + flac[26:],
    }
    for name, content in odd.items():
        (tmp_path / "odd").write_bytes(content)
        assert plain_header(str(tmp_path / "odd")) is None, name


def test_a_chunk_before_the_samples(tmp_path: Path) -> None:
    whole = written(tmp_path / "a.wav", "WAV", "PCM_16").read_bytes()
    path = tmp_path / "list.wav"
    path.write_bytes(whole[:36] + b"LIST" + struct.pack("<I", 5) + b"INFO\0\0" + whole[36:])
    header = plain_header(str(path))
    assert header is not None
    assert header == read_header(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    assert plain_header(str(tmp_path / "pipe.wav")) is None
