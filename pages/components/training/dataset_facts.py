"""What the Train page has to know of a dataset: how many clips, how long, whose. Texts and headers only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from pages.components.dataset.inspection_job import fingerprint
from piper_core.dataset.layouts import DatasetError, Utterance, read_dataset
from piper_core.features.settings import FeatureSettings
from piper_core.training.dry_run import too_long_clips

CLEANED = "metadata.cleaned."
_HEADERS_READ = 2000
"""Of more clips, evenly chosen ones stand for all: reading every header of a large set takes seconds."""


@dataclass(frozen=True)
class DatasetFacts:
    """A dataset by one of its metadata files."""

    metadata: str
    """The metadata file's name."""
    clips: int
    """Rows whose audio file is there."""
    missing: int
    """Rows whose audio file is not there."""
    speakers: int
    duration_s: float
    """Of all clips together; estimated from a part of them when there are many."""
    longest_s: float
    """Of those that are not too long."""
    too_long: tuple[str, ...] = ()
    """Clips that are left out for their length, of those whose headers were read; the longest first."""

    @property
    def line(self) -> str:
        """For people: `60 clips, 3.1 minutes, 1 speaker`."""
        voices = "1 speaker" if self.speakers == 1 else f"{self.speakers} speakers"
        minutes = (
            f"{self.duration_s / 60:.1f} minutes" if self.duration_s < 7200 else f"{self.duration_s / 3600:.1f} hours"
        )
        gone = f"; {self.missing:,} rows have no audio file and are left out" if self.missing else ""
        return f"{self.clips:,} clips, {minutes}, {voices}{gone}"


def facts(folder: Path, metadata: str | None) -> DatasetFacts | str:
    """The facts, or a sentence that says why the dataset can't be read."""
    try:
        return _facts(str(folder), metadata, fingerprint(folder), _changed(folder, metadata))
    except DatasetError as error:
        return str(error)
    except OSError as error:
        return f"{folder} can't be read: {error.strerror}."


def manifests(folder: Path) -> list[str]:
    """The cleaned metadata files in `folder`, newest first."""
    found = [path for path in folder.glob(f"{CLEANED}*") if path.is_file()]
    return [path.name for path in sorted(found, key=lambda path: -path.stat().st_mtime)]


def _changed(folder: Path, metadata: str | None) -> int:
    return (folder / metadata).stat().st_mtime_ns if metadata else 0


@st.cache_data(max_entries=16, show_spinner="Reading the dataset …")
def _facts(folder: str, metadata: str | None, content: str, changed_ns: int) -> DatasetFacts:
    dataset = read_dataset(Path(folder), metadata)
    there = [utterance for utterance in dataset.utterances if utterance.path.is_file()]
    stride = -(-len(there) // _HEADERS_READ) if there else 1
    lengths_s = _durations(there[::stride])
    too_long = too_long_clips(lengths_s, FeatureSettings.longest_s)
    durations_s = [lengths_s[name] for name in lengths_s.keys() - set(too_long)]
    return DatasetFacts(
        metadata=dataset.metadata,
        clips=len(there),
        missing=len(dataset.utterances) - len(there),
        speakers=max(1, len(dataset.speakers)),
        duration_s=sum(durations_s) * len(there) / max(1, len(durations_s)),
        longest_s=max(durations_s, default=0.0),
        too_long=too_long,
    )


def _durations(utterances: Iterable[Utterance]) -> dict[str, float]:
    """Seconds by utterance; those whose header can't be read are left out."""
    from piper_core.dataset.audio import Unreadable, read_header

    headers = {said.utterance_id: read_header(said.path, said.offset_s, said.length_s) for said in utterances}
    return {name: header.duration_s for name, header in headers.items() if not isinstance(header, Unreadable)}
