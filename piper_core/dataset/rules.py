"""All that is said about a dataset's clips: the table of limits, the texts, and what shows only among all clips.

Values in, values out. Limits are laid on columns of numbers, so that a hundred thousand clips take about a second, and
a sentence is written only where something was found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from piper_core.dataset import clip_columns, set_rules
from piper_core.dataset.audio import Unreadable
from piper_core.dataset.checks import CHECKS, SEVERITIES, Check, Finding
from piper_core.dataset.clip_rules import Clip
from piper_core.dataset.limits import Crossing, crossings
from piper_core.dataset.text_rules import normalised, oddities


def findings(clips: Sequence[Clip], checks: Mapping[str, Check] = CHECKS, script: str | None = None) -> list[Finding]:
    """Whatever `checks` says of `clips`, in no order.

    `script` is the one that texts are meant to be in (see `text_rules.expected_script`); with None it is not checked.
    What reading the metadata found, and the set's size (`set_rules.size_findings`), come beside it.
    """
    columns = clip_columns.of_clips(clips, checks["sample-rate"].threshold)
    crossed = crossings(columns, checks)
    keys = [normalised(clip.utterance.text) for clip in clips]
    heard = set_rules.heard(columns, checks)
    return [
        *_unreadable(clips, checks),
        *_text_findings(clips, keys, script, checks),
        *(finding for crossing in crossed for finding in _told(crossing, clips, columns)),
        *set_rules.duplicate_texts(clips, keys, checks),
        *set_rules.duplicate_audio(clips, keys, heard, checks),
        *set_rules.level_findings(columns, checks),
    ]


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
