"""Letters and words: what the texts are made of."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import plotly.graph_objects as go

from pages.components.theme import ACCENT, SEVERITY, apply_theme

MOST_CHARACTERS = 90
_MOST_RANKS = 300


def alphabet(counts: Sequence[tuple[str, int]], odd: Collection[str]) -> go.Figure:
    """How often each character occurs, the most frequent first; `odd` ones in the colour of a warning.

    Of very many characters the frequent ones are shown and, however rare, the odd ones.
    """
    ordered = sorted(counts, key=lambda item: -item[1])
    room = max(0, MOST_CHARACTERS - sum(character in odd for character, _ in ordered))
    usual = {character for character, _ in [item for item in ordered if item[0] not in odd][:room]}
    shown = [item for item in ordered if item[0] in usual or item[0] in odd][: 2 * MOST_CHARACTERS]
    names = [visible(character) for character, _ in shown]
    figure = go.Figure()
    for name, colour, chosen in (("usual", ACCENT, False), ("to look at", SEVERITY["warning"], True)):
        rows = [at for at, (character, _) in enumerate(shown) if (character in odd) == chosen]
        if rows:
            figure.add_bar(
                x=[names[at] for at in rows],
                y=[shown[at][1] for at in rows],
                name=name,
                marker_color=colour,
                hovertemplate="%{x}: %{y:,} times<extra>" + name + "</extra>",
            )
    apply_theme(figure, height=280)
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=names, showgrid=False, tickangle=0)
    figure.update_yaxes(type="log", title_text="times", dtick=1)
    return figure.update_layout(barmode="overlay", dragmode=False, margin={"t": 40})


def visible(character: str) -> str:
    """A character as it can be read on an axis: those without a shape by their number."""
    return character if character.isprintable() and not character.isspace() else f"U+{ord(character):04X}"


def word_frequencies(counts: np.ndarray, words: Sequence[str]) -> go.Figure:
    """How often the word of each rank occurs, both axes logarithmic: in speech a straight falling line (Zipf).

    `counts` [W] falls, `words` are theirs.
    """
    ranks = _spaced(len(counts))
    figure = go.Figure(
        go.Scatter(
            x=ranks + 1,
            y=np.asarray(counts)[ranks],
            text=[words[int(at)] for at in ranks],
            mode="lines+markers",
            line={"color": ACCENT, "width": 1.5},
            marker={"color": ACCENT, "size": 5},
            hovertemplate="%{text}: %{y:,} times, rank %{x:,}<extra></extra>",
        )
    )
    apply_theme(figure, "Words by how often they occur", height=280)
    figure.update_xaxes(type="log", title_text="rank", dtick=1)
    figure.update_yaxes(type="log", title_text="times", dtick=1)
    return figure.update_layout(dragmode=False)


def vocabulary_growth(read: np.ndarray, distinct: np.ndarray) -> go.Figure:
    """Distinct words against words read: where the line goes flat, more of the same text teaches few new words."""
    figure = go.Figure(
        go.Scatter(
            x=read,
            y=distinct,
            mode="lines",
            line={"color": ACCENT, "width": 2},
            hovertemplate="after %{x:,} words: %{y:,} different ones<extra></extra>",
        )
    )
    apply_theme(figure, "How the vocabulary grows", height=280)
    figure.update_xaxes(title_text="words read", rangemode="tozero")
    figure.update_yaxes(title_text="different words", rangemode="tozero")
    return figure.update_layout(dragmode=False)


def _spaced(count: int) -> np.ndarray:
    """Places from 0 to `count` - 1, evenly spaced on a logarithmic axis."""
    if count <= _MOST_RANKS:
        return np.arange(count)
    return np.unique(np.geomspace(1, count, _MOST_RANKS).round().astype(int)) - 1
