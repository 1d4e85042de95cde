"""A dataset: make the demo, inspect, compare two reports."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from piper_core.commands.progress import INTERRUPTED, say, say_progress
from piper_core.settings import Settings

if TYPE_CHECKING:
    from piper_core.dataset.checks import Check
    from piper_core.dataset.layouts import Dataset
    from piper_core.dataset.report import DatasetReport

REPORT_FORMS = ("json", "html", "csv")
STDOUT = Path("-")


def demo(options: Namespace) -> int:
    from piper_core.dataset.demo import write_demo

    print(write_demo(options.folder, clips=options.clips, defects=options.defects))
    return 0


def inspect(options: Namespace) -> int:
    from piper_core.dataset.inspection import inspect as inspect_dataset

    to_stdout = [form for form in REPORT_FORMS if getattr(options, form) == STDOUT]
    if len(to_stdout) > 1:
        raise ValueError(f"Only one of --{', --'.join(to_stdout)} can go to the standard output; name files.")
    if options.compare:
        return _compare(options)
    if options.dataset is None:
        raise ValueError("Name the dataset's folder: python -m piper_core inspect DATASET.")
    settings = Settings.load()
    checks = _checks(options, settings)
    datasets: list[Dataset] = []
    try:
        report = inspect_dataset(
            options.dataset,
            metadata=options.metadata,
            language=options.language,
            jobs=options.jobs,
            validate_audio=settings.enable_audio_validation,
            on_dataset=datasets.append,
            audit=options.audit,
            pitch=not options.no_pitch,
            cache_dir=None if options.no_cache else settings.cache_dir / "inspection",
            on_progress=say_progress(),
            checks=checks,
            dask=options.dask,
        )
    except KeyboardInterrupt:
        kept = "" if options.no_cache else " What was measured is kept: the same command goes on from here."
        print(f"piper_core: the inspection was stopped.{kept}", file=sys.stderr)
        return INTERRUPTED
    for form in REPORT_FORMS:
        target = getattr(options, form)
        if target is not None and target != STDOUT:
            getattr(report, f"write_{form}")(target)
    if to_stdout:
        sys.stdout.buffer.write(report.as_bytes(to_stdout[0]))
    print(report.summary_text(), file=sys.stderr if to_stdout else sys.stdout)
    if options.piper:
        print(_piper_reading(datasets[0], report), file=sys.stderr if to_stdout else sys.stdout)
    bad = report.summary.errors + (report.summary.warnings if options.strict else 0)
    return 1 if bad else 0


def _checks(options: Namespace, settings: Settings) -> Mapping[str, Check]:
    """The table with the limits that were moved on the Dataset page, which the journal keeps, and by --limit."""
    from piper_core.dataset.checks import moved
    from piper_core.dataset.journal import Journal, JournalError
    from piper_core.dataset.moved_limits import known, written

    values: dict[str, float | None] = {}
    if not options.default_limits and options.dataset.is_dir():
        try:
            journal = Journal.open(options.dataset, settings.workspace_dir.absolute() / "journals")
        except JournalError as error:
            raise ValueError(f"{error} To leave it aside: --default-limits.") from error
        for note in journal.notes:
            say(note)
        values |= known(journal.limits)
    return moved(values | written(options.limit))


def _piper_reading(dataset: Dataset, report: DatasetReport) -> str:
    """What Piper's own trainer would make of the rows, in a few lines."""
    from piper_core.dataset.piper_reading import read_as_piper

    unreadable = {row.path for row in report.utterances if "unreadable" in row.codes}
    return read_as_piper(dataset, unreadable=unreadable).summary_text()


def _compare(options: Namespace) -> int:
    """Exit status 1 where the later report has an error (with --strict, or a warning) that the earlier one had not."""
    from piper_core.dataset.comparison import compare, read_report

    if options.dataset is not None or options.html or options.csv:
        raise ValueError("--compare takes two JSON reports and no dataset; only --json goes with it.")
    compared = compare(*map(read_report, options.compare))
    content = json.dumps(compared.to_dict(), ensure_ascii=False, indent=1) + "\n"
    if options.json == STDOUT:
        print(content, end="")
    else:
        if options.json is not None:
            options.json.write_text(content, encoding="utf-8")
        print(compared.summary_text())
    return 1 if compared.new_of("error", *(["warning"] if options.strict else [])) else 0
