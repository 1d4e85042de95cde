"""A dataset and what was decided about it -> the clips that stay, with their texts as edited, and why the others go.

`exclusions` are the rules: what a person decided, then what has an error. Whatever writes a cleaned dataset, in another
folder (`export`) or as a manifest beside the original (`manifest`), writes `clean`'s.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from piper_core.dataset.checks import Finding
from piper_core.dataset.decisions import BY_HAND, Fitted, Reason
from piper_core.dataset.export_log import EDITED, LEFT_OUT, LogEntry
from piper_core.dataset.layouts import Dataset, DatasetError, Utterance, read_dataset

if TYPE_CHECKING:
    from piper_core.dataset.report import DatasetReport

BEYOND_KEEPING = frozenset({"missing-audio", "unreadable", "path-escape", "columns", "non-finite", "empty-text"})
"""Errors that no ear can overrule: there is nothing to train on."""
MENDED_BY_TEXT = frozenset({"empty-text", "text-symbols", "transcript-mismatch", "duplicate-audio", "unknown-phoneme"})
"""Findings that another text takes away."""
LeftOut = Mapping[int, Reason | Sequence[Reason]]
"""Row -> why it stays behind: one reason or several."""


@dataclass(frozen=True)
class Cleaned:
    """What is left of a dataset."""

    dataset: Dataset
    """As it was read."""
    utterances: tuple[Utterance, ...]
    """Those that stay, with their texts as edited."""
    log: tuple[LogEntry, ...]
    """What was left out and edited, in the metadata's order."""


def exclusions(
    findings: Iterable[Finding],
    decided: Fitted,
    also: Collection[str] = (),
    codes_of_rows: Mapping[int, Collection[str]] | None = None,
) -> dict[int, Reason]:
    """Row -> why it is left out: by a person, or for its first error that nobody overruled.

    Who keeps a clip overrules its errors, as far as there is something to train on; who edits its text those about it.
    `also` names codes and severities that are left out as errors are; `codes_of_rows` are the codes of each row, by
    which those of a trait, which is one finding about the whole set, are found.
    """
    found, wanted = dict(decided.left_out), {"error", *also}
    traits: dict[str, Finding] = {}
    own: dict[str, set[int]] = {}
    for finding in findings:
        row = finding.row
        if row is not None:
            own.setdefault(finding.code, set()).add(row)
        if finding.severity not in wanted and finding.code not in wanted:
            continue
        if row is None:
            if finding.clips > 1:
                traits[finding.code] = finding
        elif row not in found and not _overruled(finding, row, decided):
            found[row] = Reason(finding.code, finding.value, finding.threshold, finding.unit, finding.message)
    for row, codes in (codes_of_rows or {}).items() if traits else ():
        for code in codes:
            trait = traits.get(code)
            if trait and row not in found and row not in own.get(code, ()) and not _overruled(trait, row, decided):
                found[row] = Reason(code, None, trait.threshold, trait.unit, trait.message)
    return found


def _overruled(finding: Finding, row: int, decided: Fitted) -> bool:
    if row in decided.kept and finding.code not in BEYOND_KEEPING:
        return True
    return bool(decided.texts.get(row, "").strip()) and finding.code in MENDED_BY_TEXT


def clean(dataset: Dataset, texts: Mapping[int, str] | None = None, left_out: LeftOut | None = None) -> Cleaned:
    """`dataset` with edited `texts` and without the clips that are `left_out`, both by row.

    Where `left_out` is not given, rows with an error go. In any case those go that there is no recording to, and
    clips whose text was edited away. Raises DatasetError where no clip is left.
    """
    texts = texts or {}
    if left_out is None:
        left_out = exclusions(dataset.findings, Fitted(dict(texts), {}, frozenset(), ()))
    broken: dict[int, list[Reason]] = {}
    for found in dataset.findings:
        if found.severity == "error" and found.row is not None and found.code in BEYOND_KEEPING:
            reason = Reason(found.code, found.value, found.threshold, found.unit, found.message)
            broken.setdefault(found.row, []).append(reason)
    kept: list[Utterance] = []
    log: list[LogEntry] = []
    for utterance in dataset.utterances:
        name, row, text = utterance.utterance_id, utterance.row, texts.get(utterance.row)
        given = left_out.get(row, ())
        reasons = [given] if isinstance(given, Reason) else list(given)
        codes = {reason.code for reason in reasons}
        reasons += [reason for reason in broken.get(row, ()) if reason.code not in codes]
        if not reasons and text is not None and not text.strip():
            reasons = [Reason(BY_HAND, words="Its text was edited to nothing.")]
        if reasons:
            log += [LogEntry(name, row, LEFT_OUT, reason, utterance.text) for reason in reasons]
            continue
        if text is not None and text != utterance.text:
            log.append(LogEntry(name, row, EDITED, Reason(BY_HAND), utterance.text, text))
            utterance = replace(utterance, text=text, written_text=None)
        kept.append(utterance)
    rows = {utterance.row for utterance in dataset.utterances}
    log += [LogEntry("", row, LEFT_OUT, reason) for row in broken if row not in rows for reason in broken[row]]
    if not kept:
        raise DatasetError("No clip is left to write; take some back, or mend what the findings say.")
    return Cleaned(dataset, tuple(kept), tuple(log))


def as_inspected(report: DatasetReport) -> Dataset:
    """The dataset that `report` is about, read again. Raises DatasetError where it has changed since.

    Findings and decisions go by rows: in a metadata file that was changed they would meet other clips.
    """
    dataset = read_dataset(Path(report.dataset), report.metadata)
    folder = dataset.folder
    seen = [(row.row, row.utterance_id, row.path, row.text, row.speaker) for row in report.utterances]
    now = [
        (said.row, said.utterance_id, said.path.relative_to(folder).as_posix(), said.text, said.speaker)
        for said in dataset.utterances
    ]
    if seen != now:
        raise DatasetError(f"{dataset.metadata_path.name} has changed since it was inspected; inspect it again.")
    return dataset
