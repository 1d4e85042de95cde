"""A run's curves on the Monitor page: losses and learning rate, from metrics.jsonl as it grows."""

from __future__ import annotations

import threading
from pathlib import Path

import streamlit as st

from pages.components import quantities
from pages.components.runs import training_figures
from pages.components.runs.live_chart import live_chart
from piper_core.runs.metrics import MetricsReader, MetricsTable
from piper_core.runs.run import Run

READ_BYTES = 16 * 1024**2
"""A poll reads at most this much, so that a page over a million lines answers from the start."""
_RATE = "learning_rate"
_DRAWN = "curves_drawn"


class SharedReader:
    """A MetricsReader that several sessions poll: each new byte is read once."""

    def __init__(self, path: Path) -> None:
        self._reader = MetricsReader(path)
        self._lock = threading.Lock()

    def read(self, max_bytes: int) -> MetricsTable:
        """Everything so far, thinned, at most `max_bytes` more of the file than the last time."""
        with self._lock:
            return self._reader.read(max_bytes)


@st.cache_resource(max_entries=8, show_spinner="Reading the run's metrics …")
def reader(path: str) -> SharedReader:
    """The reader of this file, kept between polls and sessions."""
    return SharedReader(Path(path))


def show(run: Run) -> None:
    """The part that polls: controls and charts. A million lines are read once; a poll reads what was added."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        smoothing = st.slider(
            "Smoothing",
            0.0,
            0.99,
            0.6,
            key="smoothing",
            width=260,
            help="0 shows each step as it was measured; higher averages over more steps. The faint line is unsmoothed.",
        )
        log_axis = st.toggle(
            "Log axis",
            key="log_axis",
            help="Shows small changes late in training; values below zero have no place on it.",
        )
    table = reader(str(run.metrics_path)).read(READ_BYTES)
    if table.unread_bytes > READ_BYTES:
        st.caption(f"Reading: {quantities.size(table.unread_bytes)} of {run.metrics_path.name} are still to come.")
    if not len(table.steps):
        st.caption("The first curves appear after some steps.")
        return
    drawn = _drawn(run, table, smoothing, log_axis)
    charts = training_figures.LOSS_CHARTS
    for left, right in zip(charts[::2], charts[1::2], strict=True):
        for column, chart in zip(st.columns(2), (left, right), strict=True):
            with column:
                _chart(drawn, chart.title, chart.title)
                st.caption(chart.meaning)
    with st.expander("Learning rate", icon=":material/speed:", key="curves_more", on_change="rerun") as more:
        if more.open:
            _chart(drawn, _RATE, "Learning rate")
    if table.skipped_lines:
        st.caption(f"{table.skipped_lines:,} lines of {run.metrics_path.name} could not be read and are left out.")


def _chart(drawn: dict[str, str], name: str, title: str) -> None:
    alt = f"{title} over the steps of training"
    live_chart(drawn[name], key=f"chart_{name}", alt=alt, height=training_figures.HEIGHT)


def _drawn(run: Run, table: MetricsTable, smoothing: float, log_axis: bool) -> dict[str, str]:
    """Every figure's JSON by its title, kept in the session until something is new."""
    shows = (str(run.folder), smoothing, log_axis)
    kept = st.session_state.get(_DRAWN)
    if kept is not None and kept[0] is table and kept[1] == shows:
        return kept[2]
    revision = str(run.folder)
    drawn = {}
    for chart in training_figures.LOSS_CHARTS:
        shown = training_figures.curves(table.points, chart.names)
        figure = training_figures.losses(shown, chart.title, smoothing=smoothing, log_axis=log_axis, revision=revision)
        drawn[chart.title] = figure.to_json()
    rates = training_figures.curves(table.points, (_RATE,))
    drawn[_RATE] = training_figures.learning_rate(rates, revision=revision).to_json()
    st.session_state[_DRAWN] = (table, shows, drawn)
    return drawn
