"""Utterances and their measurements -> findings, by the table in `checks`. Values in, values out: nothing is read here."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from piper_core.dataset.audio import MAX_CLIP_S, AudioHeader, ClipMeasurements, Unreadable
from piper_core.dataset.checks import CHECKS, SEVERITIES, Check, Finding, Severity
from piper_core.dataset.layouts import Utterance
from piper_core.dataset.text_rules import normalised, oddities

SHORTEST_S = 0.4
"""One training segment of VITS: 8192 samples at 22,050 Hz are 0.37 s (espnet#4195)."""
CLIPPED_ERROR_PERCENT = 1.0
QUIET_LUFS = -27.0
VERY_QUIET_LUFS = -36.0
TARGET_LUFS = -23.0
"""EBU R 128: what a quiet set is advised to be raised to."""
TRAIT_SHARE = 0.5
TRAIT_CLIPS = 10
"""A warning that more than half, and at least ten, of the clips share is a trait of the set: one finding."""

Measured = ClipMeasurements | AudioHeader | Unreadable | None
Checks = Mapping[str, Check]


def header_findings(utterance: Utterance, path: str, header: AudioHeader | ClipMeasurements, checks: Checks = CHECKS) -> list[Finding]:  # fmt: skip
    """What shows without decoding: duration, rate, channels."""
    found = []

    def add(code: str, message: str, value: float, severity: Severity | None = None, threshold: float | None = None) -> None:
        found.append(
            checks[code].finding(
                message, utterance_id=utterance.utterance_id, path=path, row=utterance.row,
                value=value, severity=severity, threshold=threshold,
            )
        )  # fmt: skip

    duration_s, longest_s = header.duration_s, checks["duration"].threshold or MAX_CLIP_S
    if duration_s < SHORTEST_S:
        add("duration", f"Lasts {duration_s:.2f} s, less than one training segment.", duration_s, "error", SHORTEST_S)
    elif duration_s > MAX_CLIP_S:
        message = f"Lasts {duration_s / 60:.0f} minutes, which is a recording to be cut and no clip."
        add("duration", message, duration_s, "error", MAX_CLIP_S)
    elif duration_s > longest_s:
        add("duration", f"Lasts {duration_s:.1f} s; memory grows with the longest clip.", duration_s)
    lowest = checks["sample-rate"].threshold
    if lowest is not None and header.sample_rate < lowest:
        message = f"Has {header.sample_rate:,} Hz, below the voice's {lowest:,.0f} Hz; it will be upsampled."
        add("sample-rate", message, header.sample_rate)
    if header.channels > 1:
        add("channels", f"Has {header.channels} channels, which are averaged.", header.channels)
    return found


def sample_findings(utterance: Utterance, path: str, clip: ClipMeasurements, checks: Checks = CHECKS) -> list[Finding]:
    """What shows in the decoded samples of one clip."""
    found = []

    def add(code: str, message: str, value: float, severity: Severity | None = None, threshold: float | None = None) -> None:
        found.append(
            checks[code].finding(
                message, utterance_id=utterance.utterance_id, path=path, row=utterance.row,
                value=value, severity=severity, threshold=threshold,
            )
        )  # fmt: skip

    if clip.non_finite_samples:
        add("non-finite", f"Holds {clip.non_finite_samples:,} samples that are no numbers.", clip.non_finite_samples)
    if _exceeds(-clip.loudest_frame_dbfs, checks["silent"], sign=-1):
        message = f"Nothing is heard: its loudest moment has {max(clip.loudest_frame_dbfs, -200):.0f} dBFS."
        add("silent", message, clip.loudest_frame_dbfs)
        return found
    if clip.clipped_runs:
        harsh = clip.clipped_percent > CLIPPED_ERROR_PERCENT
        message = f"{clip.clipped_percent:.2f} % of its samples are at full scale, cut off in {_count(clip.clipped_runs, 'place')}."
        add("clipping", message, clip.clipped_percent, "error" if harsh else None, CLIPPED_ERROR_PERCENT)
    if _exceeds(clip.dc_offset_percent, checks["dc-offset"]):
        message = f"Is off centre by {clip.dc_offset_percent:.1f} % of full scale."
        add("dc-offset", message, clip.dc_offset_percent)
    for side, silence_s in (("before", clip.leading_silence_s), ("after", clip.trailing_silence_s)):
        if _exceeds(silence_s, checks["edge-silence"]):
            add("edge-silence", f"{silence_s:.1f} s of silence {side} the speech.", silence_s)
    return found


def text_findings(utterance: Utterance, script: str | None, checks: Checks = CHECKS) -> list[Finding]:
    """What shows in the text as it is written; `script` is most of the dataset's."""
    about = {"utterance_id": utterance.utterance_id, "row": utterance.row}
    if not normalised(utterance.text):
        message = "The text is empty." if not utterance.text else f"The text holds no letters ({utterance.text[:20]})."
        return [checks["empty-text"].finding(message, **about)]  # type: ignore[arg-type]
    odd = oddities(utterance.text, script)
    if not odd:
        return []
    worst = min((oddity.severity for oddity in odd), key=SEVERITIES.index)
    message = "The text " + ", and ".join(oddity.message for oddity in odd) + "."
    return [checks["text-symbols"].finding(message, severity=worst, value=len(odd), **about)]  # type: ignore[arg-type]


def phoneme_findings(utterance: Utterance, unknown: Sequence[str], checks: Checks = CHECKS) -> list[Finding]:
    """Phonemes of the text that a Piper voice has no id for."""
    if not unknown:
        return []
    listed = ", ".join(f"{phoneme} ({count} times)" if count > 1 else phoneme for phoneme, count in Counter(unknown).items())
    message = f"Piper has no id for {listed}; left out of the training."
    return [
        checks["unknown-phoneme"].finding(
            message, utterance_id=utterance.utterance_id, value=len(unknown), row=utterance.row
        )
    ]


def duplicate_texts(utterances: Iterable[Utterance], checks: Checks = CHECKS) -> list[Finding]:
    """Clips whose text the same speaker has spoken in an earlier row."""
    first: dict[tuple[str | None, str], Utterance] = {}
    found = []
    for utterance in utterances:
        text = normalised(utterance.text)
        earlier = first.setdefault((utterance.speaker, text), utterance)
        if text and earlier.path != utterance.path:
            message = f"The same text as in row {earlier.row} ({earlier.utterance_id})."
            found.append(
                checks["duplicate-text"].finding(message, utterance_id=utterance.utterance_id, row=utterance.row)
            )
    return found


def duplicate_audio(
    utterances: Sequence[Utterance], paths: Sequence[str], clips: Sequence[Measured], checks: Checks = CHECKS
) -> list[Finding]:
    """Files that hold the very same samples. With different texts it is not known which is right: all are errors."""
    groups: dict[str, list[int]] = {}
    for index, clip in enumerate(clips):
        if isinstance(clip, ClipMeasurements) and clip.peak_dbfs > -90:
            groups.setdefault(clip.audio_hash, []).append(index)
    found = []
    for group in groups.values():
        if len({paths[index] for index in group}) < 2:
            continue
        differ = len({normalised(utterances[index].text) for index in group}) > 1
        for index in group if differ else group[1:]:
            other = next(i for i in group if i != index)
            message = f"Holds the same samples as {paths[other]}" + (", with another text." if differ else ".")
            found.append(
                checks["duplicate-audio"].finding(
                    message, utterance_id=utterances[index].utterance_id, path=paths[index], row=utterances[index].row,
                    value=len(group), threshold=1, severity="error" if differ else None,
                )
            )  # fmt: skip
    return found


def loudness_findings(
    utterances: Sequence[Utterance], paths: Sequence[str], clips: Sequence[Measured], checks: Checks = CHECKS
) -> list[Finding]:
    """Clips far from the others (Tukey's outer fences, and `threshold` LU at least), and a set that is quiet as a whole."""
    check = checks["loudness"]
    heard = [
        (index, clip.loudness_lufs)
        for index, clip in enumerate(clips)
        if isinstance(clip, ClipMeasurements) and clip.loudness_lufs is not None
    ]
    if len(heard) < 2:
        return []
    levels = [level for _, level in heard]
    low, middle, high = statistics.quantiles(levels, n=4, method="inclusive")
    reach = max(check.threshold or 0.0, 3 * (high - low))
    found = []
    for index, level in heard if len(heard) >= 8 else []:
        if low - reach <= level <= high + reach:
            continue
        word = "louder" if level > middle else "quieter"
        message = f"Is {abs(level - middle):.0f} LU {word} than most clips ({level:.0f} LUFS)."
        found.append(
            check.finding(
                message, utterance_id=utterances[index].utterance_id, path=paths[index], row=utterances[index].row,
                value=abs(level - middle), threshold=reach,
            )
        )  # fmt: skip
    if middle < QUIET_LUFS:
        message = (
            f"The set is quiet: half of its clips lie below {middle:.0f} LUFS. The voice will be as quiet;"
            f" raise all clips by {TARGET_LUFS - middle:.0f} dB to reach {TARGET_LUFS:.0f} LUFS (EBU R 128)."
        )
        severity: Severity = "warning" if middle < VERY_QUIET_LUFS else "info"
        finding = check.finding(message, value=middle, threshold=QUIET_LUFS, severity=severity, clips=len(heard))
        found.append(replace(finding, unit="LUFS"))
    return found


def set_findings(clips: Sequence[Measured], usable_s: float, usable: int, checks: Checks = CHECKS) -> list[Finding]:
    """About the dataset as a whole: its size, and rates that differ."""
    found = []
    rates = Counter(clip.sample_rate for clip in clips if isinstance(clip, ClipMeasurements | AudioHeader))
    if len(rates) > 1:
        listed = ", ".join(f"{count:,} at {rate:,} Hz" for rate, count in rates.most_common())
        found.append(
            checks["sample-rate"].finding(f"Clips have different rates: {listed}.", value=len(rates), threshold=1, severity="info")
        )  # fmt: skip
    size = checks["dataset-size"]
    if usable < 2:
        message = f"{'No clip' if usable == 0 else 'Only one clip'} can be used; training needs two at least, one to check with."
        found.append(replace(size.finding(message, value=usable, threshold=2, severity="error"), unit="clips"))
    elif size.threshold is not None and usable_s / 60 < size.threshold:
        message = f"{usable_s / 60:.1f} minutes of usable speech are little; start from a checkpoint, or record more."
        found.append(size.finding(message, value=usable_s / 60))
    return found


def fold_traits(findings: Iterable[Finding], utterance_count: int) -> list[Finding]:
    """`findings` with every warning or note that most clips share made one finding about the set. Errors stay apart."""
    groups: dict[tuple[str, Severity], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.code, finding.severity), []).append(finding)
    folded = []
    for (code, severity), group in groups.items():
        single = [finding for finding in group if finding.clips == 1 and (finding.utterance_id or finding.path)]
        clips = len({finding.path if code == "orphan-audio" else finding.row for finding in single})
        if severity == "error" or clips < TRAIT_CLIPS or clips <= TRAIT_SHARE * utterance_count:
            folded += group
            continue
        first = single[0]
        name = first.utterance_id or first.path
        values = [finding.value for finding in single if finding.value is not None]
        message = f"{clips:,} of {utterance_count:,} clips share this; for example {name}: {first.message}"
        if code == "orphan-audio":
            message = f"{clips:,} audio files have no row in the metadata; for example {name}."
        middle = statistics.median(values) if values else None
        folded.append(
            replace(first, utterance_id=None, path=None, row=None, message=message, value=middle, clips=clips)
        )
        folded += [finding for finding in group if finding not in single]
    return folded


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """By severity, then in the table's order, then by row; findings about the set before those about clips."""
    order = {code: index for index, code in enumerate(CHECKS)}
    return sorted(findings, key=lambda f: (SEVERITIES.index(f.severity), order.get(f.code, 0), f.row or 0, f.path or ""))


def _exceeds(value: float, check: Check, sign: int = 1) -> bool:
    return check.threshold is not None and value > sign * check.threshold


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
