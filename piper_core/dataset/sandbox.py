"""What would be lost if a limit stood elsewhere: clips, hours, phonemes, at once; and the clips nearest to it, to hear.

columns = clip_columns.of_rows(rows, voice_rate)          # once a report
kinds = phoneme_kinds(phonemes_of_each_clip)              # once, where they are known
lost = losses(columns, moved({"duration-long": 12}), kinds)
outside, inside = borderline(columns, limits_of(checks)["duration-long"])
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from piper_core.dataset.checks import CHECKS, Check, Limit, Severity
from piper_core.dataset.clip_columns import Columns
from piper_core.dataset.limits import beyond, crossings, in_force

_SHOWN = 5
RARE = 20
"""Occurrences: a phoneme with fewer is learned badly. Piper Studio's choice."""


@dataclass(frozen=True)
class PhonemeKinds:
    """Which phonemes each clip holds."""

    names: tuple[str, ...]
    held: np.ndarray
    """bool [clips, names]."""
    clips: np.ndarray
    """Clips that hold each [names]."""
    spoken: np.ndarray
    """How often each clip speaks each: int32 [clips, names]."""
    spoken_in_all: np.ndarray
    """By all clips together [names]."""


@dataclass(frozen=True)
class PhonemeLoss:
    """How much of one phoneme would be gone."""

    name: str
    lost: int
    """Occurrences."""
    of: int
    """In the whole set."""

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.lost / self.of

    @property
    def gets_rare(self) -> bool:
        """Whether fewer are left than a voice learns from, and there were enough before."""
        return self.of - self.lost < RARE <= self.of


@dataclass(frozen=True)
class Loss:
    """What leaving out some clips costs."""

    clips: np.ndarray
    """Indices [n], ascending."""
    duration_s: float
    phoneme_count: int
    """Phonemes spoken in them, 0 where that is not known."""
    last_phonemes: tuple[str, ...]
    """Kinds of phonemes that no other clip holds: the voice would never hear them."""
    phonemes: tuple[PhonemeLoss, ...] = ()
    """Every phoneme that is lost in part or whole, those that lose most of theirs first."""


@dataclass(frozen=True)
class LimitLoss:
    """What one limit costs."""

    limit: Limit
    threshold: float
    """In force: its value, or the set's own fence where that lies further out."""
    loss: Loss


@dataclass(frozen=True)
class Losses:
    """What a table of limits costs."""

    by_limit: tuple[LimitLoss, ...]
    """Of limits that some clip crosses, in the table's order. A clip counts once a code, at its worst limit."""
    in_all: Loss
    """Of all clips that cross any of them, each counted once."""


def phoneme_kinds(phonemes: Sequence[Sequence[str]]) -> PhonemeKinds:
    """From the phonemes of each clip's text, as `Clip.phonemes`: a single character each, repeats welcome."""
    texts = ["".join(own) for own in phonemes]
    points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    present = np.flatnonzero(np.bincount(points)) if points.size else np.zeros(0, np.int64)
    place = np.zeros(int(present[-1]) + 1 if present.size else 0, np.int64)
    place[present] = np.arange(present.size)
    said = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    cells = said * present.size + place[points]
    counts = np.bincount(cells, minlength=len(texts) * present.size).astype(np.int32)
    names = [chr(point) for point in present.tolist()]
    sounds = np.array([name.isalpha() for name in names], bool)
    spoken = counts.reshape(len(texts), present.size)[:, sounds]
    held = spoken > 0
    return PhonemeKinds(
        tuple(name for name in names if name.isalpha()), held, held.sum(axis=0), spoken, spoken.sum(axis=0)
    )


def losses(
    columns: Columns,
    checks: Mapping[str, Check] = CHECKS,
    kinds: PhonemeKinds | None = None,
    severities: Collection[Severity] = ("error", "warning"),
) -> Losses:
    """What it costs to leave out every clip that crosses a limit of `checks` of one of `severities`.

    `columns` are `clip_columns.of_clips` or `of_rows`; limits are moved by `checks.moved`.
    """
    crossed = [crossing for crossing in crossings(columns, checks) if crossing.limit.severity in severities]
    lost = np.zeros(columns["duration_s"].size, bool)
    for crossing in crossed:
        lost[crossing.clips] = True
    return Losses(
        tuple(LimitLoss(one.limit, one.threshold, loss_of(one.clips, columns, kinds)) for one in crossed),
        loss_of(np.flatnonzero(lost), columns, kinds),
    )


def loss_of(clips: np.ndarray, columns: Columns, kinds: PhonemeKinds | None = None) -> Loss:
    """What leaving out `clips` (indices, each once) costs."""
    last: tuple[str, ...] = ()
    hit: list[PhonemeLoss] = []
    if kinds is not None and clips.size:
        gone = (kinds.held[clips].sum(axis=0) == kinds.clips) & (kinds.clips > 0)
        last = tuple(kinds.names[index] for index in np.flatnonzero(gone).tolist())
        lost = kinds.spoken[clips].sum(axis=0)
        hit = [
            PhonemeLoss(kinds.names[index], int(lost[index]), int(kinds.spoken_in_all[index]))
            for index in np.flatnonzero(lost).tolist()
        ]
        hit.sort(key=lambda phoneme: (-phoneme.share, -phoneme.lost, phoneme.name))
    return Loss(
        clips,
        float(np.nansum(columns["duration_s"][clips])),
        int(np.nansum(columns["phoneme_count"][clips])),
        last,
        tuple(hit),
    )


def together(columns: Columns, limits: Iterable[Limit], kinds: PhonemeKinds | None = None) -> Loss:
    """What it costs to leave out every clip beyond any of `limits`, each clip counted once."""
    lost = np.zeros(columns["duration_s"].size, bool)
    for limit in limits:
        if not limit.of_set:
            values = columns[limit.measure]
            lost |= beyond(limit, values, in_force(limit, values))
    return loss_of(np.flatnonzero(lost), columns, kinds)


def borderline(columns: Columns, limit: Limit, count: int = _SHOWN) -> tuple[np.ndarray, np.ndarray]:
    """The clips nearest to `limit` to hear: up to `count` that cross it and as many that do not, nearest first."""
    values = columns[limit.measure]
    threshold = in_force(limit, values)
    crossed = beyond(limit, values, threshold)
    known = np.isfinite(values) & np.isfinite(threshold)
    distance = np.abs(values - threshold)
    return _nearest(distance, known & crossed, count), _nearest(distance, known & ~crossed, count)


def _nearest(distance: np.ndarray, of: np.ndarray, count: int) -> np.ndarray:
    clips = np.flatnonzero(of)
    if clips.size > count:
        clips = clips[np.argpartition(distance[clips], count)[:count]]
    return clips[np.argsort(distance[clips], kind="stable")]
