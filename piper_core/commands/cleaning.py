"""A cleaned dataset from the command line: what was decided about its clips, applied, in another folder."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from piper_core.commands.progress import INTERRUPTED, say_progress
from piper_core.settings import Settings

if TYPE_CHECKING:
    from piper_core.dataset.decisions import Decisions, Fitted
    from piper_core.dataset.export import Exported
    from piper_core.dataset.export_log import LogEntry
    from piper_core.dataset.layouts import Dataset

SCHEMA_VERSION = 1
_LISTED = 10
"""Clips of one rule that are named in the terminal; the log names all."""


def clean(options: Namespace) -> int:
    """Exit status 1 where the dataset was written, but not all that was decided could be applied."""
    from piper_core.dataset.checks import CHECKS, SEVERITIES
    from piper_core.dataset.export import check_export, export_dataset
    from piper_core.dataset.journal import Journal, JournalError
    from piper_core.dataset.layouts import read_dataset
    from piper_core.dataset.printable import printable

    also = {what for given in options.leave_out for what in given.split(",") if what}
    if unknown := sorted(also - {*CHECKS, *SEVERITIES}):
        known = ", ".join([*SEVERITIES, *CHECKS])
        raise ValueError(f"There is no finding {unknown[0]!r} to leave clips out for; there are {known}.")
    if also and options.journal_only:
        raise ValueError("--leave-out needs the findings that --journal-only does without; give one of them.")
    settings = Settings.load()
    dataset, target = read_dataset(options.dataset, options.metadata), options.to.absolute()
    layout = options.layout or dataset.layout
    check_export(dataset, target, layout, options.audio)  # before the clips are listened to
    try:
        journal = Journal.open(options.dataset.absolute(), settings.workspace_dir.absolute() / "journals")
    except JournalError as error:
        raise ValueError(str(error)) from error
    try:
        dataset, decided, left_out = _looked_at(dataset, options, settings, journal.decisions, also)
        exported = export_dataset(dataset, target, layout, texts=decided.texts, left_out=left_out, audio=options.audio)
    except KeyboardInterrupt:
        print("piper_core: stopped; nothing was written.", file=sys.stderr)
        return INTERRUPTED
    for note in journal.notes:
        print(f"piper_core: {note}", file=sys.stderr)
    if decided.stale:
        print(f"piper_core: {printable(_stale(decided))}", file=sys.stderr)
    if options.json:
        content = json.dumps(_as_json(exported, decided, journal.notes), ensure_ascii=False, indent=1)
        print(content.encode(errors="backslashreplace").decode())  # JSON escapes what is no Unicode in the same way
    else:
        print(printable(_as_text(exported)))
    return 1 if decided.stale or journal.notes else 0


def _looked_at(
    dataset: Dataset, options: Namespace, settings: Settings, decisions: Decisions, also: set[str]
) -> tuple[Dataset, Fitted, dict[int, Any]]:
    """The dataset, what was decided about its rows, and which of them are left out."""
    from piper_core.dataset.checks import moved
    from piper_core.dataset.cleaning import as_inspected, exclusions
    from piper_core.dataset.inspection import inspect
    from piper_core.dataset.moved_limits import known

    if options.journal_only:
        decided = decisions.fit(_names(dataset))
        return dataset, decided, exclusions(dataset.findings, decided)
    report = inspect(
        options.dataset,
        metadata=options.metadata,
        language=options.language,
        jobs=options.jobs,
        validate_audio=settings.enable_audio_validation,
        audit="transcript-mismatch" in also,
        pitch=bool(also & {"pitch", "warning", "info"}),
        cache_dir=settings.cache_dir / "inspection",
        on_progress=say_progress(),
        checks=moved(known(decisions.limits)),
    )
    for sentence in report.not_checked:
        print(f"piper_core: Not checked: {sentence}", file=sys.stderr)
    dataset = as_inspected(report)
    decided = decisions.fit(_names(dataset))
    codes = {row.row: row.codes for row in report.utterances}
    return dataset, decided, exclusions(report.findings, decided, also, codes)


def _names(dataset: Dataset) -> list[tuple[str, int, str, str]]:
    """As the journal names clips."""
    folder = dataset.folder
    return [(u.utterance_id, u.row, u.path.relative_to(folder).as_posix(), u.text) for u in dataset.utterances]


def _stale(decided: Fitted) -> str:
    names = [f"{name.utterance_id} (row {name.row})" for name in decided.stale]
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    told = "1 decision fits" if len(names) == 1 else f"{len(names):,} decisions fit"
    return (
        f"{told} no clip any more, since the dataset has changed, and nothing of it is applied:"
        f" {', '.join(names[:_LISTED])}{more}. The Dataset page lists and forgets them."
    )


def _as_text(exported: Exported) -> str:
    from piper_core.dataset.export_log import EDITED, LEFT_OUT

    edited = sum(entry.what == EDITED for entry in exported.entries)
    lines = [
        f"{exported.folder}: {exported.clips:,} clips written, {edited:,} of them with an edited text;"
        f" {exported.left_out:,} left out"
    ]
    rules: dict[str, list[LogEntry]] = {}
    for entry in exported.entries:
        if entry.what == LEFT_OUT:
            rules.setdefault(entry.reason.code, []).append(entry)
    for code, entries in sorted(rules.items(), key=lambda rule: (-len(rule[1]), rule[0])):
        lines.append(f"left out {code:20}{len(entries):>6,}")
        lines += [f"  {_why(entry)}" for entry in entries[:_LISTED]]
        if len(entries) > _LISTED:
            lines.append(f"  and {len(entries) - _LISTED:,} more, which the log names")
    return "\n".join([*lines, f"log: {exported.log}"])


def _why(entry: LogEntry) -> str:
    reason = entry.reason
    name = entry.utterance_id or f"row {entry.row}"
    return f"{name}: {reason.words}" if reason.words else name


def _as_json(exported: Exported, decided: Fitted, notes: Sequence[str]) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "folder": str(exported.folder),
        "metadata": exported.metadata,
        "log": str(exported.log),
        "clips": exported.clips,
        "left_out": exported.left_out,
        "changes": [entry.to_dict() for entry in exported.entries],
        "not_applied": [{"utterance_id": name.utterance_id, "row": name.row} for name in decided.stale],
        "notes": list(notes),
    }
