"""What is known so far of each utterance of a dataset, a column a kind of knowledge: out of the cache, or just now."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from piper_core.dataset.audio import AudioHeader, ClipMeasurements, Unreadable, read_header
from piper_core.dataset.batches import Span
from piper_core.dataset.clip_rules import Clip
from piper_core.dataset.kept_measurements import KeptMeasurements, SpokenText, Stamp, clip_key
from piper_core.dataset.layouts import Dataset
from piper_core.dataset.plain_header import plain_header

Measured = ClipMeasurements | AudioHeader | Unreadable

AUDIT_VERSION = 4
"""Raised whenever the audit's costs change, so that kept ones are made again."""
_NOT_SPOKEN = SpokenText("", "", None)


class Gathered:
    """Every utterance of `dataset`, by its place in it. `language` None: no phonemes are made."""

    def __init__(self, dataset: Dataset, kept: KeptMeasurements, language: str | None) -> None:
        self.dataset = dataset
        self.language = language
        self._root = dataset.folder.absolute()
        self._kept = kept
        missing = {finding.row for finding in dataset.findings if finding.code == "missing-audio"}
        self.paths = relative_paths(dataset)
        """Of the audio files, as text."""
        self._keys = [
            clip_key(path, said.offset_s, said.length_s)
            for path, said in zip(self.paths, dataset.utterances, strict=True)
        ]
        self.there = [said.row not in missing for said in dataset.utterances]
        """Whether the audio file is there."""
        self._stamps = [
            _stamp(said.path) if kept.is_open and there else None
            for said, there in zip(dataset.utterances, self.there, strict=True)
        ]
        self.measured: list[Measured | None] = [*kept.measurements(self._keys, self._stamps)]
        self._heard = [measured is not None for measured in self.measured]
        pitches = kept.pitches(self._keys, self._stamps)
        self.pitch_hz: list[float | None] = [pitches.get(index) for index in range(len(self.paths))]
        self._pitched = [index in pitches for index in range(len(self.paths))]
        self.transcript_cost: list[float | None] = [None] * len(self.paths)
        self._spoken = kept.spoken_texts(language) if language is not None else {}

    def read_header(self, index: int) -> None:
        """Of a clip that was not measured."""
        said = self.dataset.utterances[index]
        self.measured[index] = (None if said.is_span else _quick_header(said.path)) or read_header(
            said.path, said.offset_s, said.length_s
        )

    def span(self, index: int) -> Span:
        """As the workers take it."""
        said = self.dataset.utterances[index]
        return f"{self._root}{os.sep}{self.paths[index]}", said.offset_s, said.length_s

    def take_measurement(self, index: int, measured: ClipMeasurements | Unreadable) -> None:
        """What was measured just now."""
        self.measured[index] = measured
        self._heard[index] = True
        if (stamp := self._stamps[index]) is not None:
            self._kept.keep_measurement(self._keys[index], stamp, measured)

    def take_pitch(self, index: int, pitch_hz: float | None) -> None:
        """What was found just now."""
        self.pitch_hz[index] = pitch_hz
        self._pitched[index] = True
        if (stamp := self._stamps[index]) is not None:
            self._kept.keep_pitch(self._keys[index], stamp, pitch_hz)

    def take_text(self, said: str, spoken: SpokenText) -> None:
        """What was spoken just now."""
        assert self.language is not None
        self._spoken[said] = spoken
        self._kept.keep_text(said, self.language, spoken)

    def unheard(self) -> list[int]:
        """Clips whose files are there and were not decoded yet."""
        return [i for i, (there, heard) in enumerate(zip(self.there, self._heard, strict=True)) if there and not heard]

    def unpitched(self) -> list[int]:
        """Clips that were measured, but their pitch not yet."""
        known = zip(self.measured, self._pitched, strict=True)
        return [i for i, (clip, pitched) in enumerate(known) if isinstance(clip, ClipMeasurements) and not pitched]

    def audit(self, jobs: int, tell: Callable[[int], None]) -> None:
        """Ask of all clips that were measured whether their texts belong to them. Raises TextError.

        What is alike is learnt from all of them together: costs that are kept hold while none of them changes.
        """
        from piper_core.dataset.audit import AuditItem, transcript_costs

        assert self.language is not None
        wanted = [index for index, clip in enumerate(self.measured) if isinstance(clip, ClipMeasurements)]
        items = [self.dataset.utterances[index] for index in wanted]
        about = [
            (self._keys[index], said.text, said.speaker, vars(self.measured[index]))
            for index, said in zip(wanted, items, strict=True)
        ]
        of = hashlib.blake2b(repr((AUDIT_VERSION, self.language, about)).encode(errors="backslashreplace")).digest()
        known = self._kept.audits([self._keys[index] for index in wanted], of)
        if len(known) == len(wanted):
            costs = [known[place] for place in range(len(wanted))]
            tell(len(wanted))
        else:
            costs = transcript_costs(
                [AuditItem(said.path, said.text, said.speaker, said.offset_s, said.length_s) for said in items],
                self.language, jobs, lambda done, _: tell(done),
            )  # fmt: skip
        for place, (index, cost) in enumerate(zip(wanted, costs, strict=True)):
            self.transcript_cost[index] = cost
            if place not in known:
                self._kept.keep_audit(self._keys[index], of, cost)

    def unspoken(self) -> list[str]:
        """Texts that have no phonemes yet, each once."""
        if self.language is None:
            return []
        texts = dict.fromkeys(said.text for said in self.dataset.utterances)
        return [text for text in texts if text not in self._spoken]

    def clips(self) -> list[Clip]:
        """As the rules take them."""
        known = zip(
            self.dataset.utterances, self.paths, self.measured, self.pitch_hz, self.transcript_cost, strict=True
        )
        clips = []
        for said, path, measured, pitch_hz, cost in known:
            spoken = self._spoken.get(said.text, _NOT_SPOKEN)
            clips.append(
                Clip(
                    said, path, measured, (*spoken.unknown,), spoken.count, spoken.phonemes, pitch_hz, cost,
                    spoken.crashes,
                )
            )  # fmt: skip
        return clips


def relative_paths(dataset: Dataset) -> list[str]:
    """Of each utterance's audio file, relative to the dataset's folder."""
    prefix = f"{dataset.folder}{os.sep}"
    texts = [str(said.path) for said in dataset.utterances]
    return [
        whole[len(prefix) :] if whole.startswith(prefix) else said.path.relative_to(dataset.folder).as_posix()
        for whole, said in zip(texts, dataset.utterances, strict=True)
    ]


def _quick_header(path: Path) -> AudioHeader | None:
    try:
        return plain_header(str(path))
    except OSError:
        return None  # the slow way says why


def _stamp(path: Path) -> Stamp | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - a third of the time of Path.stat, a hundred thousand times
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
