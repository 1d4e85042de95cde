"""One clip: its waveform and its mel spectrogram, one above the other."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from pages.components.theme import ACCENT, MUTED, SPECTRUM, apply_theme

_MAX_SPECTRUM_FRAMES = 800
"""More columns than a screen shows are put together before they travel to the browser."""


def waveform(
    low: np.ndarray, high: np.ndarray, duration_s: float, kept_s: tuple[float, float] | None = None
) -> go.Figure:
    """A clip's envelope: per point the least and the greatest sample, [-1, 1], over `duration_s` seconds.

    What lies outside `kept_s`, seconds from and to, is shaded: training cuts it off.
    `low` and `high`: float arrays of one length. The axis shows full scale, so that a quiet clip looks quiet.
    """
    time_s = np.round(np.linspace(0.0, duration_s, num=len(low), endpoint=False), 4)
    figure = go.Figure()
    figure.add_scatter(
        x=time_s, y=np.round(low, 4), mode="lines", line={"width": 0}, hoverinfo="skip", showlegend=False
    )
    figure.add_scatter(
        x=time_s,
        y=np.round(high, 4),
        mode="lines",
        line={"width": 1, "color": ACCENT},
        fill="tonexty",
        fillcolor="rgba(31,138,158,0.75)",
        hovertemplate="%{x:.2f} s: %{y:.2f}<extra></extra>",
        showlegend=False,
    )
    apply_theme(figure, "Waveform, full scale is 1", height=170)
    reach = max(1.0, float(np.abs(high).max(initial=0.0)), float(np.abs(low).max(initial=0.0)))
    figure.update_yaxes(range=[-1.05 * reach, 1.05 * reach], tickvals=[-1, 0, 1], showgrid=False)
    for start_s, end_s in ((0.0, kept_s[0]), (kept_s[1], duration_s)) if kept_s else ():
        if end_s > start_s:
            figure.add_vrect(x0=start_s, x1=end_s, fillcolor=MUTED, opacity=0.35, line_width=0, layer="above")
    return _over_time(figure, duration_s)


def mel_spectrogram(mel_db: np.ndarray, duration_s: float, *, top_db: float = 80.0) -> go.Figure:
    """A clip's mel spectrogram, `mel_db` [bands, frames] in dB; the loudest `top_db` below its peak are shown."""
    bands, frames = mel_db.shape
    if frames > _MAX_SPECTRUM_FRAMES:
        edges = np.linspace(0, frames, _MAX_SPECTRUM_FRAMES, endpoint=False).astype(int)
        mel_db = np.maximum.reduceat(mel_db, edges, axis=1)
    peak = float(mel_db.max(initial=-np.inf))
    peak = peak if np.isfinite(peak) else 0.0
    shown = np.clip(np.nan_to_num(mel_db - peak, nan=-top_db, posinf=0.0, neginf=-top_db), -top_db, 0.0)
    columns = shown.shape[1]
    figure = go.Figure(
        go.Heatmap(
            z=np.round(shown).astype(np.int8),
            x=np.round((np.arange(columns) + 0.5) * duration_s / max(columns, 1), 4),
            y=np.arange(bands),
            colorscale=SPECTRUM,
            zmin=-top_db,
            zmax=0,
            showscale=False,
            hovertemplate="%{x:.2f} s, band %{y}: %{z} dB<extra></extra>",
        )
    )
    apply_theme(figure, f"Mel spectrogram, {bands} bands, {top_db:.0f} dB", height=230)
    figure.update_yaxes(tickvals=[0, bands // 2, bands], showgrid=False)
    return _over_time(figure, duration_s)


def _over_time(figure: go.Figure, duration_s: float) -> go.Figure:
    """The same margins for every figure of a clip, so that what sounds together stands one above the other."""
    figure.update_xaxes(range=[0, duration_s], ticksuffix=" s", automargin=False, showgrid=False)
    figure.update_yaxes(automargin=False)
    return figure.update_layout(margin={"l": 32, "b": 28})
