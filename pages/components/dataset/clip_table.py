"""All clips of a dataset as one table: its rows, its filters, how its columns are shown. Pandas, no Streamlit state.

Everything works on the plain dictionary of `DatasetReport.to_dict()` (schema_version 1), as `inspect --json` writes it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
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

    `findings` are codes, the worst first; `worst` is the worst severity among them or `NO_FINDING`; `folded` is what a
    search looks through. The index is the clip's place in the report, which stays when other findings come in.
    """
    utterances = report["utterances"]
    if not utterances:
        return pd.DataFrame(columns=[*_FIRST, "usable", "path", "row", "folded"])
    columns: dict[str, Any] = {
        name: _values([utterance.get(name) for utterance in utterances]) for name in utterances[0] if name != "codes"
    }
    columns["duration_s"] = np.asarray(columns["duration_s"], dtype=float)
    ranks, columns["findings"] = _ranked(report)
    names = np.array([*SEVERITIES, NO_FINDING], dtype=object)
    columns["worst"] = names[ranks]
    columns["folded"] = [
        f"{name}\n{text}".casefold() for name, text in zip(columns["utterance_id"], columns["text"], strict=True)
    ]
    frame = pd.DataFrame({name: columns.pop(name) for name in _FIRST} | columns, copy=False)
    return frame.take(np.argsort(ranks, kind="stable"))


def judged_rows(frame: pd.DataFrame, report: Mapping[str, Any]) -> pd.DataFrame:
    """`frame`, as `clip_rows` gave it, by the findings of `report`: the same clips, the worst first.

    Of the report's utterances only `row`, `codes` and `usable` are looked at.
    """
    if frame.empty:
        return frame
    ranks, findings = _ranked(report)
    places = frame.index.to_numpy()
    names = np.array([*SEVERITIES, NO_FINDING], dtype=object)
    usable = np.array([utterance["usable"] for utterance in report["utterances"]], bool)
    judged = frame.assign(
        worst=names[ranks][places], findings=[findings[place] for place in places.tolist()], usable=usable[places]
    )
    order = np.lexsort((places, ranks[places]))
    return judged.take(order)


def _values(values: list[Any]) -> Any:
    """Numbers among which some are unknown as floats, with NaN in their place; all else as it is."""
    kinds = set(map(type, values))
    return np.array(values, dtype=float) if kinds in ({float, type(None)}, {int, type(None)}) else values


def _ranked(report: Mapping[str, Any]) -> tuple[np.ndarray, list[list[str]]]:
    """Of each utterance the rank of its worst finding, and its codes, the worst first."""
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
    ranks = np.full(len(report["utterances"]), none)
    findings: list[list[str]] = []
    for place, utterance in enumerate(report["utterances"]):
        row = utterance["row"]
        ranked = sorted((own.get((row, code), shared.get(code, none)), code) for code in utterance["codes"])
        findings.append([code for _, code in ranked])
        if ranked:
            ranks[place] = ranked[0][0]
    return ranks, findings


def filter_rows(frame: pd.DataFrame, chosen: ClipFilter, left_out: Collection[int] = ()) -> pd.DataFrame:
    """The rows of `frame` that pass every restriction of `chosen`, in their order; `left_out` are numbers of rows."""
    keep = np.ones(len(frame), dtype=bool)
    if chosen.kinds:
        kinds = set(chosen.kinds)
        keep &= np.fromiter((not kinds.isdisjoint(codes) for codes in frame["findings"]), bool, len(frame))
    if chosen.severities:
        keep &= frame["worst"].isin(chosen.severities).to_numpy()
    if chosen.speakers:
        keep &= frame["speaker"].isin(chosen.speakers).to_numpy()
    if chosen.usable_only:
        keep &= frame["usable"].to_numpy(dtype=bool)
    if chosen.left_out_only:
        keep &= frame["row"].isin(list(left_out)).to_numpy()
    for word in chosen.search.casefold().split():
        keep &= np.fromiter((word in folded for folded in frame["folded"]), bool, len(frame))
    return frame if keep.all() else frame[keep]


def in_order(frame: pd.DataFrame, by: str, *, descending: bool = False) -> pd.DataFrame:
    """The rows by the measurement `by`, those where it is unknown last; equal ones keep their order."""
    values = frame[by].to_numpy(dtype=float)
    return frame.take(np.argsort(-values if descending else values, kind="stable"))


def severity_of_kinds(kinds: pd.DataFrame) -> dict[str, str]:
    """Each kind of finding in `kinds`, as `findings_summary` gives them -> the worst severity that it has there."""
    return dict(zip(kinds["code"][::-1], kinds["severity"][::-1], strict=True))


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


def totals(frame: pd.DataFrame, gone: Collection[int] = ()) -> dict[str, float]:
    """Clips, minutes and speakers in all, and what of it a cleaned dataset holds: the rows that are not `gone`."""
    kept = ~frame["row"].isin(list(gone))
    return {
        "clips": len(frame),
        "minutes": float(frame["duration_s"].sum()) / 60,
        "speakers": max(1, int(frame["speaker"].nunique())) if len(frame) else 0,
        "usable": int(kept.sum()),
        "usable_minutes": float(frame.loc[kept, "duration_s"].sum()) / 60,
    }
