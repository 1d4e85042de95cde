"""How long, how fast and how high: lengths, speaking rate with outliers to click, pitch by speaker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from pages.components.dataset import clip_view
from pages.components.dataset.figures.histograms import durations
from pages.components.dataset.figures.pitches import pitch_by_speaker
from pages.components.dataset.figures.rates import outliers, rate_against_duration
from pages.components.dataset.inspection_job import Inspected
from pages.components.dataset.pictures import clips
from pages.components.theme import CHART_CONFIG
from piper_core.dataset.checks import LIMITS, limits_of

_RATE, _PITCH, _CLICKED = "rate_chart", "pitch_chart", "pictures_clicked"


def show(inspected: Inspected, folder: Path, language: str) -> None:
    """The pictures, and beside them the clip that was clicked."""
    rows, limits = inspected.rows, limits_of(inspected.report.checks)
    pictures, detail = st.columns([3, 2], gap="medium")
    with pictures:
        st.subheader("Length", anchor=False)
        st.caption("Good: one hill between 1 and 12 seconds. Bad: many clips at the edges, or a few very long ones.")
        figure = durations(
            rows["duration_s"].to_numpy(),
            shortest_s=limits["duration-short"].value,
            longest_s=limits["duration-long"].value,
        )
        st.plotly_chart(figure, config=CHART_CONFIG, key="lengths_chart", alt="Histogram of the clips' lengths")
        _show_rates(rows)
        _show_pitch(rows)
    with detail.container(border=True):
        clicked = st.session_state.get(_CLICKED)
        found = rows[rows["utterance_id"] == clicked] if clicked is not None else rows[:0]
        if found.empty:
            st.caption("Click a point to see and hear its clip here.")
            return
        clip = found.iloc[0].to_dict()
        clip_view.show(clip, inspected.findings_of(clip), folder, language)


def _show_rates(rows: Any) -> None:
    st.subheader("Speaking rate", anchor=False)
    known = clips.speaking_rates(rows)
    if known is None or not np.isfinite(known[0]).any():
        st.info("Known once the lengths of the clips are.", icon=":material/hourglass_empty:")
        return
    rates, unit = known
    iqrs = LIMITS["rate-fast"].value or 2.0
    speakers = rows["speaker"].tolist()
    beyond = outliers(rates, speakers, iqrs)
    few = f"{np.count_nonzero(beyond):,}" if beyond.any() else "None"
    st.caption(
        f"Good: a flat cloud. Bad: points far above it (the text says more than is spoken) or below it (it says less,"
        f" or there are long pauses). {few} of {len(rows):,} clips lie beyond {iqrs:g} times the middle half's width."
    )
    figure = rate_against_duration(
        rows["duration_s"].to_numpy(), rates, beyond, rows["utterance_id"].to_numpy(), unit=unit
    )
    _clickable(figure, _RATE, rows, f"Speaking rate in {unit} a second against length, {few} outliers marked")


def _show_pitch(rows: Any) -> None:
    st.subheader("Pitch", anchor=False)
    pitch_hz = clips.numbers(rows, "pitch_hz")
    if pitch_hz is None:
        st.info("Known once the pitch of the clips has been measured.", icon=":material/hourglass_empty:")
        return
    st.caption(
        "The median fundamental frequency of each clip. Good: a narrow box a speaker. Bad: points far off, perhaps"
        " another speaker; a speaker whose box is two voices wide."
    )
    figure = pitch_by_speaker(pitch_hz, rows["speaker"].tolist(), rows["utterance_id"].to_numpy())
    _clickable(figure, _PITCH, rows, "Box plot of the clips' pitch in hertz, a box a speaker")


def _clickable(figure: Any, key: str, rows: Any, alt: str) -> None:
    """Draw `figure`; a click on one of its points is kept as the clip to show."""

    def keep() -> None:
        points = st.session_state[key].selection.points
        place = next((clicked_place(point) for point in points), None)
        if place is not None and place < len(rows):
            st.session_state[_CLICKED] = rows["utterance_id"].iloc[place]

    st.plotly_chart(figure, config=CHART_CONFIG, key=key, alt=alt, on_select=keep, selection_mode="points")


def clicked_place(point: Any) -> int | None:
    """The position of a clicked point's clip; None for a point of a density, which is no clip."""
    data = point.get("customdata")
    if isinstance(data, dict):
        data = list(data.values())
    first = data[0] if isinstance(data, (list, tuple)) and data else None
    return int(first) if isinstance(first, (int, float)) and point.get("text") is not None else None
