"""Speaking rate against duration: whoever says too much or too little for the time is an outlier to listen to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from pages.components.theme import ACCENT, POINT_OPACITY, SECOND, apply_theme

DENSITY = [[0.0, "rgba(31,138,158,0)"], [0.001, "rgba(31,138,158,0.18)"], [1.0, "rgba(31,138,158,1)"]]
"""How many clips: nothing shows the page, much shows the accent; it reads on both backgrounds."""
MOST_POINTS = 2000
"""More clips than that are drawn as a density."""
MOST_OUTLIERS = 1500
_BINS = (90, 60)


def outliers(rates: np.ndarray, speakers: Sequence[str | None], iqrs: float) -> np.ndarray:
    """Signed distance of each rate [N] outside its speaker's Q1 - `iqrs` IQR .. Q3 + `iqrs` IQR, in IQRs; 0 inside.

    The rule of Piper's filter_utterances. NaN stays 0; a speaker needs four clips.
    """
    rates = np.asarray(rates, dtype=float)
    beyond = np.zeros(rates.size)
    labels, groups = np.unique(np.array([str(speaker) for speaker in speakers]), return_inverse=True)
    for group in range(labels.size):
        own = np.flatnonzero((groups == group) & np.isfinite(rates))
        if own.size < 4:
            continue
        low, high = np.quantile(rates[own], [0.25, 0.75])
        iqr = float(high - low)
        if iqr > 0:
            above = np.maximum(0.0, rates[own] - (high + iqrs * iqr))
            below = np.maximum(0.0, (low - iqrs * iqr) - rates[own])
            beyond[own] = (above - below) / iqr
    return beyond


def rate_against_duration(
    duration_s: np.ndarray, rates: np.ndarray, beyond: np.ndarray, ids: Sequence[str], *, unit: str
) -> go.Figure:
    """Clips by seconds and `rates` (in `unit` a second); those with `beyond` other than 0 stand out.

    Arrays [N]. Points carry the clip's position in `customdata`, so that a click tells which it is.
    """
    duration_s, rates, beyond = (np.asarray(values, dtype=float) for values in (duration_s, rates, beyond))
    known = np.isfinite(duration_s) & np.isfinite(rates)
    usual = np.flatnonzero(known & (beyond == 0))
    odd = np.flatnonzero(known & (beyond != 0))
    shown = odd[np.argsort(-np.abs(beyond[odd]), kind="stable")[:MOST_OUTLIERS]]
    figure = go.Figure()
    if usual.size > MOST_POINTS:
        _density(figure, duration_s[usual], rates[usual], unit)
    else:
        _points(figure, usual, duration_s, rates, ids, (f"usual ({usual.size:,})", ACCENT, 6, POINT_OPACITY), unit)
    how_many = f"{odd.size:,}" if odd.size == shown.size else f"the {shown.size:,} furthest of {odd.size:,}"
    _points(
        figure, shown, duration_s, rates, ids, (f"far from the speaker's others ({how_many})", SECOND, 8, 0.95), unit
    )
    apply_theme(figure, height=360)
    figure.update_xaxes(title_text="seconds", rangemode="tozero")
    figure.update_yaxes(title_text=f"{unit} a second of speech")
    # Room for the legend, which tells the colours apart in words.
    return figure.update_layout(clickmode="event+select", dragmode=False, showlegend=True, margin={"t": 40})


def _density(figure: go.Figure, x: np.ndarray, y: np.ndarray, unit: str) -> None:
    counts, x_edges, y_edges = np.histogram2d(x, y, bins=_BINS)
    figure.add_trace(
        go.Heatmap(
            # The logarithm, so that one clip is seen beside a thousand.
            z=np.round(np.log1p(counts.T), 2).astype(np.float32),
            customdata=counts.T.astype(np.int32),
            x=_middles(x_edges),
            y=_middles(y_edges),
            colorscale=DENSITY,
            zmin=0,
            showscale=False,
            name="clips",
            hovertemplate="%{x:.1f} s, %{y:.1f} " + unit + "/s: %{customdata} clips<extra></extra>",
        )
    )


def _points(
    figure: go.Figure,
    chosen: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    ids: Sequence[str],
    look: tuple[str, str, int, float],
    unit: str,
) -> None:
    name, colour, size, opacity = look
    if not chosen.size:
        return
    figure.add_scatter(
        x=np.round(x[chosen], 2).astype(np.float32),
        y=np.round(y[chosen], 2).astype(np.float32),
        customdata=chosen.astype(np.int32)[:, None],
        text=[ids[int(at)] for at in chosen],
        mode="markers",
        name=name,
        marker={"color": colour, "size": size, "opacity": opacity},
        unselected={"marker": {"opacity": opacity}},
        selected={"marker": {"size": size + 6}},
        hovertemplate="%{text}<br>%{x:.1f} s, %{y:.1f} " + unit + "/s<extra></extra>",
    )


def _middles(edges: np.ndarray) -> np.ndarray:
    return np.round((edges[:-1] + edges[1:]) / 2, 3).astype(np.float32)
