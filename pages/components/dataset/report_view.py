"""A dataset's report: totals, findings by kind, the shape of the set, and the report to take home."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from pages.components.dataset import clip_table, dataset_figures
from pages.components.theme import CHART_CONFIG
from piper_core.dataset.checks import CHECKS

if TYPE_CHECKING:
    from pages.components.dataset.inspection_job import Glimpse, Inspected
    from piper_core.dataset.report import DatasetReport, Summary

BADGE = {"error": "red", "warning": "orange", "info": "blue"}
"""A severity's colour where Streamlit names colours."""
_KINDS_SHOWN = 6
_METRIC_WIDTH = 150
"""Pixels: a sample rate fits, and two stand in a row on a telephone."""
_KINDS_HEIGHT = 480


def show(inspected: Inspected, folder: Path, language: str) -> None:
    """The overview: what was found, and the shape of the set."""
    show_findings(inspected.kinds)
    show_shape(inspected.rows, inspected.report.checks["duration"].threshold)


def show_glimpse(glimpse: Glimpse) -> None:
    """The first totals: the metadata's, and an estimate from a few clips."""
    estimated = f"Estimated from {glimpse.looked_at:,} clips; every header is being read."
    known = glimpse.looked_at == glimpse.clips
    with st.grid(6, min_column_width=_METRIC_WIDTH):
        st.metric("Clips", f"{glimpse.clips:,}", border=True)
        st.metric(
            "Minutes", f"{'' if known else '≈ '}{glimpse.minutes:,.1f}", border=True, help=None if known else estimated
        )
        st.metric("Speakers", f"{glimpse.speakers:,}", border=True)
        st.metric("Sample rate", _rates(glimpse.sample_rates), border=True)
        st.metric("Usable clips", "…", border=True)
        st.metric("Left out", "…", border=True)


def show_totals(rows: pd.DataFrame, left_out: Collection[int], gone: Collection[int], summary: Summary) -> None:
    """Clips, minutes, speakers, and what of it is good to train on.

    `left_out` are the rows that a person left out, `gone` those and the rows with an error that nobody overruled.
    """
    totals = clip_table.totals(rows, gone)
    rates = [int(rate) for rate in summary.sample_rates]
    mixed = f"Mixed: {', '.join(f'{rate / 1000:g} kHz' for rate in rates)}" if len(rates) > 1 else None
    with st.grid(6, min_column_width=_METRIC_WIDTH):
        st.metric("Clips", f"{totals['clips']:,.0f}", border=True)
        st.metric("Minutes", f"{totals['minutes']:,.1f}", border=True)
        st.metric("Speakers", f"{totals['speakers']:,.0f}", border=True)
        st.metric("Sample rate", _rates(rates), border=True, help=mixed)
        st.metric(
            "Usable clips",
            f"{totals['usable']:,.0f}",
            border=True,
            help="Not left out, and without an error or kept all the same:"
            f" {totals['usable_minutes']:,.1f} minutes to train on.",
        )
        st.metric(
            "Left out", f"{len(left_out):,}", border=True, help="Clips that you left out. Undo it in the view “Triage”."
        )


def _rates(rates_hz: Sequence[int]) -> str:
    """The most frequent rate, and how many others there are."""
    if not rates_hz:
        return "unknown"
    others = f" +{len(rates_hz) - 1}" if len(rates_hz) > 1 else ""
    return f"{rates_hz[0] / 1000:g} kHz{others}"


def show_findings(kinds: pd.DataFrame) -> None:
    """Findings by kind, worst first: a chart, and a table with each kind's meaning, limit and source."""
    st.subheader("What was found", anchor=False)
    if kinds.empty:
        st.success("Nothing was found: every clip passed every check that was made.", icon=":material/check_circle:")
        return
    chart, table = st.columns(2, gap="medium")
    counts = dict(zip(zip(kinds["code"], kinds["severity"], strict=True), kinds["count"], strict=True))
    figure = dataset_figures.findings_by_kind(counts)
    chart.plotly_chart(figure, config=CHART_CONFIG, key="findings_chart", alt="Number of clips with each finding")
    with table.container(height="content" if len(kinds) <= _KINDS_SHOWN else _KINDS_HEIGHT, border=False):
        st.table(
            pd.DataFrame([_explained(kind) for kind in kinds.to_dict("records")]),
            border="horizontal",
            hide_index=True,
            alt="Findings by kind, the worst first",
        )


def _explained(kind: Mapping[str, Any]) -> dict[str, str]:
    check = CHECKS.get(kind["code"])
    meaning = check.help if check else ""
    limit = _limit(kind["threshold"], kind["unit"])
    limit = f"Limit: {limit} · " if limit else ""
    return {
        "Finding": f":{BADGE[kind['severity']]}-badge[{kind['code']}]",
        "Clips": f"{kind['count']:,}",
        "What it means, and what to do": f"{meaning}\\\n:small[:gray[For example: {plain_text(kind['message'])}]]"
        f"\\\n:small[:gray[{limit}{plain_text(kind['source'])}]]",
    }


def plain_text(words: str) -> str:
    """`words` with Markdown's signs taken literally: a transcript or a path is data."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]()#+-.!|<>~$:&" else sign for sign in words.replace("\n", " "))


def show_shape(rows: pd.DataFrame, longest_s: float | None) -> None:
    """How long, beside the limit in seconds, and how loud the clips are."""
    left, right = st.columns(2, gap="medium")
    figure = dataset_figures.durations(rows["duration_s"].tolist(), longest_s=longest_s)
    left.plotly_chart(figure, config=CHART_CONFIG, key="durations_chart", alt="Histogram of the clips' lengths")
    if "loudness_lufs" not in rows or not rows["loudness_lufs"].notna().any():
        right.caption("Loudness is known once the audio has been measured.")
        return
    figure = dataset_figures.loudness(rows["loudness_lufs"].dropna().tolist())
    right.plotly_chart(figure, config=CHART_CONFIG, key="loudness_chart", alt="Histogram of the clips' loudness")


def show_downloads(report: DatasetReport, name: str) -> None:
    """The report to take home: JSON for scripts, CSV for a spreadsheet, HTML to read and pass on."""
    with st.container(horizontal=True):
        for suffix, label, mime in (
            ("html", "Report to read (HTML)", "text/html"),
            ("csv", "Clips as a table (CSV)", "text/csv"),
            ("json", "All of it (JSON)", "application/json"),
        ):
            st.download_button(
                label,
                data=_written(report, suffix),
                file_name=f"{name}-report.{suffix}",
                mime=mime,
                icon=":material/download:",
                on_click="ignore",
                key=f"download_{suffix}",
            )


def _written(report: DatasetReport, suffix: str) -> Callable[[], bytes]:
    def write() -> bytes:
        from piper_core.dataset import report as reports

        writers = {"html": reports.write_html, "csv": reports.write_csv, "json": reports.write_json}
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"report.{suffix}"
            writers[suffix](report, file)
            return file.read_bytes()

    return write


def _limit(threshold: float | None, unit: str) -> str:
    return (
        ""
        if threshold is None or pd.isna(threshold)
        else f"{threshold:,.{3 if abs(threshold) < 1000 else 6}g} {unit}".strip()
    )
