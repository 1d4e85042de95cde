"""TensorBoard: start it, open it, stop it."""

from __future__ import annotations

import streamlit as st

from piper_core.settings import Settings
from piper_core.system import tensorboard

POLL_S = 5


def show(settings: Settings) -> None:
    """The panel; it looks anew every few seconds, since TensorBoard outlives the pages."""
    with st.container(border=True, height="stretch"):
        st.subheader("TensorBoard", icon=":material/monitoring:", anchor=False)
        st.fragment(_panel, run_every=POLL_S)(settings)


def _panel(settings: Settings) -> None:
    log_dir, workspace = settings.tensorboard_log_dir.absolute(), settings.workspace_dir.absolute()
    info = tensorboard.status(workspace)
    if info is None and not tensorboard.installed():
        st.caption(tensorboard.NotInstalled().sentence)
    elif info is None:
        st.caption("Every loss, spectrogram and sample of all runs, in TensorBoard's own pages.")
        if st.button("Start TensorBoard", icon=":material/play_arrow:", key="tensorboard_start"):
            with st.spinner("Starting TensorBoard …"):
                outcome = tensorboard.start(log_dir, workspace)
            if isinstance(outcome, (tensorboard.Launched, tensorboard.Reused)):
                st.rerun(scope="fragment")
            st.warning(outcome.sentence)
    else:
        st.badge("Running", icon=":material/check_circle:", color="green")
        st.caption(f"It shows {log_dir}, and goes on when these pages are closed.")
        with st.container(horizontal=True):
            st.link_button("Open TensorBoard", info.url, icon=":material/open_in_new:", type="primary")
            if st.button("Stop", icon=":material/stop:", key="tensorboard_stop"):
                with st.spinner("Stopping TensorBoard …"):
                    tensorboard.stop(workspace)
                st.rerun(scope="fragment")
