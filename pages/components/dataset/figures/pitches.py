"""Pitch by speaker."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from pages.components.theme import ACCENT, SECOND, apply_theme

MOST_SPEAKERS = 40
_MOST_OUTLIERS = 400
_TICKS_HZ = (50, 60, 80, 100, 120, 150, 180, 220, 260, 300, 350, 400, 500, 600)


def pitch_by_speaker(pitch_hz: np.ndarray, speakers: Sequence[str | None], ids: Sequence[str]) -> go.Figure:
    """A box a speaker, of the clips' median F0 [N] in Hz: quartiles, the reach of 1.5 IQR (Tukey), and clips beyond.

    The axis is logarithmic, as hearing is: an octave has the same height everywhere. Of many speakers the 40 with most
    clips are shown, low voices first.
    """
    pitch_hz = np.asarray(pitch_hz, dtype=float)
    names = np.array(["all clips" if speaker is None else str(speaker) for speaker in speakers])
    known = np.isfinite(pitch_hz) & (pitch_hz > 0)
    labels, counts = np.unique(names[known], return_counts=True)
    kept = labels[np.argsort(-counts, kind="stable")[:MOST_SPEAKERS]]
    places = {name: np.flatnonzero(known & (names == name)) for name in kept}
    ordered = sorted(places, key=lambda name: float(np.median(pitch_hz[places[name]])))
    boxes, beyond = [], []
    for name in ordered:
        own = pitch_hz[places[name]]
        low, middle, high = np.quantile(own, [0.25, 0.5, 0.75])
        reach = 1.5 * (high - low)
        inside = own[(own >= low - reach) & (own <= high + reach)]
        boxes.append((low, middle, high, inside.min(), inside.max()))
        beyond.append(places[name][(own < low - reach) | (own > high + reach)])
    figure = go.Figure()
    if boxes:
        low, middle, high, least, most = np.round(np.array(boxes).T, 1)
        figure.add_trace(
            go.Box(
                x=ordered, q1=low, median=middle, q3=high, lowerfence=least, upperfence=most,
                name="speakers", marker_color=ACCENT, fillcolor="rgba(31,138,158,0.3)", line_width=1.5,
            )
        )  # fmt: skip
    far = np.concatenate(beyond).astype(int)[:_MOST_OUTLIERS] if beyond else np.zeros(0, int)
    if far.size:
        figure.add_scatter(
            x=names[far].tolist(),
            y=np.round(pitch_hz[far], 1).astype(np.float32),
            text=[ids[int(at)] for at in far],
            customdata=far.astype(np.int32)[:, None],
            mode="markers",
            name="far from the speaker's others",
            marker={"color": SECOND, "size": 7, "opacity": 0.9},
            hovertemplate="%{text}: %{y:.0f} Hz<extra></extra>",
        )
    apply_theme(figure, "Pitch of the voice", height=340)
    figure.update_yaxes(title_text="Hz", type="log", tickvals=_TICKS_HZ, ticktext=[f"{hz}" for hz in _TICKS_HZ])
    figure.update_xaxes(showgrid=False, type="category")
    return figure.update_layout(showlegend=False, clickmode="event+select", dragmode=False)
