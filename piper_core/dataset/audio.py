"""Audio files -> measurements, in one decode each; and clips, mel spectrograms and waveforms to show.

Files are decoded by soundfile (libsndfile), as librosa does itself. librosa's definitions are what is measured, and the
tests hold us to them, but the loops are our own (`signal_pass`, compiled by librosa's numba): librosa takes seconds to
import and several times the decoding to run. It makes the mel spectrogram, imported where it is used.
"""

from __future__ import annotations

import importlib.util
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from piper_core.dataset.bandwidth import bandwidth_hz, frame_spectra, mean_power
from piper_core.dataset.decoding import MAX_CLIP_S, AudioError, AudioHeader, Unreadable, decode, mono, read_header
from piper_core.dataset.loudness import integrated_loudness
from piper_core.dataset.noise_floor import floor_snr_db
from piper_core.dataset.pitch import median_pitch
from piper_core.dataset.silence import HOP, frame_levels, longest_pause, noise_level, speech_edges, speech_frames
from piper_core.dataset.wada import snr_db

__all__ = [
    "MAX_CLIP_S",
    "AudioError",
    "AudioHeader",
    "ClipMeasurements",
    "Unreadable",
    "has_librosa",
    "librosa_problem",
    "load_clip",
    "measure",
    "measure_with_pitch",
    "mel_spectrogram",
    "read_header",
    "resample",
    "waveform_envelope",
]

MEASURE_VERSION = 6
"""Raised whenever a measurement changes, so that kept ones are made again."""
RAIL = 0.995
"""Share of full scale at which a sample counts as cut off (Hansen, Stauffer, Xia 2021)."""
FLAT, FLAT_RUNS, FLAT_LEAST = 0.9999, 5, 0.01
"""Share of its own peak at which a quieter clip counts as cut off; in so many places at least, where a voice reaches
it once; and the peak below which rounding makes any clip flat."""
LOUD = 0.99
"""Share of full scale counted in `clipped_percent` (VoxKitchen)."""
_INFINITE = 0x7F800000  # bits of a float32 from which on a magnitude is no number
_FLOOR = 1e-10  # -200 dBFS: what a level of exactly zero is written as


@dataclass(frozen=True)
class ClipMeasurements:
    """All that is measured in one decode. Levels and silence are of the channels' mean: what is trained on."""

    duration_s: float
    sample_rate: int
    """Hertz."""
    channels: int
    format: str
    subtype: str
    size_bytes: int
    peak_dbfs: float
    """Largest sample of any channel, relative to full scale."""
    rms_dbfs: float
    loudest_frame_dbfs: float
    """RMS of the loudest frame of 2048 samples."""
    loudness_lufs: float | None
    """Integrated, ITU-R BS.1770-4; None below 0.4 s or in silence."""
    dc_offset_percent: float
    """Mean of the samples, of full scale, without sign."""
    clipped_percent: float
    """Samples at 0.99 of full scale and above."""
    clipped_runs: int
    """Runs of two and more samples at one rail: 0.995 of full scale, or the clip's own peak where it comes so often
    (`FLAT_RUNS`) that it was cut off there and made quieter afterwards."""
    leading_silence_s: float
    """Before the first frame that is no silence, in the sense of `silence.TOP_DB`."""
    trailing_silence_s: float
    speech_s: float
    """Between the edges, pauses included."""
    longest_pause_s: float
    """Longest silence within the speech, in the same sense."""
    noise_dbfs: float
    """RMS of the quietest tenth of the frames; -200 where nothing is heard at all."""
    snr_db: float | None
    """Signal-to-noise ratio by WADA-SNR, within -20 and 100 dB; None in silence."""
    floor_snr_db: float | None
    """How far the clip lies above the noise in its quietest moments, band by band; None in silence."""
    bandwidth_hz: float | None
    """Where the spectrum ends in a cliff; half the rate where it has none. None in silence."""
    non_finite_samples: int
    """NaN or infinite; in the other measurements they count as zeros."""
    audio_hash: str
    """Of the decoded samples: equal for copies, whatever their names or containers."""

    def to_dict(self) -> dict[str, Any]:
        """As the report and the cache hold it."""
        return asdict(self)


def measure(path: Path, offset_s: float = 0.0, length_s: float | None = None) -> ClipMeasurements | Unreadable:
    """Decode `path`, or a span of it, once and measure it. Needs what `has_librosa` looks for (ImportError)."""
    decoded = _decoded(path, offset_s, length_s)
    return decoded if isinstance(decoded, Unreadable) else _measure(*decoded)


def measure_with_pitch(
    path: Path, offset_s: float = 0.0, length_s: float | None = None
) -> tuple[ClipMeasurements | Unreadable, float | None]:
    """As `measure`, and the clip's `pitch.median_pitch` in Hz: the same decode serves both, where both are wanted."""
    decoded = _decoded(path, offset_s, length_s)
    if isinstance(decoded, Unreadable):
        return decoded, None
    header, samples = decoded
    return _measure(header, samples), median_pitch(mono(samples), header.sample_rate)


def _decoded(path: Path, offset_s: float, length_s: float | None) -> tuple[AudioHeader, np.ndarray] | Unreadable:
    decoded = decode(path, MAX_CLIP_S, offset_s, length_s)
    if not isinstance(decoded, Unreadable) and not decoded[1].size:
        return Unreadable("The file holds no samples.")
    return decoded


def load_clip(
    path: Path,
    sample_rate: int | None = None,
    max_s: float = MAX_CLIP_S,
    offset_s: float = 0.0,
    length_s: float | None = None,
) -> tuple[np.ndarray, int]:
    """The clip as float32 mono samples [N] and its rate in Hz, resampled to `sample_rate` where that is given.

    A span of its file where `offset_s` or `length_s` say so. Mixed to mono and resampled as librosa.load does (soxr,
    high quality). Raises AudioError.
    """
    decoded = decode(path, max_s, offset_s, length_s)
    if isinstance(decoded, Unreadable):
        raise AudioError(f"{path.name} can't be read. {decoded.reason}")
    header, samples = decoded
    audio = mono(samples)
    if sample_rate is None:
        return audio, header.sample_rate
    try:
        return resample(audio, header.sample_rate, sample_rate), sample_rate
    except AudioError as error:
        raise AudioError(f"{path.name} {error}") from None


def resample(audio: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """float32 audio [N] at `to_rate` Hz, as librosa.resample does it (soxr, high quality). Raises AudioError.

    soxr may give a sample more or less than the length times the rates' ratio, rounded up: a zero makes up for it.
    """
    if from_rate == to_rate:
        return audio
    try:
        import soxr
    except ImportError:
        raise AudioError(f"has {from_rate} Hz; to bring it to {to_rate} Hz install: pip install soxr") from None
    resampled = soxr.resample(audio, from_rate, to_rate, quality="HQ").astype(np.float32, copy=False)
    size = math.ceil(len(audio) * (to_rate / from_rate))
    return resampled[:size] if len(resampled) >= size else np.pad(resampled, (0, size - len(resampled)))


def mel_spectrogram(audio: np.ndarray, sample_rate: int, mels: int = 80) -> np.ndarray:
    """Mel spectrogram [mels, frames] in dB below its loudest point, for the eye: n_fft 1024, hop 256, as Piper's.

    Raises AudioError without librosa.
    """
    try:
        import librosa
    except ImportError:
        raise AudioError("The mel spectrogram needs librosa; install it with: pip install librosa") from None
    if audio.size == 0:
        return np.zeros((mels, 0), dtype=np.float32)
    power = librosa.feature.melspectrogram(y=audio, sr=sample_rate, n_fft=1024, hop_length=256, n_mels=mels)
    return np.asarray(librosa.power_to_db(power, ref=np.max), dtype=np.float32)


def waveform_envelope(audio: np.ndarray, points: int) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest sample of each of `points` (or fewer) equal stretches: a waveform that hides no peak."""
    if points < 1:
        raise ValueError(f"A waveform of {points} points can't be drawn; ask for 1 or more.")
    if audio.size == 0:
        return np.zeros(0, audio.dtype), np.zeros(0, audio.dtype)
    starts = np.unique(np.linspace(0, audio.size, min(points, audio.size), endpoint=False).astype(np.int64))
    return np.minimum.reduceat(audio, starts), np.maximum.reduceat(audio, starts)


def librosa_problem() -> str | None:
    """A sentence when librosa is missing, without importing it; else None."""
    if importlib.util.find_spec("librosa"):
        return None
    return (
        "librosa is not installed (pip install librosa): texts and headers are checked, the sound of the clips is not,"
        " and no mel spectrogram is shown."
    )


def has_librosa() -> bool:
    """Whether librosa is installed, and what it brings along for us: numba and scipy. They are not imported here."""
    return all(_is_installed(name) for name in ("librosa", "numba", "scipy"))


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # it was taken out of sys.modules
        return False


def _measure(header: AudioHeader, samples: np.ndarray) -> ClipMeasurements:
    from piper_core.dataset.signal_pass import digest, walk

    peak, *halves = digest(samples.reshape(-1).view(np.uint32))
    audio_hash = f"{halves[0]:016x}{halves[1]:016x}"
    non_finite = 0
    if peak >= _INFINITE:
        finite = np.isfinite(samples)
        non_finite = int(samples.size - np.count_nonzero(finite))
        samples = np.where(finite, samples, np.float32(0))
        peak = digest(samples.reshape(-1).view(np.uint32))[0]
    peak = float(np.int32(peak).view(np.float32))
    audio, rate = np.ascontiguousarray(mono(samples)), header.sample_rate
    energy = np.empty(audio.size // HOP + 1)
    heard, total, magnitudes, logarithms = walk(audio, energy)
    frames = frame_levels(energy)
    speech = speech_frames(frames)
    start, end = speech_edges(speech, audio.size)
    spectra = frame_spectra(audio)
    return ClipMeasurements(
        duration_s=header.duration_s,
        sample_rate=rate,
        channels=header.channels,
        format=header.format,
        subtype=header.subtype,
        size_bytes=header.size_bytes,
        peak_dbfs=_dbfs(peak),
        rms_dbfs=_dbfs(math.sqrt(float(energy.sum()) / audio.size)),
        loudest_frame_dbfs=_dbfs(float(frames.max())),
        loudness_lufs=integrated_loudness(audio, rate),
        dc_offset_percent=100 * abs(total / audio.size),
        clipped_percent=100 * int(np.count_nonzero(np.abs(samples) >= LOUD)) / samples.size if peak >= LOUD else 0.0,
        clipped_runs=_clipped_runs(samples) if peak >= RAIL else _flat_runs(samples, peak),
        leading_silence_s=start / rate,
        trailing_silence_s=(audio.size - end) / rate,
        speech_s=(end - start) / rate,
        longest_pause_s=longest_pause(speech) / rate,
        noise_dbfs=_dbfs(noise_level(frames, audio.size)),
        snr_db=snr_db(magnitudes / heard, logarithms / heard) if heard else None,
        floor_snr_db=floor_snr_db(spectra),
        bandwidth_hz=bandwidth_hz(mean_power(spectra), rate),
        non_finite_samples=non_finite,
        audio_hash=audio_hash,
    )


def _clipped_runs(samples: np.ndarray) -> int:
    """Runs of two and more consecutive samples at the same rail, over all channels of samples [N, channels]."""
    runs = 0
    for rail in (samples >= RAIL, samples <= -RAIL):
        pairs = rail[1:] & rail[:-1]
        runs += int(np.count_nonzero(pairs[0])) + int(np.count_nonzero(pairs[1:] & ~pairs[:-1])) if len(pairs) else 0
    return runs


def _flat_runs(samples: np.ndarray, peak: float) -> int:
    """Runs of three and more samples [N, channels] at the clip's own peak, or 0 where they are too few: a round peak
    holds two at most."""
    if peak <= FLAT_LEAST:
        return 0
    high, low = samples >= FLAT * peak, samples <= -FLAT * peak
    if np.count_nonzero(high) + np.count_nonzero(low) < 2 * FLAT_RUNS:
        return 0
    rail = high | low
    pairs = rail[1:] & rail[:-1] & (np.signbit(samples[1:]) == np.signbit(samples[:-1]))
    triples = pairs[1:] & pairs[:-1]
    runs = int(np.count_nonzero(triples[1:] & ~triples[:-1]))
    return runs if runs >= FLAT_RUNS else 0


def _dbfs(level: float) -> float:
    return 20 * math.log10(max(level, _FLOOR))
