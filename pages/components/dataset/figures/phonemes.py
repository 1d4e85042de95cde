"""How often each sound of the language occurs in the texts."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import plotly.graph_objects as go

from pages.components.theme import ACCENT, MUTED, SEVERITY, apply_theme

MOST_SOUNDS = 110


def sounds_counted(counts: Mapping[str, int], usual: Collection[str], *, wanted: int, texts: int) -> go.Figure:
    """A bar a sound, in the order of the language's own frequencies; those under `wanted` in a warning's colour.

    Missing ones are crosses on the ground line, where no bar would be seen. Sounds
    that are not `usual` in the language come last, muted.
    """
    shown = [*usual, *(sound for sound in counts if sound not in usual)][:MOST_SOUNDS]
    kinds = (
        (f"{wanted} times and more", ACCENT, [s for s in usual if counts.get(s, 0) >= wanted]),
        (f"fewer than {wanted}", SEVERITY["warning"], [s for s in usual if 0 < counts.get(s, 0) < wanted]),
        ("rare in the language, or foreign", MUTED, [s for s in shown if s not in usual]),
    )
    figure = go.Figure()
    for name, colour, chosen in kinds:
        if chosen:
            figure.add_bar(
                x=chosen,
                y=[counts[sound] for sound in chosen],
                name=name,
                marker_color=colour,
                hovertemplate="%{x}: %{y:,} times<extra>" + name + "</extra>",
            )
    missing = [sound for sound in usual if not counts.get(sound)]
    if missing:
        figure.add_scatter(
            x=missing,
            y=[1] * len(missing),
            name="missing",
            mode="markers",
            marker={"color": SEVERITY["error"], "symbol": "x", "size": 11},
            hovertemplate="%{x}: missing<extra></extra>",
        )
    apply_theme(figure, height=320)
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=shown, showgrid=False, tickangle=0)
    figure.update_yaxes(type="log", title_text=f"times in {texts:,} texts", dtick=1)
    return figure.update_layout(barmode="overlay", dragmode=False, margin={"t": 44})
