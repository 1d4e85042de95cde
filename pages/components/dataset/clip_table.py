"""All clips of a dataset as one table: its rows, its filters, how its columns are shown. Pandas, no Streamlit state.

Everything works on the plain dictionary of `DatasetReport.to_dict()` (schema_version 1), as `inspect --json` writes it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

SEVERITIES = ("error", "warning", "info")
NO_FINDING = "none"
_FIRST = ("utterance_id", "worst", "findings", "speaker", "duration_s", "text")


@dataclass(frozen=True)
class ClipFilter:
    """Which clips the table shows. Empty means: no restriction."""

    kinds: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    speakers: tuple[str, ...] = ()
    search: str = ""
    usable_only: bool = False
    left_out_only: bool = False


def clip_rows(report: Mapping[str, Any]) -> pd.DataFrame:
    """A row a clip, the worst first, then in the manifest's order: text, measurements, `findings` and `worst`.

    `findings` are codes, the worst first; `worst` is the worst severity among them or `NO_FINDING`.
    """
    frame = pd.DataFrame.from_records(list(report["utterances"]))
    if frame.empty:
        return pd.DataFrame(columns=[*_FIRST, "usable", "path", "row"])
    own: dict[tuple[int, str], int] = {}
    shared: dict[str, int] = {}
    for finding in report["findings"]:
        rank = SEVERITIES.index(finding["severity"])
        if finding["row"] is None:
            # A trait that most clips share is one finding about the set; the clips still carry its code.
            shared[finding["code"]] = min(rank, shared.get(finding["code"], rank))
        else:
            key = (finding["row"], finding["code"])
            own[key] = min(rank, own.get(key, rank))
    none = len(SEVERITIES)
    names = [*SEVERITIES, NO_FINDING]
    ranked = [
        sorted((own.get((row, code), shared.get(code, none)), code) for code in codes)
        for row, codes in zip(frame["row"], frame["codes"], strict=True)
    ]
    frame["findings"] = [[code for _, code in found] for found in ranked]
    frame["worst"] = [names[found[0][0] if found else none] for found in ranked]
    frame = frame.drop(columns="codes")
    frame["duration_s"] = frame["duration_s"].astype(float)
    frame = frame.sort_values("worst", key=lambda worst: worst.map(names.index), kind="stable", ignore_index=True)
    return frame[[*_FIRST, *(name for name in frame.columns if name not in _FIRST)]]


def filter_rows(frame: pd.DataFrame, chosen: ClipFilter, left_out: Collection[int] = ()) -> pd.DataFrame:
    """The rows of `frame` that pass every restriction of `chosen`, in their order; `left_out` are numbers of rows."""
    keep = pd.Series(True, index=frame.index)
    if chosen.kinds:
        kinds = set(chosen.kinds)
        keep &= frame["findings"].map(lambda codes: not kinds.isdisjoint(codes)).astype(bool)
    if chosen.severities:
        keep &= frame["worst"].isin(chosen.severities)
    if chosen.speakers:
        keep &= frame["speaker"].isin(chosen.speakers)
    if chosen.usable_only:
        keep &= frame["usable"].astype(bool)
    if chosen.left_out_only:
        keep &= frame["row"].isin(list(left_out))
    for word in chosen.search.casefold().split():
        found = frame["text"].str.casefold().str.contains(word, regex=False)
        keep &= found | frame["utterance_id"].str.casefold().str.contains(word, regex=False)
    return frame[keep]


def findings_of(clip: Mapping[str, Any], report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The findings in `report` about `clip`, a row of the table, and those that it shares with most of the set."""
    return [
        finding
        for finding in report["findings"]
        if finding["row"] == clip["row"] or (finding["clips"] > 1 and finding["code"] in clip["findings"])
    ]


def severity_of_kinds(report: Mapping[str, Any]) -> dict[str, str]:
    """Each kind of finding in `report` -> the worst severity that it has there."""
    ranks: dict[str, int] = {}
    for finding in report["findings"]:
        rank = SEVERITIES.index(finding["severity"])
        ranks[finding["code"]] = min(rank, ranks.get(finding["code"], rank))
    return {code: SEVERITIES[rank] for code, rank in ranks.items()}


def findings_summary(report: Mapping[str, Any]) -> pd.DataFrame:
    """A row a kind of finding, the worst severity first, then the most frequent, with the first of them as an example.

    Threshold, unit and source are those of the finding itself, so that the table says by which rule it was raised.
    """
    columns = ["code", "severity", "count", "message", "threshold", "unit", "source"]
    if not report["findings"]:
        return pd.DataFrame(columns=columns)
    frame = pd.DataFrame.from_records(list(report["findings"]))
    kinds = frame.groupby(["code", "severity"], sort=False, as_index=False).agg(
        count=("clips", "sum"),
        message=("message", "first"),
        threshold=("threshold", "first"),
        unit=("unit", "first"),
        source=("source", "first"),
    )
    kinds["rank"] = kinds["severity"].map(SEVERITIES.index)
    kinds = kinds.sort_values(["rank", "count", "code"], ascending=[True, False, True], ignore_index=True)
    return kinds[columns]


def totals(frame: pd.DataFrame, left_out: Collection[int] = ()) -> dict[str, float]:
    """Clips, minutes and speakers in all, and what of it will be trained on: usable and not left out."""
    kept = frame["usable"].astype(bool) & ~frame["row"].isin(list(left_out))
    return {
        "clips": len(frame),
        "minutes": float(frame["duration_s"].sum()) / 60,
        "speakers": max(1, int(frame["speaker"].nunique())) if len(frame) else 0,
        "usable": int(kept.sum()),
        "usable_minutes": float(frame.loc[kept, "duration_s"].sum()) / 60,
    }
