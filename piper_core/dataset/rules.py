"""All that is said about a dataset's clips: the table of limits, the texts, and what shows only among all clips.

Values in, values out. Limits are laid on columns of numbers, so that a hundred thousand clips take about a second, and
a sentence is written only where something was found: of what most clips share, one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from piper_core.dataset import clip_columns, set_rules
from piper_core.dataset.audio import Unreadable
from piper_core.dataset.checks import CHECKS, SEVERITIES, Check, Finding, Severity
from piper_core.dataset.clip_rules import Clip
from piper_core.dataset.limits import Crossing, crossings
from piper_core.dataset.text_rules import normalised, oddities


@dataclass(frozen=True)
class Evidence:
    """What is known of clips before a limit is laid on them: worked out once, judged as often as limits are moved."""

    clips: Sequence[Clip]
    voice_rate: float | None
    """Hertz: `columns` are for a voice of that rate."""
    columns: clip_columns.Columns
    keys: Sequence[str]
    """Their texts, normalised."""
    findings: Sequence[Finding]
    """That no limit moves: of files that can't be read, and of texts."""

    @classmethod
    def of(cls, clips: Sequence[Clip], checks: Mapping[str, Check] = CHECKS, script: str | None = None) -> Evidence:
        """`script` is the one that texts are meant to be in (`text_rules.expected_script`); None: not checked."""
        voice_rate = checks["sample-rate"].threshold
        keys = [normalised(clip.utterance.text) for clip in clips]
        found = [
            *_unreadable(clips, checks),
            *_text_findings(clips, keys, script, checks),
            *set_rules.duplicate_texts(clips, keys, checks),
        ]
        return cls(clips, voice_rate, clip_columns.of_clips(clips, voice_rate), keys, found)

    def for_voice(self, voice_rate: float | None) -> Evidence:
        """The same for a voice of another rate, in hertz."""
        if voice_rate == self.voice_rate:
            return self
        return replace(self, voice_rate=voice_rate, columns=clip_columns.of_clips(self.clips, voice_rate))


@dataclass(frozen=True)
class Told:
    """What is said of clips."""

    findings: list[Finding]
    """In no order."""
    traits: list[tuple[str, np.ndarray]]
    """Codes that most clips share, which `findings` hold once: the code, and the places [n] of the clips."""


def findings(evidence: Evidence, checks: Mapping[str, Check] = CHECKS) -> Told:
    """Whatever `checks` says of clips; `evidence` is for the rate of the voice that they name.

    What reading the metadata found, and the set's size (`set_rules.size_findings`), come beside it.
    """
    clips, columns = evidence.clips, evidence.columns
    kinds: dict[tuple[str, Severity], list[Crossing]] = {}
    for crossing in crossings(columns, checks):
        kinds.setdefault((crossing.limit.code, crossing.limit.severity), []).append(crossing)
    traits: list[tuple[str, np.ndarray]] = []
    found = list(evidence.findings)
    for (code, severity), crossed in kinds.items():
        count = sum(crossing.clips.size for crossing in crossed)
        if set_rules.is_trait(severity, count, len(clips)):
            traits.append((code, np.concatenate([crossing.clips for crossing in crossed])))
            found.append(_told_once(crossed, clips, columns))
        else:
            found += [finding for crossing in crossed for finding in _told(crossing, clips, columns)]
    found += set_rules.duplicate_audio(clips, evidence.keys, set_rules.heard(columns, checks), checks)
    found += set_rules.level_findings(columns, checks)
    return Told(found, traits)


def _told_once(crossed: Sequence[Crossing], clips: Sequence[Clip], columns: clip_columns.Columns) -> Finding:
    """One finding of a trait: a finding a clip, of a hundred thousand, would take half a second and be thrown away."""
    count = sum(crossing.clips.size for crossing in crossed)
    middle = float(np.median(np.concatenate([crossing.values for crossing in crossed])))
    first = min(crossed, key=lambda crossing: crossing.clips[0])
    one = Crossing(first.limit, first.threshold, first.clips[:1], first.values[:1])
    return set_rules.trait(_told(one, clips, columns)[0], middle, count, len(clips))


def _told(crossing: Crossing, clips: Sequence[Clip], columns: clip_columns.Columns) -> list[Finding]:
    rows = crossing.clips.tolist()
    names = list(columns)
    values = zip(*(columns[name][crossing.clips].tolist() for name in names), strict=True)
    return [
        clips[row].beyond(crossing.limit, crossing.threshold, dict(zip(names, own, strict=True)))
        for row, own in zip(rows, values, strict=True)
    ]


def _unreadable(clips: Sequence[Clip], checks: Mapping[str, Check]) -> list[Finding]:
    return [
        clip.finding(checks["unreadable"], clip.measured.reason)
        for clip in clips
        if isinstance(clip.measured, Unreadable)
    ]


def _text_findings(
    clips: Sequence[Clip], keys: Sequence[str], script: str | None, checks: Mapping[str, Check]
) -> list[Finding]:
    """What shows in the texts as they are written; `keys` are the texts normalised."""
    found = []
    for clip, key in zip(clips, keys, strict=True):
        text = clip.utterance.text
        if clip.text_crashes:
            message = "espeak-ng crashes on the text, and the training would with it: write it without rare characters."
            found.append(clip.finding(checks["text-symbols"], message, severity="error"))
        elif not key:
            message = f"The text holds no letters ({text[:20]})." if text else "The text is empty."
            found.append(clip.finding(checks["empty-text"], message))
        elif odd := oddities(text, script):
            worst = min((oddity.severity for oddity in odd), key=SEVERITIES.index)
            message = f"The text {', and '.join(oddity.message for oddity in odd)}."
            found.append(clip.finding(checks["text-symbols"], message, len(odd), severity=worst))
    return found
