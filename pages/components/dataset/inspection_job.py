"""An inspection that runs beside the pages: it goes on while other pages are looked at, and all sessions share it.

Texts and headers come first, in seconds, so that a large dataset can be looked through while its audio is measured.
"""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from pages.components.dataset.clip_table import clip_rows
from piper_core.dataset.journal import JOURNAL_NAME

if TYPE_CHECKING:
    from piper_core.dataset.inspection import InspectionProgress
    from piper_core.dataset.report import DatasetReport

_OWN_OUTPUT = ("metadata.cleaned", JOURNAL_NAME)


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
class Inspected:
    """A report, and what the pages draw from it: worked out once, in the inspection's own thread."""

    report: DatasetReport
    plain: dict[str, Any]
    """`report.to_dict()`."""
    rows: pd.DataFrame
    """A row a clip."""

    @classmethod
    def of(cls, report: DatasetReport) -> Inspected:
        plain = report.to_dict()
        return cls(report, plain, clip_rows(plain))


class InspectionStopped(RuntimeError):
    """Somebody asked the inspection to stop."""


class InspectionJob:
    """One inspection in a thread of its own. Read `progress`, `preview`, and, once `done`, `result()`."""

    def __init__(self, request: InspectionRequest) -> None:
        self.request = request
        self.progress: InspectionProgress | None = None
        self.preview: Inspected | None = None
        """Texts and headers alone, while the audio is being measured."""
        self._result: Future[Inspected] = Future()
        self._stop = threading.Event()
        threading.Thread(target=self._run, name=f"inspect {request.folder}", daemon=True).start()

    @property
    def done(self) -> bool:
        """Whether the inspection has ended, well or not."""
        return self._result.done()

    def result(self) -> Inspected:
        """What a `done` inspection found. Raises what ended it: DatasetError, OSError, InspectionStopped."""
        return self._result.result(timeout=0)

    def stop(self) -> None:
        """Ask it to end at the next clip."""
        self._stop.set()

    def _run(self) -> None:
        try:
            self._result.set_result(self._inspect())
        except BaseException as error:  # noqa: BLE001
            # Not swallowed: result() raises it in the page's thread, where it can be shown.
            self._result.set_exception(error)

    def _inspect(self) -> Inspected:
        from piper_core.dataset.inspection import inspect

        def heed(progress: InspectionProgress) -> None:
            self.progress = progress
            if self._stop.is_set():
                raise InspectionStopped("The inspection was stopped.")

        def look(validate_audio: bool) -> Inspected:
            return Inspected.of(
                inspect(
                    Path(self.request.folder),
                    language=self.request.language,
                    validate_audio=validate_audio,
                    cache_dir=Path(self.request.cache_dir),
                    on_progress=heed,
                )
            )

        if self.request.validate_audio:
            self.preview = look(validate_audio=False)
        return look(validate_audio=self.request.validate_audio)


def inspection(request: InspectionRequest, again: int = 0) -> InspectionJob:
    """The inspection of `request`, started when there is none yet; a greater `again` starts a new one."""
    return _shared(replace(request, fingerprint=f"{request.fingerprint}-{again}"))


@st.cache_resource(max_entries=6, show_spinner=False)
def _shared(request: InspectionRequest) -> InspectionJob:
    return InspectionJob(request)


def fingerprint(folder: Path) -> str:
    """A short hash over what tells that a dataset has changed: names and subfolders' times, manifests' sizes and times.

    The cleaned manifest and the journal, which we write there ourselves, do not count.
    Raises OSError for an unreadable folder.
    """
    digest = hashlib.blake2b(digest_size=12)
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(_OWN_OUTPUT):
            continue
        digest.update(entry.name.encode(errors="surrogateescape") + b"\0")
        if entry.is_dir() or entry.suffix.lower() in (".csv", ".txt", ".json", ".jsonl", ".tsv"):
            stat = entry.stat()
            digest.update(f"{stat.st_mtime_ns} {stat.st_size}".encode())
    return digest.hexdigest()
