"""Two reports of a dataset, before and after: what was mended, what is new, which clips came, went or changed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from piper_core.dataset.checks import SEVERITIES
from piper_core.dataset.printable import lines_for_terminal

MAX_REPORT_BYTES = 2 * 1024**3
_EXAMPLES = 5
_SUMMED = ("utterances", "usable", "duration_s", "usable_duration_s", "speakers", "errors", "warnings")
_FREE = 1e-6
"""Relative difference up to which two measurements count as the same."""

Problem = tuple[str, str, str]
"""Severity, code, and the clip or file that it is about (empty for the whole set)."""


class ReportError(ValueError):
    """A file that is no report of `inspect --json`. The message says why and what to do."""


@dataclass(frozen=True)
class Comparison:
    """What differs from the earlier report to the later one."""

    before: str
    after: str
    """The datasets' folders."""
    summary: Mapping[str, tuple[float, float]]
    """Name -> before, after; names as in the reports."""
    gone: tuple[Problem, ...]
    """Findings that are there no more, worst first."""
    new: tuple[Problem, ...]
    """Findings that were not there before, worst first."""
    clips_gone: tuple[str, ...]
    clips_new: tuple[str, ...]
    texts_changed: tuple[str, ...]
    audio_changed: tuple[str, ...]
    """Clips whose samples differ (by hash, else by duration)."""
    limits: Mapping[str, tuple[float | None, float | None]]
    """Limit -> where it stood before, after (None: not checked), of those that both reports tell: findings may differ
    for that alone."""

    def new_of(self, *severities: str) -> int:
        """How many new findings have one of `severities`."""
        return sum(severity in severities for severity, _, _ in self.new)

    def to_dict(self) -> dict[str, Any]:
        """As `inspect --compare --json` writes it."""
        return {
            "schema_version": 1,
            "before": self.before,
            "after": self.after,
            "summary": {name: {"before": before, "after": after} for name, (before, after) in self.summary.items()},
            "gone": [_problem(problem) for problem in self.gone],
            "new": [_problem(problem) for problem in self.new],
            "clips_gone": list(self.clips_gone),
            "clips_new": list(self.clips_new),
            "texts_changed": list(self.texts_changed),
            "audio_changed": list(self.audio_changed),
            "limits": {key: {"before": before, "after": after} for key, (before, after) in self.limits.items()},
        }

    def summary_text(self) -> str:
        """For a terminal: the totals side by side, then what is gone and what is new, by kind."""
        lines = [f"{self.before} -> {self.after}"]
        for name, (before, after) in self.summary.items():
            change = after - before
            shown = f"{before:,.1f} -> {after:,.1f} ({change:+,.1f})"
            if float(before).is_integer() and float(after).is_integer():
                shown = f"{before:,.0f} -> {after:,.0f} ({change:+,.0f})"
            lines.append(f"{name.replace('_', ' '):20}{shown if change else f'{before:,.10g}'}")
        for key, places in self.limits.items():
            moved = " -> ".join("off" if place is None else f"{place:g}" for place in places)
            lines.append(f"another limit: {key} {moved}; findings may differ for that alone")
        for word, problems in (("gone", self.gone), ("new", self.new)):
            for (severity, code), about in _by_kind(problems).items():
                named = [name for name in about if name]
                examples = f"  {', '.join(named[:_EXAMPLES])}{' …' if len(named) > _EXAMPLES else ''}" if named else ""
                lines.append(f"{word:5}{severity:8}{code:20}{len(about):>6,}{examples}")
        for word, names in (
            ("clips that went", self.clips_gone),
            ("clips that came", self.clips_new),
            ("texts that changed", self.texts_changed),
            ("recordings that changed", self.audio_changed),
        ):
            if names:
                more = " …" if len(names) > _EXAMPLES else ""
                lines.append(f"{word}: {len(names):,} ({', '.join(names[:_EXAMPLES])}{more})")
        return lines_for_terminal(lines)


def read_report(path: Path) -> dict[str, Any]:
    """A report as `inspect --json` wrote it. Raises ReportError."""
    again = "write it anew with: python -m piper_core inspect DATASET --json FILE"
    try:
        if path.stat().st_size > MAX_REPORT_BYTES:
            raise ReportError(f"{path} is too large for a report.")
        report = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReportError(f"{path} can't be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{path} is no JSON ({error}); {again}.") from None
    if not isinstance(report, dict) or report.get("schema_version") != 1:
        version = report.get("schema_version") if isinstance(report, dict) else None
        raise ReportError(f"{path} is no report with schema_version 1 (it says {version!r}); {again}.")
    lists = isinstance(report.get("findings"), list) and isinstance(report.get("utterances"), list)
    if not lists or not isinstance(report.get("summary"), dict):
        raise ReportError(f"{path} lacks its summary, findings or utterances; {again}.")
    return report


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> Comparison:
    """What differs between two reports (`read_report`). Raises ReportError where one lacks what a report holds."""
    try:
        old_clips, new_clips = _clips(before), _clips(after)
        old, new = _problems(before), _problems(after)
        both = [name for name in old_clips if name in new_clips]
        return Comparison(
            before=str(before["dataset"]),
            after=str(after["dataset"]),
            summary={name: (float(before["summary"][name]), float(after["summary"][name])) for name in _SUMMED},
            gone=_worst_first(old - new),
            new=_worst_first(new - old),
            clips_gone=tuple(name for name in old_clips if name not in new_clips),
            clips_new=tuple(name for name in new_clips if name not in old_clips),
            texts_changed=tuple(name for name in both if old_clips[name]["text"] != new_clips[name]["text"]),
            audio_changed=tuple(name for name in both if _other_audio(old_clips[name], new_clips[name])),
            limits=_other_limits(before, after),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReportError(f"One of the reports is damaged ({type(error).__name__}: {error}); write it anew.") from error


def _clips(report: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Clips by id; of several with one id, the later ones by id and path."""
    clips: dict[str, Mapping[str, Any]] = {}
    for clip in report["utterances"]:
        name = clip["utterance_id"]
        clips[name if name not in clips else f"{name} ({clip['path']})"] = clip
    return clips


def _problems(report: Mapping[str, Any]) -> Counter[Problem]:
    return Counter((f["severity"], f["code"], f["utterance_id"] or f["path"] or "") for f in report["findings"])


def _worst_first(problems: Counter[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems.elements(), key=lambda problem: (SEVERITIES.index(problem[0]), *problem[1:])))


def _other_audio(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether a clip's samples changed; unknown where one of the reports did not decode it."""
    old, new = before.get("audio_hash"), after.get("audio_hash")
    if old is not None and new is not None:
        return old != new
    old, new = before.get("duration_s"), after.get("duration_s")
    return old is not None and new is not None and abs(old - new) > _FREE * max(old, new)


def _other_limits(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[float | None, float | None]]:
    old, new = before.get("limits", {}), after.get("limits", {})
    values = {key: (old[key]["value"], new[key]["value"]) for key in old if key in new}
    return {key: places for key, places in values.items() if places[0] != places[1]}


def _by_kind(problems: Sequence[Problem]) -> dict[tuple[str, str], list[str]]:
    kinds: dict[tuple[str, str], list[str]] = {}
    for severity, code, about in problems:
        kinds.setdefault((severity, code), []).append(about)
    return kinds


def _problem(problem: Problem) -> dict[str, str | None]:
    severity, code, about = problem
    return {"severity": severity, "code": code, "about": about or None}
