"""A Plotly chart that is redrawn in place: it keeps zoom and hover while a page polls, and does not flicker.

`st.plotly_chart` makes a new element of each new figure, so every poll would throw the zoom away. This component hands
the figure to `Plotly.react` instead, which keeps the zoom as long as the figure's `uirevision` stays the same. The
library is the one inside the plotly package; it travels to the browser once, so nothing is fetched from elsewhere.
"""

from __future__ import annotations

import functools
from pathlib import Path

import plotly
import streamlit as st

_HTML = "<div class='live-chart' style='width: 100%'></div>"
_CHART = """
const waiting = (ready) => window.Plotly ? ready() : setTimeout(() => waiting(ready), 50);

export default function ({ data, parentElement }) {
  const chart = parentElement.querySelector(".live-chart");
  const theme = getComputedStyle(chart);
  const colour = (name, fallback) => theme.getPropertyValue(name).trim() || fallback;
  const figure = JSON.parse(data.figure);
  const text = colour("--st-text-color", "#17262B");
  const lines = colour("--st-border-color", "#D9E2E4");
  const axis = { gridcolor: lines, linecolor: lines, tickcolor: lines, color: text };
  const layout = { ...figure.layout, autosize: true };
  layout.font = { ...layout.font, family: colour("--st-font", "sans-serif"), color: text, size: 12 };
  layout.hoverlabel = { ...layout.hoverlabel, bgcolor: colour("--st-background-color", "#FFFFFF"),
                        bordercolor: lines, font: { color: text } };
  for (const name of ["xaxis", "yaxis"]) layout[name] = { ...axis, ...layout[name] };
  if (layout.title?.text) layout.title = { ...layout.title, text: `<b>${layout.title.text}</b>` };
  const config = { displaylogo: false, showSendToCloud: false, responsive: true,
                   modeBarButtonsToRemove: ["lasso2d", "select2d", "sendChartToCloud"] };
  chart.style.height = `${layout.height}px`;
  chart.setAttribute("role", "figure");
  chart.setAttribute("aria-label", data.alt);
  waiting(() => {
    if (!chart.isConnected) return;
    window.Plotly.react(chart, figure.data, layout, config);
    if (chart.sizes) return;
    // The window keeps its size when the sidebar opens; the chart does not.
    chart.sizes = new ResizeObserver(() => chart.clientWidth && window.Plotly.Plots.resize(chart));
    chart.sizes.observe(chart);
  });
  return () => { chart.sizes?.disconnect(); window.Plotly?.purge(chart); };
}
"""


def live_chart(figure: str, *, key: str, alt: str, height: int) -> None:
    """Show `figure`, a Plotly figure as JSON (`figure.to_json()`), in place of the one that this `key` showed before.

    `alt` says what it shows; `height` pixels are kept free until it is drawn.
    A page with live charts calls `send_library` once, outside the fragments that poll.
    """
    show = st.components.v2.component("studio_live_chart", html=_HTML, js=_CHART, isolate_styles=False)
    show(key=key, data={"figure": figure, "alt": alt}, height=height)


def send_library() -> None:
    """Send Plotly's library to the browser, where it stays for all pages; call it last, for it is 5 MB."""
    library = st.components.v2.component("studio_plotly_library", js=_library())
    library(key="plotly_library", height=1)


@functools.cache
def _library() -> str:
    source = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    return f"if (!window.Plotly) {{\n{source.read_text(encoding='utf-8')}\n}}\nexport default function () {{}}\n"
