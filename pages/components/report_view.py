"""A dataset's report: totals, findings by kind, the shape of the set, and the report to take home."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from pages.components import clip_table, dataset_figures
from pages.components.theme import CHART_CONFIG, SEVERITY
from piper_core.dataset.checks import CHECKS

if TYPE_CHECKING:
    from piper_core.dataset.report import DatasetReport


def show_totals(rows: pd.DataFrame, left_out: Collection[str], summary: Mapping[str, Any]) -> None:
    """Clips, minutes, speakers, and what of it is good to train on."""
    totals = clip_table.totals(rows, left_out)
    rates = ", ".join(f"{int(rate) / 1000:g} kHz" for rate in summary.get("sample_rates", {})) or "unknown"
    with st.grid(6, min_column_width=130):
        st.metric("Clips", f"{totals['clips']:,.0f}", border=True)
        st.metric("Minutes", f"{totals['minutes']:,.1f}", border=True)
        st.metric("Speakers", f"{totals['speakers']:,.0f}", border=True)
        st.metric("Sample rate", rates, border=True)
        st.metric(
            "Usable clips",
            f"{totals['usable']:,.0f}",
            border=True,
            help=f"Clips without an error and not left out: {totals['usable_minutes']:,.1f} minutes to train on.",
        )
        st.metric("Left out", f"{len(left_out):,}", border=True, help="Clips that you left out below.")


def show_findings(report: Mapping[str, Any]) -> None:
    """Findings by kind, worst first: a chart, and a table with each kind's meaning, threshold and source."""
    st.subheader("What was found", anchor=False)
    kinds = clip_table.findings_summary(report)
    if kinds.empty:
        st.success("Nothing was found: every clip passed every check that was made.", icon=":material/check_circle:")
        return
    kinds["meaning"] = [CHECKS[code].help if code in CHECKS else "" for code in kinds["code"]]
    kinds["limit"] = [_limit(row.threshold, row.unit) for row in kinds.itertuples()]
    chart, table = st.columns([2, 5], gap="medium")
    counts = {
        (row.code, row.severity): int(row.count_) for row in kinds.rename(columns={"count": "count_"}).itertuples()
    }
    figure = dataset_figures.findings_by_kind(counts)
    chart.plotly_chart(figure, config=CHART_CONFIG, key="findings_chart", alt="Number of findings of each kind")
    table.dataframe(
        kinds[["severity", "code", "count", "meaning", "limit", "message", "source"]],
        hide_index=True,
        height=min(420, 38 + 35 * len(kinds)),
        column_config={
            "severity": severity_column("Severity"),
            "code": st.column_config.TextColumn("Finding", width=130),
            "count": st.column_config.NumberColumn("Count", format="localized", width=70),
            "meaning": st.column_config.TextColumn("What it means, what to do", width=340),
            "limit": st.column_config.TextColumn("Threshold", width=90),
            "message": st.column_config.TextColumn("For example", width=300),
            "source": st.column_config.TextColumn("Where the threshold comes from", width=280),
        },
        alt="Findings by kind, the worst first",
    )


def severity_column(label: str) -> Any:
    """A column of severities as coloured badges."""
    names = [*clip_table.SEVERITIES, clip_table.NO_FINDING]
    colors = [*(SEVERITY[name] for name in clip_table.SEVERITIES), "gray"]
    return st.column_config.MultiselectColumn(label, options=names, color=colors, width=90)


def show_shape(rows: pd.DataFrame) -> None:
    """How long and how loud the clips are."""
    left, right = st.columns(2, gap="medium")
    longest = CHECKS["duration"].threshold
    figure = dataset_figures.durations(rows["duration_s"].tolist(), longest_s=longest)
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
    return "" if threshold is None or pd.isna(threshold) else f"{threshold:g} {unit}".strip()
