"""What is decoded: every width and container of libsndfile, and through ffmpeg, where it is installed, the others."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from piper_core.dataset import ffmpeg
from piper_core.dataset.decoding import Unreadable, decode, read_header

RATE = 16000
SAMPLES = (0.4 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)


@pytest.mark.parametrize(
    ("suffix", "subtype", "tolerance"),
    [
        (".wav", "PCM_U8", 0.02), (".wav", "PCM_16", 1e-4), (".wav", "PCM_24", 1e-6), (".wav", "PCM_32", 1e-6),
        (".wav", "FLOAT", 1e-7), (".wav", "DOUBLE", 1e-7), (".wav", "ULAW", 0.03), (".flac", "PCM_16", 1e-4),
        (".flac", "PCM_24", 1e-6), (".ogg", "VORBIS", 0.05), (".mp3", "MPEG_LAYER_III", 0.05),
        (".aiff", "PCM_16", 1e-4),
        (".aif", "PCM_24", 1e-6), (".au", "PCM_16", 1e-4), (".caf", "PCM_16", 1e-4), (".w64", "PCM_16", 1e-4),
    ],
)  # fmt: skip
def test_what_libsndfile_reads(tmp_path: Path, suffix: str, subtype: str, tolerance: float) -> None:
    path = tmp_path / f"a{suffix}"
    container = {".aif": "AIFF"}.get(suffix)
    soundfile.write(path, SAMPLES, RATE, subtype=subtype, format=container)
    decoded = decode(path, 600)
    assert not isinstance(decoded, Unreadable)
    header, samples = decoded
    assert (header.sample_rate, header.channels, header.subtype) == (RATE, 1, subtype)
    assert abs(header.duration_s - 1) < 0.1, "MP3 is padded to whole frames"
    np.testing.assert_allclose(samples[2000:14000, 0], SAMPLES[2000:14000], atol=tolerance)


def test_opus(tmp_path: Path) -> None:
    path = tmp_path / "a.opus"
    soundfile.write(path, np.tile(SAMPLES, 2), RATE, format="OGG", subtype="OPUS")
    decoded = decode(path, 600)
    assert not isinstance(decoded, Unreadable)
    assert abs(decoded[0].duration_s - 2) < 0.02


def test_without_ffmpeg_a_sentence_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    for suffix in ffmpeg.SUFFIXES:
        path = tmp_path / f"a{suffix}"
        path.write_bytes(b"no audio")
        for read in (decode(path, 600), read_header(path)):
            assert isinstance(read, Unreadable)
            assert "install the command ffmpeg" in read.reason


needs_ffmpeg = pytest.mark.skipif(not ffmpeg.has_ffmpeg(), reason="ffmpeg is not installed")


@needs_ffmpeg
@pytest.mark.parametrize("suffix", [".m4a", ".webm", ".aac", ".wma"])
def test_what_ffmpeg_reads(tmp_path: Path, suffix: str) -> None:
    soundfile.write(tmp_path / "a.wav", np.tile(SAMPLES, 3), RATE)
    path = tmp_path / f"a b'$(x){suffix}"
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-i", tmp_path / "a.wav", path], check=True)
    told, decoded = read_header(path), decode(path, 600)
    assert not isinstance(told, Unreadable)
    assert not isinstance(decoded, Unreadable)
    header, samples = decoded
    assert (told.sample_rate, told.channels) == (header.sample_rate, 1)
    assert abs(told.duration_s - 3) < 0.3
    assert abs(header.duration_s - 3) < 0.15
    spectrum = np.abs(np.fft.rfft(samples[:, 0]))
    assert abs(np.argmax(spectrum) * header.sample_rate / len(samples) - 440) < 2
    part = decode(path, 600, 1.0, 0.5)
    assert not isinstance(part, Unreadable)
    assert part[0].duration_s == 0.5
    assert abs(np.sqrt(np.mean(part[1] ** 2)) - 0.283) < 0.03
    assert isinstance(decode(path, 600, 2.9, 5.0), Unreadable)


@needs_ffmpeg
def test_a_playlist_called_m4a_reads_no_other_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "secret.wav", SAMPLES, RATE)
    path = tmp_path / "a.m4a"
    for content in (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\nfile://{tmp_path}/secret.wav\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile {tmp_path}/secret.wav\n",
        "",
        "\0" * 5000,
    ):
        path.write_text(content)
        assert isinstance(decode(path, 600), Unreadable)
        assert isinstance(read_header(path), Unreadable)


@needs_ffmpeg
def test_half_a_file_is_unreadable(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.tile(SAMPLES, 5), RATE)
    path = tmp_path / "a.m4a"
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-i", tmp_path / "a.wav", path], check=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert isinstance(decode(path, 600), Unreadable)
