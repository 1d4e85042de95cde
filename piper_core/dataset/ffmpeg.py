"""M4A, WebM, WMA: what libsndfile can't read, through the command ffmpeg where it is installed.

The command gets fixed arguments and no shell. It may open this one file and a pipe, nothing on the network, and only as
one of the containers below: a playlist that calls itself .m4a could otherwise name any other file to be read.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import soundfile

SUFFIXES = (".m4a", ".mp4", ".webm", ".aac", ".wma")
MISSING = "libsndfile can't decode this format; install the command ffmpeg, or export the clip as WAV or FLAC."
_CONTAINERS = "mov,matroska,aac,asf"
_TIMEOUT_S = 60
_MOST_BYTES = 512 * 1024**2
_STREAM = re.compile(r"Stream #0:\d+.*?: Audio: (\w+).*?, (\d+) Hz, ([\w.]+)")
_DURATION = re.compile(r"Duration: (\d+):(\d+):(\d+\.\d+)")
_CHANNELS = {"mono": 1, "stereo": 2, "5.1": 6, "7.1": 8, "quad": 4, "2.1": 3, "4.0": 4, "5.0": 5}


class FfmpegError(ValueError):
    """A file that ffmpeg can't decode. The message says why, as a sentence."""


def is_for_ffmpeg(path: Path) -> bool:
    """Whether a file of this name is one that libsndfile does not know."""
    return path.suffix.lower() in SUFFIXES


def has_ffmpeg() -> bool:
    """Whether the command is installed."""
    return shutil.which("ffmpeg") is not None


def describe(path: Path) -> tuple[str, int, int, float]:
    """Codec, rate in Hz, channels and duration in s, as the file's header says. Raises FfmpegError."""
    told = _run(["-i", f"file:{path}"], [])[1]
    stream, length = _STREAM.search(told), _DURATION.search(told)
    if stream is None:
        raise FfmpegError(f"ffmpeg finds no audio in it: {_reason(told)}.")
    hours, minutes, seconds = (float(part) for part in length.groups()) if length else (0.0, 0.0, 0.0)
    channels = _CHANNELS.get(stream[3].removesuffix("(side)"), 1)
    return stream[1], int(stream[2]), channels, hours * 3600 + minutes * 60 + seconds


def decode(path: Path, max_s: float) -> tuple[str, int, np.ndarray]:
    """Codec, rate in Hz and float32 samples [N, channels], at most `max_s` of them. Raises FfmpegError."""
    codec = describe(path)[0]
    limits = ["-t", f"{max_s:.3f}", "-fs", str(_MOST_BYTES)]
    output = ["-map", "0:a:0", "-vn", "-sn", "-dn", *limits, "-c:a", "pcm_f32be", "-f", "au", "pipe:1"]
    sound, told, ended = _run(["-xerror", "-i", f"file:{path}"], output)
    if ended or not sound:
        raise FfmpegError(f"ffmpeg can't decode it: {_reason(told)}.")
    try:
        samples, rate = soundfile.read(io.BytesIO(sound), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError:
        raise FfmpegError("ffmpeg gave back no sound.") from None
    return codec, rate, samples


def _run(source: list[str], output: list[str]) -> tuple[bytes, str, int]:
    """What ffmpeg wrote, what it said, and its exit status. Raises FfmpegError."""
    command = shutil.which("ffmpeg")
    if command is None:
        raise FfmpegError(MISSING)
    arguments = [
        command, "-nostdin", "-hide_banner", "-threads", "1", "-protocol_whitelist", "file,pipe",
        "-format_whitelist", _CONTAINERS, *source, *output,
    ]  # fmt: skip
    try:
        ran = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise FfmpegError(f"ffmpeg needs more than {_TIMEOUT_S} s for it.") from None
    except OSError as error:
        raise FfmpegError(f"ffmpeg can't be started ({error.strerror}).") from None
    return ran.stdout, ran.stderr.decode("utf-8", "replace"), ran.returncode


def _reason(told: str) -> str:
    """The last thing that ffmpeg said, without the path."""
    lines = [line.strip() for line in told.splitlines() if line.strip() and "At least one output" not in line]
    return (re.sub(r"file:\S+", "the file", lines[-1])[:200] if lines else "it says nothing").rstrip(".")
