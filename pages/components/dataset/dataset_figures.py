"""Figures of a dataset and of one clip: values in, a Plotly figure out, no Streamlit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from pages.components.theme import ACCENT, MUTED, SEVERITY, SPECTRUM, apply_theme

SEVERITY_ORDER = ("error", "warning", "info")
_MAX_SPECTRUM_FRAMES = 800
"""More columns than a screen shows are put together before they travel to the browser."""


def durations(
    duration_s: Sequence[float], *, shortest_s: float | None = None, longest_s: float | None = None
) -> go.Figure:
    """How long the clips are: a histogram of seconds, with the limits that a finding is raised at."""
    figure = _histogram(duration_s, "s", "Length of the clips", "seconds")
    for limit, label in ((shortest_s, "too short"), (longest_s, "long")):
        _limit(figure, limit, label, duration_s)
    return figure


def loudness(loudness_lufs: Sequence[float]) -> go.Figure:
    """How loud the clips are: a histogram of integrated loudness (ITU-R BS.1770-4), with the median marked."""
    figure = _histogram(loudness_lufs, "LUFS", "Loudness of the clips", "LUFS")
    values = _finite(loudness_lufs)
    if values.size:
        _limit(figure, float(np.median(values)), "median", values)
    return figure


def findings_by_kind(counts: Mapping[tuple[str, str], int]) -> go.Figure:
    """How often each kind of finding was raised, worst kind on top.

    `counts` maps (code, severity) to a number; within a severity the most frequent comes first.
    """
    ordered = sorted(counts.items(), key=lambda item: (SEVERITY_ORDER.index(item[0][1]), -item[1], item[0][0]))
    figure = go.Figure()
    for severity in SEVERITY_ORDER:
        rows = [(code, count) for (code, own), count in ordered if own == severity]
        if rows:
            figure.add_bar(
                y=[code for code, _ in rows],
                x=[count for _, count in rows],
                name=severity,
                orientation="h",
                marker_color=SEVERITY[severity],
                width=0.6,
                text=[f"{count:,}" for _, count in rows],
                textposition="outside",
                cliponaxis=False,
                hovertemplate="%{y}: %{x:,}<extra>" + severity + "</extra>",
            )
    codes = list(dict.fromkeys(code for (code, _), _ in ordered))
    apply_theme(figure, height=50 + 34 * len(codes))
    figure.update_layout(barmode="stack", showlegend=False)
    figure.update_yaxes(categoryorder="array", categoryarray=codes[::-1])
    most = max((sum(n for (code, _), n in ordered if code == own) for own in codes), default=1)
    # Room for the number at the end of the longest bar.
    figure.update_xaxes(showgrid=False, showticklabels=False, range=[0, 1.25 * most])
    return figure


def waveform(low: np.ndarray, high: np.ndarray, duration_s: float) -> go.Figure:
    """A clip's envelope: per point the least and the greatest sample, [-1, 1], over `duration_s` seconds.

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
    apply_theme(figure, "Waveform", height=170)
    reach = max(1.0, float(np.abs(high).max(initial=0.0)), float(np.abs(low).max(initial=0.0)))
    figure.update_yaxes(range=[-1.05 * reach, 1.05 * reach], tickvals=[-1, 0, 1], showgrid=False)
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
    apply_theme(figure, "Mel spectrogram", height=230)
    figure.update_yaxes(tickvals=[0, bands // 2, bands], showgrid=False)
    return _over_time(figure, duration_s)


def _over_time(figure: go.Figure, duration_s: float) -> go.Figure:
    """The same margins for every figure of a clip, so that what sounds together stands one above the other."""
    figure.update_xaxes(range=[0, duration_s], ticksuffix=" s", automargin=False, showgrid=False)
    figure.update_yaxes(automargin=False)
    return figure.update_layout(margin={"l": 32, "b": 28})


def _finite(values: Sequence[float] | np.ndarray) -> np.ndarray:
    numbers = np.asarray(values, dtype=float)
    return numbers[np.isfinite(numbers)]


def _histogram(values: Sequence[float], unit: str, title: str, axis: str) -> go.Figure:
    numbers = _finite(values)
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
    return figure


def _limit(figure: go.Figure, at: float | None, label: str, values: Sequence[float] | np.ndarray) -> None:
    """A dashed line where the limit lies inside, or near, what is shown: a far one would squeeze the bars."""
    numbers = _finite(values)
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
