"""The way between the pages: which there are, under which address, and the one that opens first."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

IMAGES = Path(__file__).parent / "images"

# An icon of our own: Material icons in the browser's tab would be fetched from another server.
st.set_page_config(page_title="Piper Studio", page_icon=str(IMAGES / "icon.svg"), layout="wide")
st.logo(str(IMAGES / "logo.svg"), size="large")

setup = st.Page(
    "setup.py",
    title="Dataset",
    icon=":material/library_music:",
    url_path="setup",
    help="Choose a dataset, see what it holds and what is wrong with it, hear its clips, leave some out.",
)
train = st.Page(
    "train.py",
    title="Train",
    icon=":material/model_training:",
    url_path="train",
    help="Set a training run up from a dataset and start it.",
)
monitor = st.Page(
    "monitor.py",
    title="Monitor",
    icon=":material/monitoring:",
    url_path="monitor",
    help="Watch the runs: progress, losses and samples. Stop them; look after cache, GPU and TensorBoard.",
)
voices = st.Page(
    "voices.py",
    title="Voices",
    icon=":material/record_voice_over:",
    url_path="voices",
    help="Turn a checkpoint into a Piper voice, hear it speak, and take it home.",
)


def home() -> None:
    """The default page's own address is always "/", so that /setup stays a real address of its own."""
    st.switch_page(setup)


st.navigation([st.Page(home, default=True, visibility="hidden"), setup, train, monitor, voices], position="top").run()
