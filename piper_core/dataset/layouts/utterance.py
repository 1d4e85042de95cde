"""`Utterance` and `Dataset`: what every layout is read as."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from piper_core.dataset.checks import Finding


@dataclass(frozen=True)
class Utterance:
    """A clip and the text that is spoken in it."""

    utterance_id: str
    """The first column, without an audio file's extension (unless that is all that tells two clips apart)."""
    path: Path
    """The audio file, or where it should be when it is missing."""
    text: str
    """What is trained on: the last column."""
    speaker: str | None
    row: int
    """Line number in the metadata file, from 1."""
    written_text: str | None = None
    """The text as written, where a normalised one stands beside it."""
    offset_s: float = 0.0
    """Where the clip starts in its file, in seconds."""
    length_s: float | None = None
    """How long it is, in seconds; None: to the end of the file."""

    @property
    def is_span(self) -> bool:
        """Whether the clip is a part of its file."""
        return self.offset_s > 0 or self.length_s is not None


@dataclass(frozen=True)
class Dataset:
    """What a metadata file says. `findings` are about its rows; nothing was decoded yet."""

    folder: Path
    layout: str
    """A key of `LAYOUTS`."""
    metadata_path: Path
    """The file that names the clips, or a folder where every clip has a file of its own."""
    utterances: tuple[Utterance, ...]
    findings: tuple[Finding, ...]

    @property
    def metadata(self) -> str:
        """`metadata_path` inside the folder, as `read_dataset` takes it."""
        return self.metadata_path.relative_to(self.folder).as_posix()

    @property
    def speakers(self) -> tuple[str, ...]:
        """Names in order of first appearance; empty when there is no speaker column."""
        return tuple(dict.fromkeys(u.speaker for u in self.utterances if u.speaker is not None))

    @property
    def usable(self) -> tuple[Utterance, ...]:
        """Utterances whose row has nothing wrong: the audio file is there, and no other row names it otherwise."""
        bad = self._row_errors
        return tuple(u for u in self.utterances if u.row not in bad)

    @property
    def unusable(self) -> tuple[tuple[str, str], ...]:
        """The other utterances: id and what is wrong with its row."""
        bad = self._row_errors
        return tuple((u.utterance_id, bad[u.row]) for u in self.utterances if u.row in bad)

    @property
    def _row_errors(self) -> dict[int | None, str]:
        return {finding.row: finding.message for finding in self.findings if finding.severity == "error"}
