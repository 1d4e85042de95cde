"""All clips -> one column of numbers a measure, NaN where it is not known: what limits are laid on.

Measures as they were taken, and those that show only beside the other clips: how far a clip lies from its speaker's
middle, in decibels, semitones or IQR.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from piper_core.dataset.audio import AudioHeader, ClipMeasurements
from piper_core.dataset.clip_rules import Clip

_Seconds = TypeVar("_Seconds", float, np.ndarray)
Columns = dict[str, np.ndarray]
"""Name of a measure -> float64 [clips]."""
FEWEST_FOR_OUTLIERS = 8
"""Clips of one speaker: quartiles of fewer say little, and no clip is odd among them."""
LEAST_IQR = 0.1
"""Of the median: what an IQR is taken for at least."""
SAMPLE_BITS = {"PCM_S8": 8, "PCM_U8": 8, "ULAW": 8, "ALAW": 8, "DPCM_8": 8, "IMA_ADPCM": 4, "MS_ADPCM": 4, "GSM610": 2}
"""Of encodings that keep few; all others are taken for 16 and more."""
_HEADER = ("duration_s", "sample_rate", "channels")
_MEASURED = (
    "non_finite_samples", "loudest_frame_dbfs", "clipped_percent", "clipped_runs", "dc_offset_percent", "loudness_lufs",
    "leading_silence_s", "trailing_silence_s", "speech_s", "longest_pause_s", "noise_dbfs", "snr_db", "floor_snr_db",
    "bandwidth_hz",
)  # fmt: skip
_OF_TEXT = ("phoneme_count", "pitch_hz", "transcript_cost")
TAKEN = (*_HEADER, "sample_bits", *_MEASURED, *_OF_TEXT, "unknown_phonemes", "characters")
"""Columns that come from the clips one by one; `with_derived` adds those that need all."""


def of_clips(clips: Sequence[Clip], voice_rate: float | None) -> Columns:
    """Every column of `clips`; `voice_rate` is the voice's sample rate in Hz."""
    known = [clip.measured if isinstance(clip.measured, ClipMeasurements | AudioHeader) else None for clip in clips]
    whole = [measured if isinstance(measured, ClipMeasurements) else None for measured in known]
    columns = {name: _attribute(known, name) for name in _HEADER}
    columns["sample_bits"] = _numbers(
        None if measured is None else SAMPLE_BITS.get(measured.subtype, 16) for measured in known
    )
    columns |= {name: _attribute(whole, name) for name in _MEASURED}
    columns |= {name: _attribute(clips, name) for name in _OF_TEXT}
    columns["unknown_phonemes"] = _numbers(len(clip.unknown_phonemes) for clip in clips)
    columns["characters"] = _numbers(len(clip.utterance.text) for clip in clips)
    return with_derived(columns, [clip.utterance.speaker for clip in clips], voice_rate)


def of_rows(rows: Mapping[str, Sequence[Any]], voice_rate: float | None) -> Columns:
    """Every column of a report's utterances, from a column a field of `UtteranceRow.to_dict` (a DataFrame is one)."""
    size = len(rows["utterance_id"])
    missing = np.full(size, np.nan)
    columns = {name: np.asarray(rows[name], dtype=float) if name in rows else missing for name in TAKEN}
    if "subtype" in rows:
        columns["sample_bits"] = _numbers(SAMPLE_BITS.get(subtype, 16) for subtype in rows["subtype"])
    columns["characters"] = _numbers(map(len, rows["text"]))
    speakers = rows["speaker"] if "speaker" in rows else [None] * size
    return with_derived(columns, list(speakers), voice_rate)


def with_derived(columns: Columns, speakers: Sequence[object], voice_rate: float | None) -> Columns:
    """`columns` and what follows from them."""
    groups = _groups(speakers)
    derived = dict(columns)
    half_rate = np.fmin(columns["sample_rate"], voice_rate if voice_rate else np.inf) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        derived["bandwidth_share"] = np.minimum(columns["bandwidth_hz"] / half_rate, 1.0)
        derived["edge_silence_s"] = np.fmax(columns["leading_silence_s"], columns["trailing_silence_s"])
        seconds = spoken_s(columns["speech_s"], columns["longest_pause_s"])
        derived["rate"] = _count(columns) / np.where(seconds > 0, seconds, np.nan)
        derived["pitch_semitones"] = 12 * np.log2(columns["pitch_hz"])
    derived["loudness_off_lu"] = _from_middle(columns["loudness_lufs"], groups)
    derived["floor_snr_off_db"] = _from_middle(columns["floor_snr_db"], groups)
    derived["pitch_off_semitones"] = _from_middle(derived["pitch_semitones"], groups)
    derived["rate_off"] = _from_middle(derived["rate"], groups)
    derived["rate_off_iqr"] = _beyond_quartiles(derived["rate"], groups)
    return derived


def spoken_s(speech_s: _Seconds, longest_pause_s: _Seconds) -> _Seconds:
    """Seconds that rates are taken over: the speech between its silent edges, without its longest pause.

    A long pause is a finding of its own; it does not make the speech around it slow.
    """
    return speech_s - longest_pause_s


def _count(columns: Columns) -> np.ndarray:
    """Phonemes of each text, or its characters where phonemes are not known of all: the two are no one measure."""
    phonemes = columns["phoneme_count"]
    counts = columns["characters"] if np.isnan(phonemes).any() else phonemes
    return np.where(counts > 0, counts, np.nan)


def _groups(speakers: Sequence[object]) -> list[np.ndarray]:
    """The clips of each speaker."""
    names = {speaker: number for number, speaker in enumerate(dict.fromkeys(speakers))}
    if len(names) <= 1:
        return [np.arange(len(speakers))]
    numbers = np.fromiter((names[speaker] for speaker in speakers), np.int64, len(speakers))
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)


def _from_middle(values: np.ndarray, groups: Sequence[np.ndarray]) -> np.ndarray:
    """`values` less the median of each group; NaN in a group that has too few."""
    off = np.full(values.size, np.nan)
    for group in groups:
        known = values[group][np.isfinite(values[group])]
        if known.size >= FEWEST_FOR_OUTLIERS:
            off[group] = values[group] - np.median(known)
    return off


def _beyond_quartiles(values: np.ndarray, groups: Sequence[np.ndarray]) -> np.ndarray:
    """How many IQR `values` lie above the upper or (negative) below the lower quartile of each group; 0 between."""
    off = np.full(values.size, np.nan)
    for group in groups:
        own = values[group]
        known = own[np.isfinite(own)]
        if known.size < FEWEST_FOR_OUTLIERS:
            continue
        low, high = np.percentile(known, (25, 75))
        # Where nearly all are alike the least of differences would be many IQR.
        spread = max(high - low, LEAST_IQR * abs(float(np.median(known))))
        if spread > 0:
            off[group] = (np.maximum(own - high, 0.0) + np.minimum(own - low, 0.0)) / spread
    return off


def _attribute(items: Sequence[object], name: str) -> np.ndarray:
    """The attribute `name` of every item; NaN where that, or the item, is None."""
    return np.array([None if item is None else getattr(item, name, None) for item in items], dtype=float)


def _numbers(values: Iterable[float | None]) -> np.ndarray:
    return np.array(list(values), dtype=float)
