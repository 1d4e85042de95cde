"""The one look of every chart.

Streamlit's own Plotly theme follows the page between light and dark: it sets fonts, text, grid and background. What is
set here holds for both, so every colour has a contrast of at least 3:1 on the light and on the dark background
(WCAG 2.1, 1.4.11), which a test measures.
"""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

LIGHT_BACKGROUND = "#FFFFFF"
DARK_BACKGROUND = "#10191D"
"""As in .streamlit/config.toml."""

ACCENT = "#1F8A9E"
SECOND = "#C9742A"
THIRD = "#8270C4"
FOURTH = "#3E9467"
FIFTH = "#C95C4E"
SIXTH = "#5B87B8"
CATEGORICAL = (ACCENT, SECOND, THIRD, FOURTH, FIFTH, SIXTH)
"""Series in their order."""
POINT_OPACITY = 0.8
"""Of points that lie over each other; through it, too, the accent keeps its contrast on both backgrounds."""
MUTED = "#7A8C92"
"""Thresholds, guides, what is not the point."""
SEVERITY = {"error": "#D04F47", "warning": "#B97A1C", "info": "#4A86C5"}
"""A finding's severity."""
SPECTRUM = [
    [0.0, "#0B1418"],
    [0.25, "#114A5A"],
    [0.5, "#1F8A9E"],
    [0.75, "#8FC98F"],
    [1.0, "#FBF3C4"],
]
"""A spectrogram's colours, quiet to loud; lightness rises all the way, so that it reads in grey too."""

CHART_CONFIG: dict[str, Any] = {"displaylogo": False, "displayModeBar": False, "responsive": True}
"""`config=` of st.plotly_chart for a chart that is only looked at."""


def apply_theme(figure: go.Figure, title: str | None = None, *, height: int = 280) -> go.Figure:
    """Give `figure` the common look, `title` above it and `height` pixels; returns the same figure."""
    figure.update_layout(
        title={"text": title or "", "x": 0, "xanchor": "left", "font": {"size": 15}},
        height=height,
        margin={"l": 8, "r": 8, "t": 44 if title else 12, "b": 8},
        colorway=list(CATEGORICAL),
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        bargap=0.06,
        hovermode="closest",
        hoverlabel={"align": "left"},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "title": {"text": ""}},
    )
    figure.update_xaxes(zeroline=False, automargin=True, title_standoff=8)
    figure.update_yaxes(zeroline=False, automargin=True, title_standoff=14)
    return figure
