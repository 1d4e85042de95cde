"""What Piper's own trainer would make of the dataset: rows kept, altered and dropped, and features it would reuse."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from pages.components.dataset import dataset_choice
from pages.components.dataset.inspection_job import Inspected
from pages.components.dataset.report_view import plain_text
from piper_core.dataset.layouts import Dataset, DatasetError, read_dataset
from piper_core.dataset.piper_reading import OUTCOMES, PiperReading, StaleFeatures, read_as_piper, stale_features
from piper_core.settings import Settings

_COLORS = {"kept": "green", "altered": "orange", "dropped": "orange", "stops": "red"}
_MOST_SHOWN = 2000
"""Rows of the table: a browser draws more of them slowly."""
_MOST_TEXT = 300
_READING = "piper_reading"
"""Session state: a report, the folder of the recordings that was asked for, and the dry run for both."""


@st.fragment
def show(inspected: Inspected, folder: Path, language: str) -> None:
    """The dry run for `folder`; `inspected` says which files can't be decoded."""
    del language  # the rows are read before any text is spoken
    st.caption(
        "A dry run of the rules by which `piper.train` reads its metadata: what it keeps, what it reads otherwise than"
        " it stands there, and what it leaves out without telling. Training here reads the rows as they stand."
    )
    chosen = st.text_input(
        "Folder of the recordings",
        placeholder="where most recordings lie",
        help="`--data.audio_dir` of Piper's trainer, relative to the dataset. It looks for `ID` and `ID.wav` there.",
        key="piper_audio_dir",
        width=320,
    ).strip()
    if chosen and (Path(chosen).is_absolute() or ".." in Path(chosen).parts):
        st.error("Name a folder inside the dataset, as `wavs`.")
        return
    try:
        reading = _read(inspected, folder, chosen or None)
    except (DatasetError, OSError) as error:
        st.error(str(error))
        return
    if reading.refusal is not None:
        st.warning(f"Piper's own trainer can't read this dataset. {reading.refusal}", icon=":material/block:")
        return
    if not chosen:
        st.caption(f"Looked for in: `{reading.audio_dir}`")
    _show_counts(reading)
    _show_rows(reading)
    _show_stale(reading, inspected.dataset or read_dataset(folder))


def _read(inspected: Inspected, folder: Path, audio_dir: str | None) -> PiperReading:
    """The dry run, made once for a report: each click draws the view anew."""
    same, of, reading = st.session_state.get(_READING, (None, None, None))
    if reading is None or same is not inspected or of != audio_dir:
        rows = inspected.rows
        unreadable = rows.loc[rows["findings"].map(lambda codes: "unreadable" in codes).astype(bool), "path"]
        dataset = inspected.dataset or read_dataset(folder)
        reading = read_as_piper(dataset, audio_dir=audio_dir, unreadable=set(unreadable))
        st.session_state[_READING] = (inspected, audio_dir, reading)
    return reading


def _show_counts(reading: PiperReading) -> None:
    if (stop := reading.stop) is not None:
        st.error(f"Piper's trainer ends at row {stop.row:,}. {plain_text(stop.reason)}", icon=":material/dangerous:")
    elif reading.counts["kept"] == len(reading.rows):
        st.success("Piper's own trainer reads every row as it stands.", icon=":material/check_circle:")
    with st.grid(4, min_column_width=140):
        for outcome, count in reading.counts.items():
            label = "Ends the trainer" if outcome == "stops" else outcome.capitalize()
            st.metric(label, f"{count:,}", border=True, help=OUTCOMES[outcome])


def _show_rows(reading: PiperReading) -> None:
    others = [row for row in reading.rows if row.outcome != "kept"]
    if not others:
        return
    st.subheader("Rows that become something else", anchor=False)
    kinds = [outcome for outcome, count in reading.counts.items() if count and outcome != "kept"]
    if len(kinds) > 1:
        kinds = st.pills("Show", kinds, selection_mode="multi", default=kinds, key="piper_outcomes")
    shown = [row for row in others if row.outcome in kinds]
    frame = pd.DataFrame(
        [
            {
                "row": row.row,
                "clip": row.utterance_id,
                "outcome": [row.outcome],
                "reason": row.reason,
                "piper": (row.text or "")[:_MOST_TEXT],
                "written": (row.written or "")[:_MOST_TEXT],
            }
            for row in shown[:_MOST_SHOWN]
        ],
        columns=["row", "clip", "outcome", "reason", "piper", "written"],
    )
    st.dataframe(
        frame,
        hide_index=True,
        height=min(520, 38 + 36 * max(1, len(frame))),
        column_config={
            "row": st.column_config.NumberColumn("Row", width=60),
            "clip": st.column_config.TextColumn("Clip", width=170),
            "outcome": st.column_config.MultiselectColumn(
                "Outcome", options=list(_COLORS), color=list(_COLORS.values()), width=90
            ),
            "reason": st.column_config.TextColumn("Why", width=420),
            "piper": st.column_config.TextColumn("What Piper trains on", width=260),
            "written": st.column_config.TextColumn("What stands there", width=260),
        },
        alt="Rows that Piper's own trainer alters, drops or ends at, with the reason",
    )
    more = f" The first {_MOST_SHOWN:,} are shown." if len(shown) > _MOST_SHOWN else ""
    st.caption(f"{len(shown):,} rows.{more} An export in Piper's layout is read as it stands.")


def _show_stale(reading: PiperReading, dataset: Dataset) -> None:
    with st.expander("Did Piper keep features of an earlier version?", icon=":material/cached:"):
        st.markdown(
            "Piper's trainer finds the features of a row again by the row's number and the start of its text. A"
            " recording that was made anew, or a text that changed further on, is trained on as it was before."
        )
        cache = st.text_input("Piper's cache folder", placeholder="/path/to/cache", key="piper_cache_dir").strip()
        if not cache:
            return
        refused = dataset_choice.refusal(Path(cache).expanduser(), Settings.load())
        if refused:
            st.error(refused)
            return
        audio = {utterance.row: utterance.path for utterance in dataset.utterances}
        try:
            stale = stale_features(reading, Path(cache).expanduser(), audio)
        except OSError as error:
            st.error(f"The cache can't be read ({error.strerror}: {error.filename}).")
            return
        _show_stale_rows(stale)


def _show_stale_rows(stale: Sequence[StaleFeatures]) -> None:
    if not stale:
        st.success("No row would be trained on with features of an earlier version.", icon=":material/check_circle:")
        return
    rows = "One row" if len(stale) == 1 else f"{len(stale):,} rows"
    st.warning(f"{rows} would be trained on as before. Empty the folder.", icon=":material/cached:")
    frame = pd.DataFrame([{"row": s.row, "clip": s.utterance_id, "why": s.reason} for s in stale[:_MOST_SHOWN]])
    st.dataframe(frame, hide_index=True, alt="Rows whose features in Piper's cache are outdated")
