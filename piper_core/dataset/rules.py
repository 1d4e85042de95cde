"""All that is said about a dataset's clips: the table of limits, the texts, and what shows only among all clips.

Values in, values out. Limits are laid on columns of numbers, so that a hundred thousand clips take about a second, and
a sentence is written only where something was found: of what most clips share, one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from piper_core.dataset import clip_columns, set_rules
from piper_core.dataset.audio import Unreadable
from piper_core.dataset.checks import CHECKS, SEVERITIES, Check, Finding, Severity
from piper_core.dataset.clip_rules import Clip
from piper_core.dataset.limits import Crossing, crossings
from piper_core.dataset.text_rules import normalised, oddities


@dataclass(frozen=True)
class Told:
    """What is said of clips."""

    findings: list[Finding]
    """In no order."""
    traits: list[tuple[str, np.ndarray]]
    """Codes that most clips share, which `findings` hold once: the code, and the places [n] of the clips."""


def findings(clips: Sequence[Clip], checks: Mapping[str, Check] = CHECKS, script: str | None = None) -> Told:
    """Whatever `checks` says of `clips`.

    `script` is the one that texts are meant to be in (see `text_rules.expected_script`); with None it is not checked.
    What reading the metadata found, and the set's size (`set_rules.size_findings`), come beside it.
    """
    columns = clip_columns.of_clips(clips, checks["sample-rate"].threshold)
    kinds: dict[tuple[str, Severity], list[Crossing]] = {}
    for crossing in crossings(columns, checks):
        kinds.setdefault((crossing.limit.code, crossing.limit.severity), []).append(crossing)
    traits: list[tuple[str, np.ndarray]] = []
    of_limits: list[Finding] = []
    for (code, severity), crossed in kinds.items():
        count = sum(crossing.clips.size for crossing in crossed)
        if set_rules.is_trait(severity, count, len(clips)):
            traits.append((code, np.concatenate([crossing.clips for crossing in crossed])))
            of_limits.append(_told_once(crossed, clips, columns))
        else:
            of_limits += [finding for crossing in crossed for finding in _told(crossing, clips, columns)]
    keys = [normalised(clip.utterance.text) for clip in clips]
    heard = set_rules.heard(columns, checks)
    found = [
        *_unreadable(clips, checks),
        *_text_findings(clips, keys, script, checks),
        *of_limits,
        *set_rules.duplicate_texts(clips, keys, checks),
        *set_rules.duplicate_audio(clips, keys, heard, checks),
        *set_rules.level_findings(columns, checks),
    ]
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
        if not key:
            message = f"The text holds no letters ({text[:20]})." if text else "The text is empty."
            found.append(clip.finding(checks["empty-text"], message))
        elif odd := oddities(text, script):
            worst = min((oddity.severity for oddity in odd), key=SEVERITIES.index)
            message = f"The text {', and '.join(oddity.message for oddity in odd)}."
            found.append(clip.finding(checks["text-symbols"], message, len(odd), severity=worst))
    return found
