"""How long and how loud the clips are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from pages.components.theme import ACCENT, MUTED, SECOND, apply_theme


def durations(
    duration_s: Sequence[float], *, shortest_s: float | None = None, longest_s: float | None = None
) -> go.Figure:
    """How long the clips are: a histogram of seconds, with the limits that a finding is raised at."""
    figure = histogram(duration_s, "s", "Length of the clips", "seconds")
    for limit, label in ((shortest_s, "too short"), (longest_s, "long")):
        mark_limit(figure, limit, label, duration_s)
    return figure


def loudness(loudness_lufs: Sequence[float]) -> go.Figure:
    """How loud the clips are: a histogram of integrated loudness (ITU-R BS.1770-4), with the median marked."""
    figure = histogram(loudness_lufs, "LUFS", "Loudness of the clips", "LUFS")
    values = finite(loudness_lufs)
    if values.size:
        mark_limit(figure, float(np.median(values)), "median", values)
    return figure


def finite(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """`values` [N] without those that are no number."""
    numbers = np.asarray(values, dtype=float)
    return numbers[np.isfinite(numbers)]


def histogram(values: Sequence[float] | np.ndarray, unit: str, title: str, axis: str) -> go.Figure:
    """Bars of counts, made here: the browser gets a few bars, however many clips there are."""
    numbers = finite(values)
    bins = min(40, max(8, int(np.sqrt(numbers.size))))
    counts, edges = np.histogram(numbers, bins) if numbers.size else (np.zeros(0, int), np.zeros(1))
    left, right = edges[:-1], edges[1:]
    figure = go.Figure(
        go.Bar(
            x=(left + right) / 2,
            y=counts,
            width=right - left,
            marker_color=ACCENT,
            customdata=np.stack([left, right], axis=1),
            hovertemplate="%{customdata[0]:.1f} to %{customdata[1]:.1f} " + unit + ": %{y} clips<extra></extra>",
        )
    )
    apply_theme(figure, title, height=240)
    figure.update_xaxes(title_text=axis, showgrid=False)
    return figure.update_yaxes(title_text="clips")


def mark_limit(figure: go.Figure, at: float | None, label: str, values: Sequence[float] | np.ndarray) -> None:
    """A dashed line where the limit lies inside, or near, what is shown: a far one would squeeze the bars."""
    numbers = finite(values)
    if at is None or not numbers.size:
        return
    reach = float(np.ptp(numbers)) or 1.0
    if numbers.min() - 0.25 * reach <= at <= numbers.max() + 0.25 * reach:
        figure.add_vline(
            x=at,
            line={"color": MUTED, "dash": "dash", "width": 1},
            annotation={"text": label, "font": {"size": 11, "color": MUTED}, "yanchor": "bottom"},
            annotation_position="top",
        )


def cut_histogram(
    values: Sequence[float] | np.ndarray,
    beyond: np.ndarray,
    threshold: float,
    usual: float,
    reach: tuple[float, float],
    unit: str,
    title: str,
) -> go.Figure:
    """Where a limit cuts the clips: those `beyond` [N] it in another colour; `reach` is the axis, in `unit`.

    A bar that the limit crosses is shown in both colours, each for its share of the clips.
    """
    numbers = np.asarray(values, dtype=float)
    shown = np.isfinite(numbers) & (numbers >= reach[0]) & (numbers <= reach[1])
    edges = np.linspace(*reach, 61)
    middles, width = (edges[:-1] + edges[1:]) / 2, edges[1] - edges[0]
    figure = go.Figure()
    for name, of, colour in (("within", shown & ~beyond, ACCENT), ("beyond", shown & beyond, SECOND)):
        figure.add_bar(
            x=middles,
            y=np.histogram(numbers[of], edges)[0],
            width=width,
            name=name,
            marker_color=colour,
            customdata=np.stack([edges[:-1], edges[1:]], axis=1),
            hovertemplate="%{customdata[0]:.4g} to %{customdata[1]:.4g} " + unit + ": %{y} " + name + "<extra></extra>",
        )
    apply_theme(figure, title, height=240)
    figure.update_layout(barmode="stack", showlegend=False)
    # The numbers stand inside, so that the axis is as wide as the slider beneath it.
    figure.update_yaxes(ticklabelposition="inside", title_text=None)
    figure.update_xaxes(range=list(reach), showgrid=False)
    for at, dash, label in ((usual, "dot", "usual"), (threshold, "solid", "limit")):
        if np.isfinite(at) and reach[0] <= at <= reach[1] and (label == "limit" or at != threshold):
            figure.add_vline(
                x=at,
                line={"color": SECOND if label == "limit" else MUTED, "dash": dash, "width": 2},
                annotation={"text": label, "font": {"size": 11, "color": MUTED}, "yanchor": "bottom"},
                annotation_position="top",
            )
    return figure
