"""`DatasetReport`: what an inspection found, as JSON and CSV. The HTML is `report_html`."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cache_utils.atomic import write_atomically
from piper_core.dataset import moved_limits
from piper_core.dataset.audio import AudioHeader, ClipMeasurements, Unreadable
from piper_core.dataset.checks import CHECKS, Check, Finding
from piper_core.dataset.clip_columns import spoken_s
from piper_core.dataset.clip_rules import Clip
from piper_core.dataset.printable import lines_for_terminal
from piper_core.dataset.rules import Evidence
from piper_core.dataset.spreadsheet import no_formula

__all__ = [
    "DatasetReport",
    "Summary",
    "UtteranceRow",
    "write_csv",
    "write_html",
    "write_json",
]

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class UtteranceRow:
    """One utterance with all that is known about its clip."""

    known: Clip
    usable: bool
    """No error-level finding names it."""
    codes: tuple[str, ...]
    """Of the findings about this clip, those folded into a trait of the whole set among them."""

    @property
    def utterance_id(self) -> str:
        """As the metadata names it."""
        return self.known.utterance.utterance_id

    @property
    def path(self) -> str:
        """Of the audio file, relative to the dataset's folder."""
        return self.known.path

    @property
    def text(self) -> str:
        """What is trained on."""
        return self.known.utterance.text

    @property
    def written_text(self) -> str | None:
        """The text as written, where a normalised one stands beside it."""
        return self.known.utterance.written_text

    @property
    def speaker(self) -> str | None:
        """None where the metadata names none."""
        return self.known.utterance.speaker

    @property
    def row(self) -> int:
        """Line of the metadata file, from 1."""
        return self.known.utterance.row

    @property
    def clip(self) -> ClipMeasurements | AudioHeader | None:
        """Measured, or (without validation) as the header says, or None where there is no readable file."""
        measured = self.known.measured
        return None if isinstance(measured, Unreadable) else measured

    @property
    def duration_s(self) -> float | None:
        """Seconds, or None where unknown."""
        clip = self.clip
        return clip.duration_s if clip else None

    @property
    def sample_rate(self) -> int | None:
        """Hertz, or None where unknown."""
        return self.clip.sample_rate if self.clip else None

    @property
    def channels(self) -> int | None:
        """Channels, or None where unknown."""
        return self.clip.channels if self.clip else None

    def to_dict(self) -> dict[str, Any]:
        """As the JSON report holds it: flat, measurements with their unit in the name, None where unknown."""
        known, clip = self.known, self.clip
        said = known.utterance
        # `vars` and not `asdict`, which copies a field at a time: this is done a hundred thousand times.
        return {
            "utterance_id": said.utterance_id, "path": known.path, "text": said.text, "speaker": said.speaker,
            "usable": self.usable, "row": said.row, "written_text": said.written_text, "codes": list(self.codes),
            **_NOT_MEASURED, **(vars(clip) if clip else {}), **_rates(known),
        }  # fmt: skip


_LONGEST_NAME = 120
"""Characters of an id that a line for a terminal shows."""
_NOT_MEASURED = dict.fromkeys(ClipMeasurements.__dataclass_fields__)


def _rates(known: Clip) -> dict[str, Any]:
    """What is known of text and sound together."""
    measured = known.measured
    seconds = spoken_s(measured.speech_s, measured.longest_pause_s) if isinstance(measured, ClipMeasurements) else 0.0
    count = known.phoneme_count
    return {
        "phoneme_count": count,
        "characters_per_s": len(known.utterance.text) / seconds if seconds > 0 else None,
        "phonemes_per_s": count / seconds if seconds > 0 and count is not None else None,
        "pitch_hz": known.pitch_hz,
        "transcript_cost": known.transcript_cost,
        "offset_s": known.utterance.offset_s,
        "length_s": known.utterance.length_s,
    }


@dataclass(frozen=True)
class Summary:
    """The dataset in numbers."""

    utterances: int
    usable: int
    duration_s: float
    usable_duration_s: float
    speakers: int
    """One where the metadata names none."""
    sample_rates: dict[str, int]
    """Rate in Hz -> clips."""
    errors: int
    warnings: int

    @classmethod
    def of(cls, rows: Sequence[UtteranceRow], findings: Sequence[Finding], speakers: Sequence[str]) -> Summary:
        """Counted from rows and findings."""
        heard = [(row.usable, clip) for row in rows if (clip := row.clip) is not None]
        rates = Counter(clip.sample_rate for _, clip in heard)
        severities = Counter(finding.severity for finding in findings)
        return cls(
            utterances=len(rows),
            usable=sum(row.usable for row in rows),
            duration_s=sum(clip.duration_s for _, clip in heard),
            usable_duration_s=sum(clip.duration_s for usable, clip in heard if usable),
            speakers=max(1, len(speakers)),
            sample_rates={str(rate): count for rate, count in rates.most_common()},
            errors=severities["error"],
            warnings=severities["warning"],
        )


@dataclass(frozen=True)
class DatasetReport:
    """What an inspection found."""

    dataset: str
    """The folder, absolute."""
    layout: str
    metadata: str
    """The metadata file, relative to the folder."""
    language: str
    summary: Summary
    findings: tuple[Finding, ...]
    """Worst first."""
    utterances: tuple[UtteranceRow, ...]
    """In the order of the metadata."""
    read_findings: tuple[Finding, ...]
    """What reading the metadata found: no limit moves it."""
    evidence: Evidence = field(repr=False, compare=False)
    """What limits are laid on, so that `judgement.judge_again` can lay others."""
    not_checked: tuple[str, ...] = ()
    """A sentence for whatever was left out, and why."""
    checks: Mapping[str, Check] = field(default_factory=lambda: CHECKS)
    """The limits that held."""

    def to_dict(self) -> dict[str, Any]:
        """As `inspect --json` writes it."""
        return self._head() | {
            "findings": [finding.to_dict() for finding in self.findings],
            "utterances": [row.to_dict() for row in self.utterances],
        }

    def _head(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "dataset": self.dataset,
            "layout": self.layout,
            "metadata": self.metadata,
            "language": self.language,
            "summary": asdict(self.summary),
            "not_checked": list(self.not_checked),
            "limits": moved_limits.to_dict(self.checks),
        }

    def summary_text(self) -> str:
        """A few lines for a terminal: the numbers, then each kind of finding with an example, worst first."""
        summary = self.summary
        lines = [
            f"{self.dataset} ({self.layout})",
            f"{summary.utterances:,} clips, {summary.duration_s / 60:.1f} minutes; {summary.usable:,} usable,"
            f" {summary.usable_duration_s / 60:.1f} minutes; speakers: {summary.speakers};"
            f" sample rates: {', '.join(f'{rate} Hz' for rate in summary.sample_rates) or 'unknown'}",
        ]
        kinds: dict[tuple[str, str], list[Finding]] = {}
        for finding in self.findings:
            kinds.setdefault((finding.severity, finding.code), []).append(finding)
        for (severity, code), found in kinds.items():
            first = found[0]
            name = (first.utterance_id or first.path or "")[:_LONGEST_NAME]
            where = f"{name}: " if name else ""
            lines.append(f"{severity:8}{code:16}{sum(finding.clips for finding in found):>6,}  {where}{first.message}")
        lines += [f"Limit moved: {moved.words}" for moved in moved_limits.moved_limits(self.checks)]
        lines += [f"Not checked: {sentence}" for sentence in self.not_checked]
        return lines_for_terminal(lines)

    def as_bytes(self, form: str) -> bytes:
        """The report as a file of `form`: json, html or csv."""
        text = {"json": _json, "html": _html, "csv": _csv}[form](self)
        return text.encode(errors="backslashreplace")  # a file's name may be no Unicode; JSON escapes it this way too

    def write_json(self, path: Path) -> None:
        """As `write_json`."""
        write_json(self, path)

    def write_html(self, path: Path) -> None:
        """As `write_html`."""
        write_html(self, path)

    def write_csv(self, path: Path) -> None:
        """As `write_csv`."""
        write_csv(self, path)


def write_json(report: DatasetReport, path: Path) -> None:
    """Everything, as in `to_dict`. Raises OSError."""
    _write(report, path, "json")


def write_csv(report: DatasetReport, path: Path) -> None:
    """A row a clip, its findings' codes and messages last. Raises OSError."""
    _write(report, path, "csv")


def write_html(report: DatasetReport, path: Path) -> None:
    """A page that needs nothing else, to read and to pass on. Raises OSError."""
    _write(report, path, "html")


def _write(report: DatasetReport, path: Path, form: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    try:
        write_atomically(Path(path), report.as_bytes(form))
    except OSError as error:
        why = error.strerror or error
        raise OSError(f"The report can't be written to {path} ({why}); make room, or name another file.") from error


def _json(report: DatasetReport) -> str:
    """A finding and an utterance a line: with indents everywhere Python's encoder takes ten times as long."""
    write = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    many: dict[str, Sequence[Finding] | Sequence[UtteranceRow]] = {
        "findings": report.findings,
        "utterances": report.utterances,
    }
    parts = [f"{write(name)}: {write(value)}" for name, value in report._head().items()]
    for name, entries in many.items():
        lines = ",\n  ".join([write(entry.to_dict()) for entry in entries])
        parts.append(f"{write(name)}: [\n  {lines}\n ]" if entries else f"{write(name)}: []")
    return "{\n " + ",\n ".join(parts) + "\n}\n"


def _csv(report: DatasetReport) -> str:
    messages: dict[int | None, list[str]] = {}
    for finding in report.findings:
        messages.setdefault(finding.row, []).append(finding.message)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for number, row in enumerate(report.utterances):
        values = row.to_dict() | {"codes": " ".join(row.codes), "messages": " ".join(messages.get(row.row, ()))}
        if number == 0:
            writer.writerow(values)
        writer.writerow([no_formula(value) for value in values.values()])
    # The byte-order mark tells spreadsheets that this is UTF-8.
    return "\ufeff" + buffer.getvalue()


def _html(report: DatasetReport) -> str:
    from piper_core.dataset.report_html import page

    return page(report)
