"""A Plotly chart that is redrawn in place: it keeps zoom and hover while a page polls, and does not flicker.

`st.plotly_chart` makes a new element of each new figure, so every poll would throw the zoom away. This component hands
the figure to `Plotly.react` instead, which keeps the zoom as long as the figure's `uirevision` stays the same. The
library is the one inside the plotly package, served by app.py; nothing is fetched from elsewhere.
"""

from __future__ import annotations

from pathlib import Path

import plotly
import streamlit as st

LIBRARY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
"""Plotly for browsers; app.py serves it as /plotly.min.js."""
_HTML = "<div class='live-chart' style='width: 100%'></div>"
_CHART = """
const library = () => window.studioPlotly ??= new Promise((ready, failed) => {
  if (window.Plotly) return ready();
  const script = document.createElement("script");
  script.src = new URL("plotly.min.js", document.baseURI);
  script.onload = ready;
  script.onerror = () => { window.studioPlotly = undefined; failed(); };
  document.head.append(script);
});

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
  library().then(() => {
    if (!chart.isConnected) return;
    window.Plotly.react(chart, figure.data, layout, config);
    if (chart.sizes) return;
    // The window keeps its size when the sidebar opens; the chart does not.
    chart.sizes = new ResizeObserver(() => chart.clientWidth && window.Plotly.Plots.resize(chart));
    chart.sizes.observe(chart);
  }, () => { chart.textContent = "The charts' library did not arrive: reload the page."; });
  return () => { chart.sizes?.disconnect(); window.Plotly?.purge(chart); };
}
"""


def live_chart(figure: str, *, key: str, alt: str, height: int) -> None:
    """Show `figure`, a Plotly figure as JSON (`figure.to_json()`), in place of the one that this `key` showed before.

    `alt` says what it shows; `height` pixels are kept free until it is drawn.
    """
    show = st.components.v2.component("studio_live_chart", html=_HTML, js=_CHART, isolate_styles=False)
    show(key=key, data={"figure": figure, "alt": alt}, height=height)
