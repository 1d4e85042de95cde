"""What a run will do, in a few lines, and the button that starts it."""

from __future__ import annotations

import streamlit as st

from pages.components import page_links, quantities
from pages.components.training import checkpoint_starts
from pages.components.training.dataset_facts import DatasetFacts
from piper_core.features.settings import FeatureSettings
from piper_core.runs import launcher
from piper_core.settings import Settings
from piper_core.system import disk
from piper_core.system.machine import Suggestion
from piper_core.training.config import PRESETS, TrainingConfig
from piper_core.training.dry_run import too_long_sentence
from piper_core.voices.voice import voice_name

_OUTCOME = "launched"
_REASONS = {"batch_size": "Batch size", "num_workers": "Workers", "precision": "Precision", "max_clip_s": ""}


def lines(config: TrainingConfig, facts: DatasetFacts, batches: int) -> dict[str, str]:
    """What the run will do: a label and a value a line. `batches`: steps an epoch."""
    preset = PRESETS[config.preset]
    steps = config.max_steps or (config.max_epochs or 0) * batches
    if config.start == "scratch":
        begins = "random weights"
    else:
        begins = f"{checkpoint_starts.STARTS[config.start].lower()}, from a checkpoint"
    written = disk.checkpoint_bytes(config.preset) * (config.keep_best + 1)
    return {
        "Run": config.name,
        "Voice": voice_name(config.language, config.spoken_name, preset.quality),
        "Clips": facts.line,
        "Begins with": begins,
        "Length": f"{steps:,} steps, {steps / batches:,.1f} epochs",
        "Checkpoints": f"up to {quantities.size(written)} on disk",
    }


def show(config: TrainingConfig, facts: DatasetFacts, suggested: Suggestion, batches: int) -> None:
    """The lines, and why the defaults are as they are."""
    st.table(lines(config, facts, batches), border="horizontal")
    with st.expander("Why these defaults", icon=":material/lightbulb:"):
        for name, label in _REASONS.items():
            st.caption(f"{label} {suggested.reasons[name]}".strip())
    if facts.too_long:
        st.warning(too_long_sentence(facts.too_long, FeatureSettings.longest_s))
    if facts.longest_s > suggested.max_clip_s:
        st.warning(suggested.reasons["max_clip_s"])


def launch(config: TrainingConfig, settings: Settings) -> None:
    """The button; what became of it stays on the page until another run is set up."""
    asked = config.to_dict() | {"name": ""}  # the next free name is another one once the run has started
    if st.button("Start training", type="primary", icon=":material/play_arrow:", width="stretch", key="launch"):
        with st.spinner("Starting the trainer; it speaks up after 5 to 20 s …", show_time=True):
            outcome = launcher.launch(config, settings.runs_dir, settings=settings)
        st.session_state[_OUTCOME] = (asked, outcome)
        if isinstance(outcome, launcher.Started):
            st.rerun()
    asked_then, told = st.session_state.get(_OUTCOME, (None, None))
    if asked_then == asked:
        _tell(told)
    st.caption("Training goes on when this page, or the whole server, is closed.")


def _tell(outcome: launcher.Outcome) -> None:
    if isinstance(outcome, launcher.StartFailed):
        st.error(outcome.sentence, title="The run was not started")
        return
    if isinstance(outcome, launcher.Started):
        st.success(outcome.sentence, icon=":material/check_circle:")
    else:
        st.warning(outcome.sentence)
    name = outcome.run.name
    page_links.link("monitor.py", f"Watch {name}", icon=":material/monitoring:", parameters={"run": name})
