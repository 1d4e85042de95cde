"""Audio files -> samples, by soundfile (libsndfile): never more of them than the file can hold, never half a file.

A clip may be a span of its file (`offset_s`, `length_s`): it is then told and decoded as if it were a file of its own.
"""

from __future__ import annotations

import math
import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from piper_core.dataset import ffmpeg
from piper_core.dataset.audio_header import AudioHeader, cut_off
from piper_core.dataset.flac import decode_flac

MAX_CLIP_S = 600.0
"""Longer files are no clips; they are not decoded beyond this."""
_BLOCK_SAMPLES = 1 << 20
_MOST_OF_FULL_SCALE = 1000.0
"""Float samples that reach further (60 dB over) are damaged data; their squares would not be finite."""
_RATES_HZ = (1000, 384_000)
_MOST_FRAMES_A_BYTE = 10_000  # digital silence in FLAC reaches 5461
SPAN_SLACK_S = 0.05
"""A span may end that much behind its file's end, as durations rounded to a frame of features do; it is cut there."""


class AudioError(ValueError):
    """Audio that can't be decoded or resampled. The message says why."""


@dataclass(frozen=True)
class Unreadable:
    """A file that can't be decoded to its end, and why."""

    reason: str


def read_header(path: Path, offset_s: float = 0.0, length_s: float | None = None) -> AudioHeader | Unreadable:
    """What the header of `path` says (of the span, where one is given), without decoding (0.03 ms)."""
    try:
        status = path.stat()
        size_bytes = status.st_size
        problem = _plain_problem(path, status)
        if problem is not None:
            return Unreadable(problem)
        if ffmpeg.is_for_ffmpeg(path):
            return _foreign_header(path, size_bytes, offset_s, length_s)
        info = soundfile.info(os.fsencode(path))
        header = _checked_header(info.samplerate, info.channels, info.frames, info.format, info.subtype, size_bytes)
        cut = cut_off(path)
    except OSError as error:
        return Unreadable(f"The file can't be opened: {error.strerror or error}.")
    except soundfile.LibsndfileError as error:
        return Unreadable(_sentence(error, path))
    if isinstance(header, AudioHeader):
        if cut is not None:
            return Unreadable(f"The file is cut off: {cut}.")
        if header.duration_s == 0:
            return Unreadable("The file holds no samples.")
        placed = _placed(header, info.frames, offset_s, length_s)
        return placed if isinstance(placed, Unreadable) else placed[0]
    return header


def _span(header: AudioHeader, frames: int, offset_s: float, length_s: float | None) -> tuple[int, int] | Unreadable:
    """First frame and number of frames of a span, or why the file has no such span."""
    if offset_s == 0 and length_s is None:
        return 0, frames
    if not (0 <= offset_s < math.inf) or not (length_s is None or 0 < length_s < math.inf):
        return Unreadable("Its span has no length; offsets and durations are seconds from 0 on.")
    rate = header.sample_rate
    start = round(offset_s * rate)
    end = frames if length_s is None else start + round(length_s * rate)
    if start >= frames or end > frames + SPAN_SLACK_S * rate or end <= start:
        until = "on" if length_s is None else f"to {offset_s + length_s:.2f} s"
        return Unreadable(
            f"Its span, from {offset_s:.2f} s {until}, leaves its file, which lasts {frames / rate:.2f} s."
        )
    return start, min(end, frames) - start


def _placed(
    header: AudioHeader | Unreadable, frames: int, offset_s: float, length_s: float | None
) -> tuple[AudioHeader, int, int] | Unreadable:
    """The header of a span of a file with that `header`, the span's first frame and its number of frames."""
    if isinstance(header, Unreadable):
        return header
    span = _span(header, frames, offset_s, length_s)
    if isinstance(span, Unreadable):
        return span
    start, count = span
    return replace(header, duration_s=count / header.sample_rate), start, count


def _plain_problem(path: Path, status: os.stat_result) -> str | None:
    if not stat.S_ISREG(status.st_mode):
        return "It is no file: opening a device or a pipe could wait for ever."
    if status.st_size == 0:
        return "The file is empty (0 bytes)."
    if path.suffix.lower() == ".raw":
        return "The file has no header, so its sample rate is unknown; save it as WAV."
    if path.suffix.lower() == ".au" and not _starts_with(path, b".snd"):
        return "It is no AU file, whatever its name says."  # libsndfile would take any bytes for mu-law at 8 kHz
    return None


def _starts_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def _checked_header(
    rate: int, channels: int, frames: int, container: str, subtype: str, size_bytes: int
) -> AudioHeader | Unreadable:
    low, high = _RATES_HZ
    if not low <= rate <= high:
        return Unreadable(f"Its header claims {rate:,} Hz, which no recording has.")
    if frames > rate * MAX_CLIP_S and frames > size_bytes * _MOST_FRAMES_A_BYTE:
        return Unreadable(f"Its header claims {frames / rate / 3600:,.1f} hours of audio in {size_bytes:,} bytes.")
    return AudioHeader(frames / rate, rate, channels, container, subtype, size_bytes)


def decode(
    path: Path, max_s: float, offset_s: float = 0.0, length_s: float | None = None
) -> tuple[AudioHeader, np.ndarray] | Unreadable:
    """Header and float32 samples [N, channels], at most `max_s` of them, of a whole file or a span.

    The header's duration is the span's. Read block by block, so that a header that promises hours can't ask for more
    memory than the file fills.
    """
    try:
        status = path.stat()
        size_bytes = status.st_size
        problem = _plain_problem(path, status)
        if problem is not None:
            return Unreadable(problem)
        if ffmpeg.is_for_ffmpeg(path):
            return _decode_foreign(path, size_bytes, max_s, offset_s, length_s)
        quickly = decode_flac(path, size_bytes, max_s) if offset_s == 0 and length_s is None else None
        if quickly is not None:
            return quickly
        with soundfile.SoundFile(os.fsencode(path)) as file:
            header = _checked_header(file.samplerate, file.channels, file.frames, file.format, file.subtype, size_bytes)
            placed = _placed(header, file.frames, offset_s, length_s)
            if isinstance(placed, Unreadable):
                return placed
            header, start, frames = placed
            if start:
                file.seek(start)
            wanted = min(frames, int(max_s * file.samplerate))
            blocks, left = [], wanted
            while left > 0:
                block = file.read(min(left, _BLOCK_SAMPLES // file.channels), dtype="float32", always_2d=True)
                if not len(block):
                    break
                blocks.append(block)
                left -= len(block)
        if left > 0:
            return Unreadable(
                f"Its header promises {header.duration_s:.2f} s;"
                f" {(wanted - left) / header.sample_rate:.2f} s are there."
            )
        cut = cut_off(path)
        samples = blocks[0] if len(blocks) == 1 else np.concatenate([np.zeros((0, header.channels), "f4"), *blocks])
    except OSError as error:
        return Unreadable(f"The file can't be opened: {error.strerror or error}.")
    except soundfile.LibsndfileError as error:
        return Unreadable(_sentence(error, path))
    except MemoryError:
        return Unreadable(f"The memory does not suffice for it ({size_bytes / 1e6:,.0f} MB); cut it into sentences.")
    if cut is not None:
        return Unreadable(f"The file is cut off: {cut}.")
    if header.subtype in ("FLOAT", "DOUBLE") and (loudest := _loudest(samples)) > _MOST_OF_FULL_SCALE:
        return Unreadable(f"Its samples reach {loudest:.1e} times full scale: that is no audio. Export it again.")
    return header, samples


def _foreign_header(path: Path, size_bytes: int, offset_s: float, length_s: float | None) -> AudioHeader | Unreadable:
    """The header of a file that ffmpeg reads."""
    try:
        codec, rate, channels, duration_s = ffmpeg.describe(path)
    except ffmpeg.FfmpegError as error:
        return Unreadable(str(error))
    frames = round(duration_s * rate)
    header = _checked_header(rate, channels, frames, path.suffix[1:].upper(), codec.upper(), size_bytes)
    placed = _placed(header, frames, offset_s, length_s)
    return placed if isinstance(placed, Unreadable) else placed[0]


def _decode_foreign(
    path: Path, size_bytes: int, max_s: float, offset_s: float, length_s: float | None
) -> tuple[AudioHeader, np.ndarray] | Unreadable:
    """A file that ffmpeg reads, or a span of it."""
    longest_s = max_s if length_s is None else min(max_s, length_s)
    until_s = offset_s + longest_s + 2 * SPAN_SLACK_S if math.isfinite(offset_s + longest_s) else MAX_CLIP_S
    try:
        codec, rate, samples = ffmpeg.decode(path, until_s)
    except ffmpeg.FfmpegError as error:
        return Unreadable(str(error))
    frames, channels = samples.shape
    header = _checked_header(rate, channels, frames, path.suffix[1:].upper(), codec.upper(), size_bytes)
    placed = _placed(header, frames, offset_s, length_s)
    if isinstance(placed, Unreadable):
        return placed
    header, start, count = placed
    return header, samples[start : start + min(count, int(max_s * rate))]


def _loudest(samples: np.ndarray) -> float:
    """The largest finite sample, without sign."""
    return float(np.abs(samples, where=np.isfinite(samples), out=np.zeros_like(samples)).max(initial=0.0))


def _sentence(error: soundfile.LibsndfileError, path: Path) -> str:
    try:
        path.open("rb").close()
    except OSError as closed:  # which libsndfile calls a system error
        return f"The file can't be opened: {closed.strerror}."
    reason = error.error_string.strip().removeprefix("Error : ").rstrip(".")
    return f"It can't be decoded: {reason}."


def mono(samples: np.ndarray) -> np.ndarray:
    """The mean of the channels [N] of samples [N, channels], as librosa.to_mono."""
    return samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
