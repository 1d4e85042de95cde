"""Loudness, noise and bandwidth along the recording: one level throughout, or another microphone half-way?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from pages.components.dataset.figures.order import along_recording
from pages.components.dataset.inspection_job import Inspected
from pages.components.dataset.pictures import clips
from pages.components.theme import CHART_CONFIG
from piper_core.dataset.change_points import ChangePoint, change_points

_MOST_TOLD = 6
_SAME_PLACE = 5
"""Steps of several measurements within that many clips are one event."""


@dataclass(frozen=True)
class Measure:
    """A measurement that should stay as it is from the first clip to the last."""

    column: str
    title: str
    unit: str
    step_unit: str
    least_change: float
    """A smaller step is not worth a word."""
    up: str
    down: str
    help: str
    scale: float = 1.0


MEASURES = (
    Measure("noise_dbfs", "Noise between the words", "dBFS", "dB", 3.0, "noisier", "less noisy",
            "The level of each clip's quietest moments. A step is another room, microphone or gain."),
    Measure("loudness_lufs", "Loudness", "LUFS", "LU", 1.5, "louder", "quieter",
            "Integrated loudness (ITU-R BS.1770-4). A step is another distance or gain; training likes one level."),
    Measure("bandwidth_hz", "Bandwidth", "kHz", "kHz", 1.0, "wider", "duller",
            "The highest frequency that is heard. A step down is another microphone, or files that were coded"
            " narrowly.", scale=0.001),
)  # fmt: skip


def show(inspected: Inspected) -> None:
    """A picture a measurement, and above them what their steps mean."""
    rows = inspected.rows
    st.caption(
        "Each clip in the order it was recorded. Good: a level band from left to right. Bad: a step, where a"
        " microphone, a room or a setting changed; a slope, where something drifted."
    )
    order = st.segmented_control(
        "Order", clips.ORDERS, default=clips.METADATA, required=True, key="pictures_order", persist_state="session"
    )
    places = clips.recording_order(rows, order or clips.METADATA)
    ids = rows["utterance_id"].to_numpy()[places]
    values = {
        measure.column: measure.scale * known[places]
        for measure in MEASURES
        if (known := clips.numbers(rows, measure.column)) is not None
    }
    steps = {
        measure.column: _steps(values[measure.column], measure.least_change)
        for measure in MEASURES
        if measure.column in values
    }
    if not values:
        st.info("These are known once the audio has been measured.", icon=":material/hourglass_empty:")
        return
    _show_stories(stories(steps, ids))
    for measure in MEASURES:
        if measure.column not in values:
            st.caption(f"{measure.title}: not measured.")
            continue
        found = steps[measure.column]
        figure = along_recording(
            values[measure.column], found, ids, title=measure.title, unit=measure.unit, step_unit=measure.step_unit
        )
        st.plotly_chart(
            figure,
            config=CHART_CONFIG,
            key=f"along_{measure.column}",
            alt=f"{measure.title} of {len(ids):,} clips in recording order, {len(found)} steps marked",
        )
        st.caption(measure.help)


@st.cache_data(max_entries=12, show_spinner=False)
def _steps(values: np.ndarray, least_change: float) -> list[ChangePoint]:
    return change_points(values, least_change=least_change)


def _show_stories(told: Sequence[str]) -> None:
    if not told:
        st.markdown("No step: each level stays as it is from the first clip to the last.")
        return
    st.markdown("\n".join(f"- {sentence}" for sentence in told[:_MOST_TOLD]))
    if len(told) > _MOST_TOLD:
        with st.expander(f"{len(told) - _MOST_TOLD} further steps"):
            st.markdown("\n".join(f"- {sentence}" for sentence in told[_MOST_TOLD:]))


def stories(steps: Mapping[str, Sequence[ChangePoint]], ids: Sequence[str] | np.ndarray) -> list[str]:
    """A sentence for each place where one or several measurements step: as “From clip 312 (id) on: 6 dB noisier …”."""
    every = sorted(
        ((step.index, place, measure, step)
         for place, measure in enumerate(MEASURES) for step in steps.get(measure.column, ())),
        key=lambda found: found[:2],
    )  # fmt: skip
    events: list[list[tuple[Measure, ChangePoint]]] = []
    for _, _, measure, step in every:
        if events and step.index - events[-1][0][1].index <= _SAME_PLACE:
            events[-1].append((measure, step))
        else:
            events.append([(measure, step)])
    told = []
    for event in events:
        first = event[0][1].index
        changes = ", ".join(
            f"{abs(step.change):.1f} {measure.step_unit} {measure.up if step.change > 0 else measure.down}"
            for measure, step in event
        )
        told.append(
            f"From clip {first + 1:,} (`{ids[first]}`) on: **{changes}**. {_guess({m.column for m, _ in event})}"
        )
    return told


def _guess(columns: set[str]) -> str:
    if columns == {"loudness_lufs"}:
        return "Another distance or gain?"
    if "bandwidth_hz" in columns:
        return "Another microphone, or files from another source?"
    return "A new microphone or room?"
