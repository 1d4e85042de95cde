"""Dataset: choose one, see what it holds and what is wrong with it, hear its clips, leave some out."""

from __future__ import annotations

import streamlit as st

from pages.components.dataset import (
    cleaning_view,
    clip_browser,
    dataset_choice,
    dataset_views,
    inspection_job,
    inspection_view,
    journal_state,
    moved_limits_view,
    pictures_view,
    piper_view,
    recent_datasets,
    report_view,
    sandbox_view,
    totals,
    triage_view,
)
from pages.components.dataset.dataset_views import View
from piper_core.dataset.journal import JournalError
from piper_core.settings import SettingError, Settings

# What can be looked at. Only the chosen one is computed: `?dataset=...&view=clips` opens it at once.
VIEWS = (
    View("overview", "Overview", ":material/space_dashboard:", report_view.show),
    View("clips", "Clips", ":material/graphic_eq:", clip_browser.show),
    View("pictures", "Pictures", ":material/insights:", pictures_view.show),
    View("piper", "Piper's reading", ":material/fact_check:", piper_view.show),
    View("triage", "Triage", ":material/checklist:", triage_view.show),
    View("thresholds", "Thresholds", ":material/tune:", sandbox_view.show),
    View("export", "Export and report", ":material/ios_share:", cleaning_view.show),
)

# Read: the settings and the dataset that was chosen.
try:
    settings = Settings.load()
except SettingError as error:
    st.error(str(error))
    st.stop()
recent_file = settings.workspace_dir / "recent_datasets.json"
folder = dataset_choice.chosen()

# Guard: no dataset, or one that may not be read.
refused = dataset_choice.refusal(folder, settings) if folder else None
if folder is None or refused:
    st.title("Dataset", anchor=False)
    if refused:
        st.error(refused)
    st.markdown(
        "A voice begins with recordings and their texts: a folder with `metadata.csv` and `wavs/`. Where is yours?"
    )
    dataset_choice.show(settings, recent_file)
    st.stop()
dataset_choice.keep(folder)

with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
    st.title(folder.name, anchor=False, width="content")
    with st.container(horizontal=True, vertical_alignment="bottom", width="content"):
        language = dataset_choice.language()
        again = st.button("Inspect again", icon=":material/refresh:", key="inspect_again")
        if st.button("Another dataset", icon=":material/swap_horiz:", key="choose_another"):
            dataset_choice.forget()

# Inspect, beside the page. What is known is shown as it comes, by the limits that hold for this dataset.
inspections = st.session_state.get("inspections", 0) + again
st.session_state["inspections"] = inspections
try:
    fingerprint = inspection_job.fingerprint(folder)
except OSError as error:
    st.error(f"{folder} can't be read ({error.strerror}); check its permissions.")
    st.stop()
try:
    limits = journal_state.limits(folder)
except JournalError as error:
    st.error(str(error))
    st.stop()
job = inspection_job.inspection(
    inspection_job.InspectionRequest(
        folder=str(folder),
        language=language,
        validate_audio=settings.enable_audio_validation,
        cache_dir=str(settings.cache_dir / "inspection"),
        fingerprint=fingerprint,
    ),
    limits,
    again=inspections,
)
inspection_view.show_first(job)
news, seen = job.news, job.seen_by(limits)
inspection_view.show(job, news)
if seen is None:
    if job.done:
        dataset_choice.show_layouts()
    st.stop()
recent_datasets.remember(recent_file, folder)

# Show: the totals, and the view that was chosen.
cleaning_view.show_way_on(seen.report)
totals.show(seen, folder)
moved_limits_view.show(seen.report, folder)
dataset_views.chosen(VIEWS).show(seen, folder, language)
