"""Bring a dataset from the browser's machine: a folder or its files, or a zip."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from pages.components.dataset import file_upload
from piper_core.dataset.arrivals import take
from piper_core.dataset.intake import IntakeError, unpack_zip
from piper_core.settings import Settings

_WAYS = ("Folder or files", "Zip")
_REFUSED = "upload_refused"


def upload(settings: Settings) -> Path | None:
    """Show the upload; the new dataset's folder once one has come in."""
    st.subheader("An upload", icon=":material/upload:", anchor=False)
    st.caption("A folder, a metadata file with its recordings, or a zip; thousands of files are fine.")
    name = st.text_input("Name of the dataset", placeholder="my-voice", key="upload_name")
    way = st.segmented_control("What to upload", _WAYS, default=_WAYS[0], required=True, key="upload_way")
    folder = _files(settings, name) if way == _WAYS[0] else _zip(settings, name)
    refused = st.session_state.pop(_REFUSED, None)
    if refused:
        st.error(refused)
    return folder


def free_folder(parent: Path, name: str) -> Path:
    """A folder in `parent` that does not exist yet, named after `name` as far as a folder's name allows."""
    stem = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "dataset"
    folder, number = parent / stem, 2
    while folder.exists():
        folder, number = parent / f"{stem}-{number}", number + 1
    return folder


def _files(settings: Settings, name: str) -> Path | None:
    arrived = file_upload.file_upload(settings)
    if arrived is None:
        return None
    ticket, proposed = arrived
    folder = free_folder(settings.datasets_dir, name or proposed)
    return _bring_in(lambda: take(file_upload.arrivals_dir(settings), ticket, folder))


def _zip(settings: Settings, name: str) -> Path | None:
    file = st.file_uploader("Zip of the dataset", type="zip", key="upload_zip")
    wanted = st.button(
        "Import", icon=":material/arrow_forward:", disabled=file is None, width="stretch", key="upload_zip_in"
    )
    if file is None or not wanted:
        return None
    folder = free_folder(settings.datasets_dir, name or Path(file.name).stem)
    return _bring_in(lambda: unpack_zip(file, folder))


def _bring_in(take_in: Callable[[], Path]) -> Path:
    """Make a dataset of what was uploaded; the sentence of a refusal is shown once the page is drawn anew."""
    try:
        with st.spinner("Putting the files in order …", show_time=True):
            return take_in()
    except (IntakeError, OSError) as error:
        st.session_state[_REFUSED] = str(error)
    st.rerun()
