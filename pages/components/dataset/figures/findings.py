"""How often each kind of finding was raised."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from pages.components.theme import SEVERITY, apply_theme

SEVERITY_ORDER = ("error", "warning", "info")


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
    apply_theme(figure, "Clips with each finding", height=80 + 34 * len(codes))
    figure.update_layout(barmode="stack", showlegend=False)
    figure.update_yaxes(categoryorder="array", categoryarray=codes[::-1])
    most = max((sum(n for (code, _), n in ordered if code == own) for own in codes), default=1)
    # Room for the number at the end of the longest bar.
    figure.update_xaxes(showgrid=False, showticklabels=False, range=[0, 1.25 * most])
    return figure
