"""Choose a dataset: a folder on this machine, an upload, or the demo. Each way ends in `choose`."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.components import language as language_choice
from pages.components.dataset import dataset_upload, recent_datasets
from piper_core.dataset.audio import librosa_problem
from piper_core.dataset.demo import demo_problem
from piper_core.dataset.layouts import LAYOUTS
from piper_core.settings import Settings

DATASET = "dataset"
"""Session state and the address both hold the chosen folder under this name; the Train page reads it."""
_AT_HAND_SHOWN = 4
_WHAT_IT_IS = """
A folder with recordings and, in one of the ways below, what is said in each. Which way it is, the encoding and the
delimiter are recognised, and said. WAV, FLAC, OGG, Opus, MP3 and AIFF are read, at any sample rate, M4A and WebM where
the command ffmpeg is installed. An hour of clean speech makes a good voice; a few minutes are enough to go on from a
voice that exists.
"""


def chosen() -> Path | None:
    """The dataset in the page's address, else the one of this session; None when neither names one."""
    name = st.query_params.get(DATASET) or st.session_state.get(DATASET)
    return Path(name) if name else None


def keep(folder: Path) -> None:
    """Let other pages, and the page's address, know of `folder`."""
    st.session_state[DATASET] = str(folder)
    st.query_params[DATASET] = str(folder)


def choose(folder: Path) -> None:
    """Make `folder` the session's dataset and open it."""
    keep(folder)
    st.rerun()


def forget() -> None:
    """Back to the choice."""
    st.session_state.pop(DATASET, None)
    st.query_params.pop(DATASET, None)
    st.rerun()


def language() -> str:
    """Ask which language is spoken."""
    return language_choice.choose(
        "Language of the texts",
        key="dataset_language",
        persist_state="session",
        width=320,
        help="The espeak-ng voice that turns the texts into phonemes, here and in training.",
    )


def refusal(folder: Path, settings: Settings) -> str | None:
    """Why `folder` can't be opened, as a sentence; None when it can."""
    if not folder.is_absolute():
        return f"“{folder}” is not a whole path: write it from the root on, as /home/you/recordings."
    if not settings.allows(folder):
        roots = ", ".join(str(root) for root in settings.allowed_roots)
        return (
            f"{folder} lies outside the folders that the pages may read ({roots}). "
            "Move the dataset there, or name its folder in the setting DATA_ROOTS and start the app again."
        )
    if not folder.exists():
        return f"There is no folder {folder}: check the path."
    if not folder.is_dir():
        return f"{folder} is a file: give the folder that holds metadata.csv and the recordings, or upload a zip."
    return None


def show(settings: Settings, recent_file: Path) -> None:
    """The three ways side by side, the datasets that are at hand, and what can't be checked here."""
    missing = librosa_problem()
    if missing:
        st.warning(missing, icon=":material/hearing_disabled:")
    folder, upload, demo = st.columns(3)
    with folder.container(border=True, height="stretch"):
        _folder(settings)
        _at_hand(settings, recent_file)
    with upload.container(border=True, height="stretch"):
        uploaded = dataset_upload.upload(settings)
        if uploaded is not None:
            choose(uploaded)
    with demo.container(border=True, height="stretch"):
        _demo(settings)
    show_layouts()


def show_layouts() -> None:
    """What a dataset looks like, to open: each layout with its folder."""
    with st.expander("What a dataset looks like", icon=":material/help:"):
        st.markdown(_WHAT_IT_IS)
        for layout in LAYOUTS.values():
            st.markdown(f"**{layout.name}.** {layout.recognised}")
            st.code(layout.looks, language=None)


def _folder(settings: Settings) -> None:
    st.subheader("A folder", icon=":material/folder_open:", anchor=False)
    st.caption("Recordings that already lie on this machine. Nothing is copied or changed.")
    with st.form("folder", border=False):
        path = st.text_input("Path of the dataset", placeholder="/home/you/recordings/my-voice", key="folder_path")
        opened = st.form_submit_button("Open folder", icon=":material/arrow_forward:", width="stretch")
    if not opened:
        return
    if not path.strip():
        st.error("Write the path of a folder first.")
        return
    folder = Path(path.strip()).expanduser()
    reason = refusal(folder, settings)
    if reason:
        st.error(reason)
    else:
        choose(folder.resolve())


def _demo(settings: Settings) -> None:
    st.subheader("The demo", icon=":material/auto_awesome:", anchor=False)
    st.caption("Sentences spoken by espeak-ng, made here in seconds: to try the whole way without recordings.")
    missing = demo_problem()
    if missing:
        st.info(missing)
        return
    clips = st.slider("Clips", 12, 240, 60, step=12, key="demo_clips")
    defects = st.toggle("Plant some defects", key="demo_defects", help="To see what the checks find, and how it looks.")
    if st.button(
        "Make the demo dataset", type="primary", icon=":material/play_arrow:", width="stretch", key="demo_make"
    ):
        _make_demo(settings, clips, defects)


def _make_demo(settings: Settings, clips: int, defects: bool) -> None:
    from piper_core.dataset.demo import write_demo
    from piper_core.dataset.espeak_voice import EspeakUnavailable

    folder = dataset_upload.free_folder(settings.datasets_dir, "demo-with-defects" if defects else "demo")
    bar = st.progress(0.0, "Speaking …")

    def count(done: int, total: int) -> None:
        bar.progress(done / total, f"Speaking: {done} of {total} clips")

    try:
        write_demo(folder, clips=clips, defects=defects, on_progress=count)
    except (EspeakUnavailable, OSError) as error:
        bar.empty()
        st.error(str(error))
        return
    choose(folder)


def _at_hand(settings: Settings, recent_file: Path) -> None:
    opened = [folder for folder in recent_datasets.recent(recent_file) if settings.allows(folder)]
    lying = recent_datasets.lying_in((settings.datasets_dir, *settings.data_roots))
    listed = [*opened, *(folder for folder in lying if folder not in opened)]
    if not listed:
        return
    st.caption("Or one that is at hand:")
    with st.container(height="content" if len(listed) <= _AT_HAND_SHOWN else 190, border=False, gap="xsmall"):
        for folder in listed:
            icon = ":material/history:" if folder in opened else ":material/folder:"
            if st.button(folder.name, key=f"open_{folder}", icon=icon, help=str(folder), width="stretch"):
                choose(folder)
