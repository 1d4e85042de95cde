"""Monitor: how the runs fare, what they sound like, and what they hold of this machine."""

from __future__ import annotations

import streamlit as st

from pages.components import empty
from pages.components.machine import cache_panel, gpu_panel, tensorboard_panel
from pages.components.runs import run_curves, run_samples, run_state, run_table, run_view
from piper_core.runs.run import RunError, list_runs
from piper_core.settings import SettingError, Settings

LIVE_POLL_S = 1.0
CURVES_POLL_S = 3.0
SLOW_POLL_S = 5.0

# Read: the settings, the runs, and which of them is watched.
try:
    settings = Settings.load()
except SettingError as error:
    st.error(str(error))
    st.stop()
runs = {run.name: run for run in list_runs(settings.runs_dir)}

with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
    st.title("Monitor", anchor=False, width="content")
    if runs:
        name = st.selectbox("Run", list(runs), key="run", bind="query-params", width=320, label_visibility="collapsed")

# Guard: nothing to watch yet.
if not runs:
    empty.show(
        "No run yet",
        "A run turns a dataset into a voice. Start one on the Train page and watch it here:"
        " progress, time left, losses, and what it sounds like.",
        ("train.py", "Start a run", ":material/model_training:"),
        ("setup.py", "Choose a dataset", ":material/library_music:"),
    )

# Show: the run, its curves, its samples and its log; each polls in a fragment of its own.
else:
    run = runs[name]
    status = run_view.observed(run)
    if isinstance(status, RunError):
        st.error(str(status), title=f"The run {run.name} can't be read")
    else:
        alive = status is not None and status.is_alive_state
        run_view.header(run, status, settings)
        st.fragment(run_view.progress, run_every=LIVE_POLL_S if alive else SLOW_POLL_S)(run, run_state.phase(status))
        st.subheader("Losses", anchor=False)
        st.fragment(run_curves.show, run_every=CURVES_POLL_S if alive else SLOW_POLL_S)(run)
        heard, printed = st.columns(2)
        with heard:
            st.subheader(
                "Samples", anchor=False, help="Sentences that were held out, spoken by the voice as it learns."
            )
            st.fragment(run_samples.show_samples, run_every=SLOW_POLL_S if alive else None)(run)
        with printed:
            st.subheader("Log", anchor=False)
            st.fragment(run_samples.show_log, run_every=SLOW_POLL_S if alive else None)(run)
    if len(runs) > 1:
        st.subheader("All runs", anchor=False)
        st.fragment(run_table.show, run_every=SLOW_POLL_S)(list(runs.values()))

st.subheader("This machine", anchor=False)
cache, memory, board = st.columns(3)
with cache:
    cache_panel.show(settings)
with memory:
    gpu_panel.show(settings)
with board:
    tensorboard_panel.show(settings)
