"""Figures of a training run: curves in, a Plotly figure out, no Streamlit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from pages.components.theme import CATEGORICAL, apply_theme

Points = Callable[[str], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Curve:
    """A quantity over training: `steps` [N] rising, `values` [N]."""

    name: str
    steps: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class ChartOfLosses:
    """Losses that are read together."""

    title: str
    names: tuple[str, ...]
    """As metrics.jsonl has them."""
    meaning: str
    """For people who ask what a good curve looks like."""


LOSS_CHARTS = (
    ChartOfLosses(
        "Mel loss",
        ("mel", "val_mel"),
        "How far the made sound is from the recording. It falls fast, then flattens; the voice goes on improving after"
        " that, so don't stop on this curve alone: listen to the samples.",
    ),
    ChartOfLosses(
        "Text and durations",
        ("kl", "dur"),
        "How well the text predicts the sound (kl) and the length of each phoneme (dur). Both fall, then level out.",
    ),
    ChartOfLosses(
        "Adversarial",
        ("gen", "disc", "fm", "mrd_gen", "mrd_disc", "mrd_fm"),
        "A contest of two networks (gen, disc; fm compares their features), so no curve falls to zero. Level curves are"
        " healthy; one that runs away is not.",
    ),
    ChartOfLosses(
        "Sums",
        ("loss_g", "loss_d"),
        "All that the generator (loss_g) and the discriminators (loss_d) are trained on, weighted and added up.",
    ),
)

LABELS = {
    "mel": "training",
    "val_mel": "validation",
    "kl": "text to sound",
    "dur": "durations",
    "gen": "generator",
    "disc": "discriminators",
    "fm": "features",
    "mrd_gen": "generator, spectra",
    "mrd_disc": "discriminators, spectra",
    "mrd_fm": "features, spectra",
    "loss_g": "generator",
    "loss_d": "discriminators",
}
HEIGHT = 320
"""Of every figure, in pixels."""
_RARE = 60
"""A curve of fewer points shows each of them."""


def curves(points: Points, names: Sequence[str]) -> list[Curve]:
    """The measured ones of `names`, in that order. `points` gives a name's steps and values, as MetricsTable.points."""
    found = []
    for name in names:
        steps, values = points(name)
        measured = np.isfinite(values)
        if measured.any():
            found.append(Curve(name, steps[measured], values[measured]))
    return found


def smooth(steps: np.ndarray, values: np.ndarray, weight: float) -> np.ndarray:
    """An exponential moving average of `values` [N], without the usual pull towards zero at the start.

    `weight` in [0, 1) is the share kept over the typical distance between two points; over a longer one less is kept,
    so that a curve that was thinned out is smoothed like the whole one. Bias correction: Kingma & Ba 2015, section 3.
    """
    if weight <= 0 or len(values) < 2:
        return np.asarray(values, dtype=float)
    gaps = np.diff(steps, prepend=steps[0])
    typical = float(np.median(gaps[1:])) or 1.0
    kept = weight ** np.clip(gaps / typical, 0.0, None)
    kept[0] = weight
    smoothed = np.empty(len(values))
    total = norm = 0.0
    for i, (value, share) in enumerate(zip(values, kept, strict=True)):
        total = share * total + (1 - share) * value
        norm = share * norm + (1 - share)
        smoothed[i] = total / norm if norm > 0 else value
    return smoothed


def losses(
    shown: Sequence[Curve], title: str, *, smoothing: float = 0.0, log_axis: bool = False, revision: str = ""
) -> go.Figure:
    """`shown` over the steps: each smoothed, with what was measured faint behind it.

    With the same `revision` a chart that is drawn again keeps the zoom of the one before. On a `log_axis` values of
    zero and below have no place and are left out.
    """
    figure = go.Figure()
    for curve, colour in zip(shown, CATEGORICAL, strict=False):
        label = LABELS.get(curve.name, curve.name)
        rare = len(curve.values) < _RARE
        if smoothing > 0 and not rare:
            figure.add_scatter(
                x=curve.steps,
                y=_single(curve.values),
                mode="lines",
                line={"width": 1, "color": colour},
                opacity=0.25,
                hoverinfo="skip",
                showlegend=False,
                legendgroup=curve.name,
            )
        figure.add_scatter(
            x=curve.steps,
            y=_single(curve.values if rare else smooth(curve.steps, curve.values, smoothing)),
            mode="lines+markers" if rare else "lines",
            line={"width": 2, "color": colour},
            marker={"size": 6},
            name=label,
            legendgroup=curve.name,
            hovertemplate="step %{x:,}: %{y:.4g}<extra>" + label + "</extra>",
        )
    return _over_steps(figure, title, log_axis=log_axis, revision=revision)


def learning_rate(shown: Sequence[Curve], *, revision: str = "") -> go.Figure:
    """The generator's learning rate over the steps, the one curve of `shown`."""
    figure = go.Figure()
    for curve in shown:
        figure.add_scatter(
            x=curve.steps,
            y=curve.values,
            mode="lines",
            line={"width": 2, "color": CATEGORICAL[0], "shape": "hv"},
            hovertemplate="step %{x:,}: %{y:.4g}<extra></extra>",
        )
    _over_steps(figure, "Learning rate of the generator", log_axis=False, revision=revision)
    figure.update_yaxes(exponentformat="power")
    return figure


def _over_steps(figure: go.Figure, title: str, *, log_axis: bool, revision: str) -> go.Figure:
    apply_theme(figure, title, height=HEIGHT)
    # The legend goes between the title and the curves.
    figure.update_layout(margin_t=72, title={"yref": "container", "y": 0.97, "yanchor": "top"})
    # Another axis type has another zoom.
    figure.update_layout(uirevision=f"{revision}|{log_axis}", hovermode="x unified", showlegend=len(figure.data) > 1)
    figure.update_xaxes(title_text="step", tickformat="~s", rangemode="nonnegative")
    # With a format of its own a log axis writes 50 where Plotly would write 5.
    figure.update_yaxes(type="log", tickformat=".3~g") if log_axis else figure.update_yaxes(type="linear")
    return figure


def _single(values: np.ndarray) -> np.ndarray:
    # Half the bytes to the browser, and more digits than a screen shows.
    return np.asarray(values, dtype=np.float32)
