"""All clips -> what shows only among them: copies, odd levels, the set's size; and traits told once, not 500 times."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from piper_core.dataset.audio import AudioHeader, ClipMeasurements
from piper_core.dataset.checks import CHECKS, SEVERITIES, Check, Finding, Severity
from piper_core.dataset.clip_columns import FEWEST_FOR_OUTLIERS, Columns
from piper_core.dataset.clip_rules import Clip
from piper_core.dataset.limits import beyond, in_force

TARGET_LUFS = -23.0
"""EBU R 128: what a quiet set is advised to be raised to."""
TRAIT_SHARE = 0.5
TRAIT_CLIPS = 10
"""A warning that more than half of the clips share, and ten at least, is a trait of the set: one finding."""
_FULL_SET_CODES = ("orphan-audio",)


def duplicate_texts(clips: Sequence[Clip], keys: Sequence[str], checks: Mapping[str, Check] = CHECKS) -> list[Finding]:
    """Clips whose text the same speaker has spoken in an earlier row; `keys` are the texts normalised."""
    first: dict[tuple[str | None, str], Clip] = {}
    found = []
    for clip, key in zip(clips, keys, strict=True):
        earlier = first.setdefault((clip.utterance.speaker, key), clip)
        if earlier is not clip and key and earlier.place != clip.place:
            message = f"Has the same text as row {earlier.utterance.row} ({earlier.utterance.utterance_id})."
            found.append(clip.finding(checks["duplicate-text"], message))
    return found


def duplicate_audio(
    clips: Sequence[Clip], keys: Sequence[str], heard: np.ndarray, checks: Mapping[str, Check] = CHECKS
) -> list[Finding]:
    """Files that hold the very same samples. With different texts it is not known which is right: all are errors.

    `keys` are the texts normalised, `heard` [clips] where anything is heard: all silence is alike.
    """
    groups: dict[str, list[int]] = {}
    for index in np.flatnonzero(heard).tolist():
        measured = clips[index].measured
        if isinstance(measured, ClipMeasurements):
            groups.setdefault(measured.audio_hash, []).append(index)
    found = []
    for group in groups.values():
        if len(group) < 2:
            continue
        same = {clips[index].place: clips[index] for index in reversed(group)}
        first, *others = reversed(same.values())
        differ = len({keys[index] for index in group}) > 1
        for clip in [first, *others] if differ and others else others:
            other = others[0] if clip is first else first
            message = f"Holds the same samples as {other.path}{', with another text' if differ else ''}."
            severity: Severity | None = "error" if differ else None
            found.append(clip.finding(checks["duplicate-audio"], message, len(same), severity=severity))
    return found


def heard(columns: Columns, checks: Mapping[str, Check] = CHECKS) -> np.ndarray:
    """Which clips [clips] were decoded and are not silent."""
    levels = columns["loudest_frame_dbfs"]
    silent = [beyond(limit, levels, in_force(limit, levels)) for limit in checks["silent"].limits]
    return np.isfinite(levels) & ~np.any(silent, axis=0)


def level_findings(columns: Columns, checks: Mapping[str, Check] = CHECKS) -> list[Finding]:
    """A set that is quiet, or noisy, as a whole: its middle clip."""
    measures: dict[str, float] = {}
    for name, of_clips in (("set_loudness_lufs", "loudness_lufs"), ("set_snr_db", "snr_db")):
        known = columns[of_clips][np.isfinite(columns[of_clips])]
        if known.size >= FEWEST_FOR_OUTLIERS:
            measures[name] = float(np.median(known))
    return _set_findings(measures, checks, clips=columns["duration_s"].size)


def size_findings(
    clips: Iterable[Clip], usable: int, usable_s: float, checks: Mapping[str, Check] = CHECKS
) -> list[Finding]:
    """How much there is to train on, and rates that differ."""
    found = _set_findings({"set_usable_clips": usable, "set_usable_min": usable_s / 60}, checks)
    rates = Counter(
        clip.measured.sample_rate for clip in clips if isinstance(clip.measured, ClipMeasurements | AudioHeader)
    )
    if len(rates) > 1:
        listed = ", ".join(f"{count:,} with {rate:,} Hz" for rate, count in rates.most_common())
        message = f"The clips have different rates: {listed}. They are brought to one."
        mixed = checks["sample-rate"].finding(message, value=len(rates), threshold=1, unit="rates", severity="info")
        found.append(mixed)
    return found


def _quiet(loudness_lufs: float) -> str:
    return (
        f"The set is quiet: half of its clips lie below {loudness_lufs:.0f} LUFS. The voice will be as quiet;"
        f" raise all clips by {TARGET_LUFS - loudness_lufs:.0f} dB to reach {TARGET_LUFS:.0f} LUFS (EBU R 128)."
    )


def _few_clips(usable: float) -> str:
    word = "Only one clip" if usable else "No clip"
    return f"{word} can be used; training needs two at least, one of them to check with."


_SENTENCES: Mapping[str, Callable[[float], str]] = {
    "set-very-quiet": _quiet,
    "set-quiet": _quiet,
    "set-noise": lambda snr_db: (
        f"The set is noisy, or cut so closely that noise is hard to tell: its middle clip has a WADA-SNR of"
        f" {snr_db:.0f} dB. Listen to a few clips: the voice will hiss as they do."
    ),
    "set-clips": _few_clips,
    "set-minutes": lambda minutes: (
        f"There are {minutes:.1f} minutes to train on; start from a checkpoint, or record more."
    ),
}
"""Key of a limit of the whole set -> what is said when it is crossed."""


def _set_findings(measures: Mapping[str, float], checks: Mapping[str, Check], clips: int = 1) -> list[Finding]:
    """One finding a code, the worst, for every limit of the set that its `measures` cross."""
    found = []
    for check in checks.values():
        for limit in check.limits:
            value = measures.get(limit.measure)
            if value is None or limit.value is None:
                continue
            if value > limit.value if limit.side == "above" else value < limit.value:
                message = _SENTENCES[limit.key](value)
                told = check.finding(
                    message, value=value, threshold=limit.value, unit=limit.unit, severity=limit.severity, clips=clips
                )
                found.append(replace(told, source=limit.source, limit=limit.key))
                break
    return found


def fold_traits(findings: Iterable[Finding], clip_count: int) -> list[Finding]:
    """`findings`, with every warning or note that most clips share made one about the set. Errors stay apart."""
    groups: dict[tuple[str, Severity], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.code, finding.severity), []).append(finding)
    folded: list[Finding] = []
    for (_, severity), group in groups.items():
        about_clips = [finding for finding in group if finding.utterance_id or finding.path]
        clips = len({finding.row or finding.path for finding in about_clips})
        if not is_trait(severity, clips, clip_count):
            folded += group
            continue
        values = [finding.value for finding in about_clips if finding.value is not None]
        folded.append(trait(about_clips[0], statistics.median(values) if values else None, clips, clip_count))
        folded += [finding for finding in group if not (finding.utterance_id or finding.path)]
    return folded


def is_trait(severity: Severity, clips: int, clip_count: int) -> bool:
    """Whether what `clips` of `clip_count` share is a trait of the set. An error is about its clip, however many."""
    return severity != "error" and clips >= TRAIT_CLIPS and clips > TRAIT_SHARE * clip_count


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """By severity, then in the table's order, then by row; findings about the set before those about its clips."""
    order = {code: index for index, code in enumerate(CHECKS)}
    return sorted(findings, key=lambda f: (SEVERITIES.index(f.severity), order[f.code], f.row or 0, f.path or ""))


def trait(first: Finding, middle: float | None, clips: int, clip_count: int) -> Finding:
    """The finding that `clips` of `clip_count` share what `first` says of one; `middle` is their median value."""
    name = first.utterance_id or first.path
    if first.code in _FULL_SET_CODES:
        message = f"{clips:,} audio files have no row in the metadata, for example {name}."
    else:
        message = f"{clips:,} of {clip_count:,} clips share this, for example {name}: {first.message}"
    return replace(first, utterance_id=None, path=None, row=None, message=message, value=middle, clips=clips)
