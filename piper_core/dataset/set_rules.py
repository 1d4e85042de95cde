"""All clips -> what shows only among them: copies, odd levels, the set's size; and traits told once, not 500 times."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from piper_core.dataset.audio import AudioHeader, ClipMeasurements
from piper_core.dataset.checks import CHECKS, SEVERITIES, Check, Finding, Severity
from piper_core.dataset.clip_rules import Clip
from piper_core.dataset.text_rules import normalised

QUIET_LUFS = -27.0
VERY_QUIET_LUFS = -36.0
"""Sets for speech synthesis lie between -20 and -30 LUFS; no standard names a level."""
TARGET_LUFS = -23.0
"""EBU R 128: what a quiet set is advised to be raised to."""
FEWEST_FOR_OUTLIERS = 8
"""Quartiles of fewer clips say little."""
TRAIT_SHARE = 0.5
TRAIT_CLIPS = 10
"""A warning that more than half of the clips share, and ten at least, is a trait of the set: one finding."""
_FULL_SET_CODES = ("orphan-audio",)


def duplicate_texts(clips: Iterable[Clip], checks: Mapping[str, Check] = CHECKS) -> list[Finding]:
    """Clips whose text the same speaker has spoken in an earlier row."""
    first: dict[tuple[str | None, str], Clip] = {}
    found = []
    for clip in clips:
        text = normalised(clip.utterance.text)
        earlier = first.setdefault((clip.utterance.speaker, text), clip)
        if text and earlier.path != clip.path:
            message = f"Has the same text as row {earlier.utterance.row} ({earlier.utterance.utterance_id})."
            found.append(clip.finding(checks["duplicate-text"], message))
    return found


def duplicate_audio(clips: Iterable[Clip], checks: Mapping[str, Check] = CHECKS) -> list[Finding]:
    """Files that hold the very same samples. With different texts it is not known which is right: all are errors."""
    groups: dict[str, dict[str, Clip]] = {}
    for clip in clips:
        if isinstance(clip.measured, ClipMeasurements) and not _is_silent(clip.measured, checks):
            groups.setdefault(clip.measured.audio_hash, {}).setdefault(clip.path, clip)
    found = []
    for same in groups.values():
        first, *others = same.values()
        differ = len({normalised(clip.utterance.text) for clip in same.values()}) > 1
        for clip in [first, *others] if differ and others else others:
            other = others[0] if clip is first else first
            message = f"Holds the same samples as {other.path}{', with another text' if differ else ''}."
            found.append(
                clip.finding(checks["duplicate-audio"], message, len(same), severity="error" if differ else None)
            )
    return found


def loudness_findings(clips: Iterable[Clip], checks: Mapping[str, Check] = CHECKS) -> list[Finding]:
    """Clips far from the others (Tukey's outer fences, `threshold` LU at least), and a set that is quiet as a whole."""
    check = checks["loudness"]
    heard = [
        (clip, clip.measured.loudness_lufs)
        for clip in clips
        if isinstance(clip.measured, ClipMeasurements) and clip.measured.loudness_lufs is not None
    ]
    if len(heard) < 2:
        return []
    low, middle, high = statistics.quantiles((level for _, level in heard), n=4, method="inclusive")
    reach = max(check.threshold or 0.0, 3 * (high - low))
    found = []
    for clip, level in heard if len(heard) >= FEWEST_FOR_OUTLIERS else []:
        if not low - reach <= level <= high + reach:
            word = "louder" if level > middle else "quieter"
            message = f"Is {abs(level - middle):.0f} LU {word} than most clips ({level:.0f} LUFS)."
            found.append(clip.finding(check, message, abs(level - middle), threshold=reach))
    if middle < QUIET_LUFS:
        message = (
            f"The set is quiet: half of its clips lie below {middle:.0f} LUFS. The voice will be as quiet;"
            f" raise all clips by {TARGET_LUFS - middle:.0f} dB to reach {TARGET_LUFS:.0f} LUFS (EBU R 128)."
        )
        severity: Severity = "warning" if middle < VERY_QUIET_LUFS else "info"
        quiet = check.finding(message, value=middle, threshold=QUIET_LUFS, severity=severity, clips=len(heard))
        found.append(replace(quiet, unit="LUFS"))
    return found


def size_findings(
    clips: Iterable[Clip], usable: int, usable_s: float, checks: Mapping[str, Check] = CHECKS
) -> list[Finding]:
    """How much there is to train on, and rates that differ."""
    found = []
    rates = Counter(
        clip.measured.sample_rate for clip in clips if isinstance(clip.measured, ClipMeasurements | AudioHeader)
    )
    if len(rates) > 1:
        listed = ", ".join(f"{count:,} with {rate:,} Hz" for rate, count in rates.most_common())
        message = f"The clips have different rates: {listed}. They are brought to one."
        found.append(checks["sample-rate"].finding(message, value=len(rates), threshold=1, severity="info"))
        found[-1] = replace(found[-1], unit="rates")
    size = checks["dataset-size"]
    if usable < 2:
        word = "Only one clip" if usable else "No clip"
        message = f"{word} can be used; training needs two at least, one of them to check with."
        found.append(replace(size.finding(message, value=usable, threshold=2, severity="error"), unit="clips"))
    elif size.threshold is not None and usable_s / 60 < size.threshold:
        message = f"There are {usable_s / 60:.1f} minutes to train on; start from a checkpoint, or record more."
        found.append(size.finding(message, value=usable_s / 60))
    return found


def fold_traits(findings: Iterable[Finding], clip_count: int) -> list[Finding]:
    """`findings`, with every warning or note that most clips share made one about the set. Errors stay apart."""
    groups: dict[tuple[str, Severity], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.code, finding.severity), []).append(finding)
    folded: list[Finding] = []
    for (_, severity), group in groups.items():
        about_clips = [finding for finding in group if finding.utterance_id or finding.path]
        clips = len({finding.path or finding.row for finding in about_clips})
        if severity == "error" or clips < TRAIT_CLIPS or clips <= TRAIT_SHARE * clip_count:
            folded += group
            continue
        folded.append(_trait(about_clips, clips, clip_count))
        folded += [finding for finding in group if not (finding.utterance_id or finding.path)]
    return folded


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """By severity, then in the table's order, then by row; findings about the set before those about its clips."""
    order = {code: index for index, code in enumerate(CHECKS)}
    return sorted(findings, key=lambda f: (SEVERITIES.index(f.severity), order[f.code], f.row or 0, f.path or ""))


def _trait(findings: Sequence[Finding], clips: int, clip_count: int) -> Finding:
    first = findings[0]
    name = first.utterance_id or first.path
    if first.code in _FULL_SET_CODES:
        message = f"{clips:,} audio files have no row in the metadata, for example {name}."
    else:
        message = f"{clips:,} of {clip_count:,} clips share this, for example {name}: {first.message}"
    values = [finding.value for finding in findings if finding.value is not None]
    middle = statistics.median(values) if values else None
    return replace(first, utterance_id=None, path=None, row=None, message=message, value=middle, clips=clips)


def _is_silent(measured: ClipMeasurements, checks: Mapping[str, Check]) -> bool:
    threshold = checks["silent"].threshold
    return threshold is not None and measured.loudest_frame_dbfs < threshold
