"""An inspection that runs beside the pages: it goes on while other pages are looked at, and all sessions share it.

What is known is there as it comes: what the metadata says at once, the headers in seconds, then the sound of the clips.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from pages.components.dataset import clip_table, measurements
from piper_core.dataset.journal import JOURNAL_NAME
from piper_core.dataset.printable import printable

if TYPE_CHECKING:
    from piper_core.dataset.inspection import InspectionProgress, PartialInspection
    from piper_core.dataset.layouts import Dataset
    from piper_core.dataset.report import DatasetReport

_OWN_OUTPUTS = ("metadata.cleaned", JOURNAL_NAME)
_JUDGED_KEPT = 3
"""Tables of limits, so that two sessions and an undo find theirs."""
_LOOKED_ON_S = 5.0
"""Who has not asked for so long does not look on any more: then no tables are made."""
_GLIMPSED = 100
"""Headers that stand for all in the first totals."""


@dataclass(frozen=True)
class InspectionRequest:
    """What is inspected, and how. Equal requests share one inspection."""

    folder: str
    language: str
    validate_audio: bool
    cache_dir: str
    fingerprint: str
    """Of the folder's content, so that a changed dataset is inspected anew."""


@dataclass(frozen=True)
class Glimpse:
    """What the metadata says of a dataset, and the headers of a few of its clips: the first that can be told."""

    clips: int
    speakers: int
    minutes: float
    """Estimated from `looked_at` clips."""
    sample_rates: tuple[int, ...]
    """Hertz."""
    looked_at: int

    @classmethod
    def of(cls, dataset: Dataset) -> Glimpse:
        from piper_core.dataset.decoding import Unreadable, read_header

        clips = dataset.utterances
        some = clips[:: max(1, len(clips) // _GLIMPSED)][:_GLIMPSED]
        read = (read_header(clip.path, clip.offset_s, clip.length_s) for clip in some)
        headers = [header for header in read if not isinstance(header, Unreadable)]
        return cls(
            clips=len(clips),
            speakers=max(1, len(dataset.speakers)),
            minutes=sum(header.duration_s for header in headers) / 60 * len(clips) / max(1, len(some)),
            sample_rates=tuple(sorted({header.sample_rate for header in headers})),
            looked_at=len(some),
        )


@dataclass(frozen=True)
class Inspected:
    """A report, and what the pages draw from it: worked out once, in the inspection's own thread."""

    report: DatasetReport
    rows: pd.DataFrame
    """A row a clip, the worst first; the index is the clip's place in the metadata."""
    kinds: pd.DataFrame
    """A row a kind of finding."""
    findings: Mapping[int | None, Sequence[Mapping[str, Any]]]
    """The clip's row in the metadata -> findings about it alone; those about the set under None."""
    complete: bool = True
    """Whether nothing more is to come."""
    dataset: Dataset | None = None
    """What the report is about, as its metadata says."""

    @classmethod
    def of(cls, report: DatasetReport, complete: bool = True, dataset: Dataset | None = None) -> Inspected:
        plain = report.to_dict()
        return cls._of(report, plain, clip_table.clip_rows(plain), complete, dataset)

    @classmethod
    def _of(
        cls,
        report: DatasetReport,
        plain: Mapping[str, Any],
        rows: pd.DataFrame,
        complete: bool,
        dataset: Dataset | None,
    ) -> Inspected:
        findings: dict[int | None, list[Mapping[str, Any]]] = {}
        for finding in plain["findings"]:
            for name in ("path", "message"):  # of files whose names are no UTF-8, which no page can send
                finding[name] = finding[name] and printable(finding[name])
            findings.setdefault(finding["row"], []).append(finding)
        return cls(report, rows, clip_table.findings_summary(plain), findings, complete, dataset)

    def judged(self, limits: Mapping[str, float]) -> Inspected:
        """The same clips by the table with `limits` moved; what was measured stays, and so do their places."""
        from piper_core.dataset.checks import moved
        from piper_core.dataset.judgement import judge_again

        report = judge_again(self.report, moved(limits))
        plain = {
            "findings": [finding.to_dict() for finding in report.findings],
            "utterances": [{"row": row.row, "codes": row.codes, "usable": row.usable} for row in report.utterances],
        }
        rows = clip_table.judged_rows(self.rows, plain)
        return self._of(report, plain, rows, self.complete, self.dataset)

    @cached_property
    def codes(self) -> list[str]:
        """The kinds of findings that clips have, by name."""
        return sorted({code for codes in self.rows["findings"] for code in codes})

    @cached_property
    def speakers(self) -> list[str]:
        """By name."""
        return sorted(self.rows["speaker"].dropna().unique())

    @cached_property
    def numeric(self) -> list[str]:
        """The columns of `rows` that clips can be put in order by."""
        return measurements.numeric(self.rows)

    def findings_of(self, clip: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Those about `clip`, a row of `rows`, and those that it shares with most of the set."""
        shared = self.findings.get(None, ())
        own = self.findings.get(clip["row"], ())
        return [*own, *(one for one in shared if one["clips"] > 1 and one["code"] in clip["findings"])]


class InspectionStopped(RuntimeError):
    """Somebody asked the inspection to stop."""


class InspectionJob:
    """One inspection in a thread of its own, and, when asked for, the audit of its transcripts after it.

    `seen` is what is known by now and `news` counts how often that changed; once `done`, `problem` says what ended it
    early: DatasetError, TextError, WorkersError, OSError or InspectionStopped.
    """

    def __init__(self, request: InspectionRequest, limits: Mapping[str, float]) -> None:
        self.request = request
        self.limits = limits
        """Moved thresholds, as they were asked for last."""
        self.progress: InspectionProgress | None = None
        self.glimpse: Glimpse | None = None
        self._dataset: Dataset | None = None
        self.seen: Inspected | None = None
        self.news = 0
        self.problem: Exception | None = None
        self.audits = False
        """Whether transcripts were, or are being, compared with the audio."""
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._told = threading.Event()
        self._judging = threading.Lock()
        self._judged: dict[tuple[tuple[str, float], ...], tuple[Inspected, Inspected]] = {}
        """By limits: of what was seen, and as it is by them."""
        self._looked_at = time.monotonic()
        self._start()

    @property
    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self._ended.is_set()

    def look_on(self) -> None:
        """Somebody has the page open."""
        self._looked_at = time.monotonic()

    def wait_for_news(self, at_most_s: float) -> None:
        """Return as soon as there is something new."""
        self._told.wait(at_most_s)
        self._told.clear()

    def seen_by(self, limits: Mapping[str, float]) -> Inspected | None:
        """What is known by now, judged by the table with `limits` moved: nothing is decoded for it."""
        seen, asked = self.seen, tuple(sorted(limits.items()))
        self.limits = limits
        if seen is None or _hold(limits, seen.report):
            return seen
        with self._judging:
            of, judged = self._judged.get(asked, (None, seen))
            if of is not seen:
                judged = seen.judged(limits)
                latest = list(self._judged.items())[-(_JUDGED_KEPT - 1) :]
                self._judged = {**dict(latest), asked: (seen, judged)}
        return judged

    def stop(self) -> None:
        """Ask it to end at the next clip."""
        self._stop.set()

    def audit(self) -> None:
        """Compare the transcripts with the audio too. What was measured before is kept, and stays on the page."""
        if self.done and self.problem is None:
            self.audits = True
            self._start()

    def _start(self) -> None:
        self._stop.clear()
        self._ended.clear()
        self.progress = None
        threading.Thread(target=self._run, name=f"inspect {self.request.folder}", daemon=True).start()

    def _run(self) -> None:
        try:
            self._learn(self._inspect(), complete=True)
        except Exception as error:  # noqa: BLE001
            # Not swallowed: the page's thread says or raises it.
            self.problem = error
        finally:
            self._ended.set()
            self._tell()

    def _inspect(self) -> DatasetReport:
        from piper_core.dataset.checks import moved
        from piper_core.dataset.inspection import inspect

        return inspect(
            Path(self.request.folder),
            language=self.request.language,
            validate_audio=self.request.validate_audio,
            audit=self.audits,
            cache_dir=Path(self.request.cache_dir),
            on_dataset=self._glimpse,
            on_progress=self._heed,
            on_partial=self._hear,
            checks=moved(self.limits),
        )

    def _glimpse(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self.glimpse = Glimpse.of(dataset)
        self._tell()

    def _tell(self) -> None:
        self.news += 1
        self._told.set()

    def _heed(self, progress: InspectionProgress) -> None:
        self.progress = progress
        if self._stop.is_set():
            raise InspectionStopped("The inspection was stopped.")

    def _hear(self, partial: PartialInspection) -> None:
        if self.seen is None or time.monotonic() - self._looked_at < _LOOKED_ON_S:
            self._learn(partial.report, complete=False)

    def _learn(self, report: DatasetReport, *, complete: bool) -> None:
        self.seen = Inspected.of(report, complete, self._dataset)
        self._tell()


def inspection(request: InspectionRequest, limits: Mapping[str, float], again: int = 0) -> InspectionJob:
    """The inspection of `request`, started when there is none yet; a greater `again` starts a new one.

    It is begun by `limits`; ask `seen_by` for what is seen by others.
    """
    return _shared(replace(request, fingerprint=f"{request.fingerprint}-{again}"), limits)


@st.cache_resource(max_entries=6, show_spinner=False)
def _shared(request: InspectionRequest, _limits: Mapping[str, float]) -> InspectionJob:
    return InspectionJob(request, _limits)


def _hold(limits: Mapping[str, float], report: DatasetReport) -> bool:
    from piper_core.dataset.checks import moved

    return dict(moved(limits)) == dict(report.checks)


def fingerprint(folder: Path) -> str:
    """A short hash over what tells that a dataset has changed: names and subfolders' times, manifests' sizes and times.

    The cleaned manifest and the journal, which we write there ourselves, do not count. Raises OSError for an
    unreadable folder.
    """
    digest = hashlib.blake2b(digest_size=12)
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        if entry.name.startswith(_OWN_OUTPUTS):
            continue
        digest.update(os.fsencode(entry.name) + b"\0")
        with contextlib.suppress(OSError):  # a link that leads nowhere or to itself, or gone since
            if entry.name.lower().endswith((".csv", ".txt", ".json", ".jsonl", ".tsv")) or entry.is_dir():
                stat = entry.stat()
                digest.update(f"{stat.st_mtime_ns} {stat.st_size}".encode())
    return digest.hexdigest()
