"""One clip -> its findings, by the table in `checks`. Values in, values out: nothing is read here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from piper_core.dataset.audio import MAX_CLIP_S, AudioHeader, ClipMeasurements, Unreadable
from piper_core.dataset.checks import CHECKS, SEVERITIES, Check, Finding, Severity
from piper_core.dataset.layouts import Utterance
from piper_core.dataset.text_rules import normalised, oddities

SHORTEST_S = 0.4
"""One training segment of VITS: 8192 samples at 22,050 Hz are 0.37 s (espnet#4195)."""
_COARSE_SUBTYPES = frozenset({"PCM_S8", "PCM_U8", "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM", "GSM610", "DPCM_8"})


@dataclass(frozen=True)
class Clip:
    """An utterance and what is known about its file."""

    utterance: Utterance
    path: str
    """Relative to the dataset's folder."""
    measured: ClipMeasurements | AudioHeader | Unreadable | None
    """None where the file is missing."""
    unknown_phonemes: tuple[str, ...] = ()
    """Phonemes of the text that a Piper voice has no id for, in the order they come."""
    phoneme_count: int | None = None
    """Phonemes of the text, spaces and punctuation aside (stress and length count, as in Piper's ids); None where texts
    were not turned into phonemes."""
    phonemes: Sequence[str] = ()
    """The phonemes of the text as Piper reads them, in the order they come, spaces and punctuation among them."""
    pitch_hz: float | None = None
    """Median F0; None where it was not measured or nothing is voiced."""
    transcript_cost: float | None = None
    """How badly text and audio agree: higher is worse; None where it was not asked for."""

    def finding(
        self,
        check: Check,
        message: str,
        value: float | None = None,
        *,
        severity: Severity | None = None,
        threshold: float | None = None,
    ) -> Finding:
        """A finding of `check` about this clip."""
        return check.finding(
            message, utterance_id=self.utterance.utterance_id, path=self.path, row=self.utterance.row,
            value=value, severity=severity, threshold=threshold,
        )  # fmt: skip


def audio_findings(clip: Clip, checks: Mapping[str, Check] = CHECKS) -> list[Finding]:
    """What the file, its header and its samples show, as far as they were looked at."""
    measured = clip.measured
    if measured is None:
        return []
    if isinstance(measured, Unreadable):
        return [clip.finding(checks["unreadable"], measured.reason)]
    found = _header_findings(clip, measured, checks)
    return found + _sample_findings(clip, measured, checks) if isinstance(measured, ClipMeasurements) else found


def text_findings(clip: Clip, script: str | None, checks: Mapping[str, Check] = CHECKS) -> list[Finding]:
    """What shows in the text as it is written, and in its phonemes; `script` is most of the dataset's."""
    text = clip.utterance.text
    if not normalised(text):
        message = f"The text holds no letters ({text[:20]})." if text else "The text is empty."
        return [clip.finding(checks["empty-text"], message)]
    found = []
    if odd := oddities(text, script):
        worst = min((oddity.severity for oddity in odd), key=SEVERITIES.index)
        message = f"The text {', and '.join(oddity.message for oddity in odd)}."
        found.append(clip.finding(checks["text-symbols"], message, len(odd), severity=worst))
    if unknown := clip.unknown_phonemes:
        counts = Counter(unknown).items()
        listed = ", ".join(f"{phoneme} ({count} times)" if count > 1 else phoneme for phoneme, count in counts)
        message = f"Piper has no id for the phoneme {listed}; it is left out of the training."
        found.append(clip.finding(checks["unknown-phoneme"], message, len(unknown)))
    return found


def _header_findings(clip: Clip, header: AudioHeader | ClipMeasurements, checks: Mapping[str, Check]) -> list[Finding]:
    """Duration, rate, channels, bits: what shows without decoding."""
    found = []
    duration_s, duration = header.duration_s, checks["duration"]
    if duration_s < SHORTEST_S:
        message = f"Lasts {duration_s:.2f} s, less than one training segment."
        found.append(clip.finding(duration, message, duration_s, severity="error", threshold=SHORTEST_S))
    elif duration_s > MAX_CLIP_S:
        message = f"Lasts {duration_s / 60:.0f} minutes: a recording to be cut into sentences, and no clip."
        found.append(clip.finding(duration, message, duration_s, severity="error", threshold=MAX_CLIP_S))
    elif exceeds(duration_s, duration):
        found.append(
            clip.finding(duration, f"Lasts {duration_s:.1f} s; memory grows with the longest clip.", duration_s)
        )
    rate, wanted = header.sample_rate, checks["sample-rate"].threshold or 0.0
    if rate < wanted:
        message = f"Has {rate:,} Hz, below the voice's {wanted:,.0f} Hz; it will be upsampled."
        found.append(clip.finding(checks["sample-rate"], message, rate))
    elif rate > wanted:
        message = f"Has {rate:,} Hz, above the voice's {wanted:,.0f} Hz; it will be downsampled."
        found.append(clip.finding(checks["sample-rate"], message, rate, severity="info"))
    if exceeds(header.channels, checks["channels"]):
        message = f"Has {header.channels} channels; their mean is trained on."
        found.append(clip.finding(checks["channels"], message, header.channels))
    if header.subtype in _COARSE_SUBTYPES:
        message = f"Is stored as {header.subtype}, with about 8 bits a sample: its noise is heard and learned."
        found.append(clip.finding(checks["bit-depth"], message, 8))
    return found


def _sample_findings(clip: Clip, measured: ClipMeasurements, checks: Mapping[str, Check]) -> list[Finding]:
    found = []
    if measured.non_finite_samples:
        message = f"Holds {measured.non_finite_samples:,} samples that are NaN or infinite."
        found.append(clip.finding(checks["non-finite"], message, measured.non_finite_samples))
    silent = checks["silent"]
    if silent.threshold is not None and measured.loudest_frame_dbfs < silent.threshold:
        loudest_dbfs = measured.loudest_frame_dbfs
        message = "Nothing is heard: " + (
            "all its samples are zero." if loudest_dbfs < -150 else f"its loudest moment has {loudest_dbfs:.0f} dBFS."
        )
        return [*found, clip.finding(silent, message, measured.loudest_frame_dbfs)]
    if measured.clipped_runs:
        places = "one place" if measured.clipped_runs == 1 else f"{measured.clipped_runs:,} places"
        message = f"Is cut off at full scale in {places}, {measured.clipped_percent:.2g} % of its samples."
        severity: Severity | None = "error" if exceeds(measured.clipped_percent, checks["clipping"]) else None
        found.append(clip.finding(checks["clipping"], message, measured.clipped_percent, severity=severity))
    if exceeds(measured.dc_offset_percent, checks["dc-offset"]):
        message = f"Is off centre by {measured.dc_offset_percent:.1f} % of full scale."
        found.append(clip.finding(checks["dc-offset"], message, measured.dc_offset_percent))
    before_s, after_s = measured.leading_silence_s, measured.trailing_silence_s
    longer_s = max(before_s, after_s)
    if exceeds(longer_s, checks["edge-silence"]):
        message = f"{before_s:.1f} s of silence before the speech, {after_s:.1f} s after it."
        found.append(clip.finding(checks["edge-silence"], message, longer_s))
    return found


def exceeds(value: float, check: Check) -> bool:
    """Whether `value` is above the threshold of `check`, if it has one."""
    return check.threshold is not None and value > check.threshold
