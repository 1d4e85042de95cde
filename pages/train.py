"""Train: from a dataset to a run that trains, with defaults that suit this machine."""

from __future__ import annotations

import streamlit as st

from pages.components import page_links
from pages.components.training import training_form, training_summary, trial_view
from piper_core.settings import SettingError, Settings
from piper_core.training.config import ConfigError, TrainingConfig

# Read: the settings and this machine.
try:
    settings = Settings.load()
except SettingError as error:
    st.error(str(error))
    st.stop()

st.title("Train", anchor=False)
questions, summary = st.columns([3, 2], gap="large")

# Ask: the dataset first, for everything else depends on it.
with questions, st.container(border=True):
    st.subheader("Dataset", icon=":material/library_music:", anchor=False)
    chosen = training_form.dataset(settings)

# Guard: nothing to train on.
if chosen is None:
    with summary.container(border=True):
        st.markdown("**First, a dataset.** Recordings with their texts, at least two clips, better an hour.")
        page_links.link("setup.py", "Choose, upload or make one", icon=":material/library_music:")
    st.stop()

with questions:
    with st.container(border=True):
        st.subheader("Voice", icon=":material/record_voice_over:", anchor=False)
        voice_name, run_name = training_form.voice_name(chosen.folder, settings)
        language = training_form.language()
        preset = training_form.preset(training_form.has_card())
    suggested = training_form.suggestion(preset, chosen.facts.clips, chosen.facts.longest_s)
    with st.container(border=True):
        st.subheader("Training", icon=":material/model_training:", anchor=False)
        start = training_form.start(settings, chosen, language, preset)
        length_slot = st.container()
        with st.expander("More settings", icon=":material/tune:"):
            more = training_form.more(suggested, use_mrd=start is not None and start.use_mrd)
        with length_slot:
            batches = training_form.steps_an_epoch(chosen.facts.clips, more["batch_size"])
            length = training_form.length(preset, batches)

# Show: what will happen, and the button that makes it happen.
with summary.container(border=True):
    st.subheader("What will happen", icon=":material/checklist:", anchor=False)
    if start is None:
        st.warning("Choose how to start first.")
        st.stop()
    try:
        config = TrainingConfig(
            name=run_name,
            dataset=str(chosen.folder.resolve()),
            voice_name=voice_name or None,
            metadata=chosen.metadata,
            language=language,
            preset=preset,
            checkpoint=start.checkpoint,
            start=start.mode,
            max_steps=length.max_steps,
            max_epochs=length.max_epochs,
            **more,
        )
    except ConfigError as error:
        st.error(str(error))
        st.stop()
    training_summary.show(config, chosen.facts, suggested, batches)
    trial_view.show(config, settings)
    training_summary.launch(config, settings)
