"""The Train page's questions, a section each; what they answer makes a TrainingConfig."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from pages.components import language as language_choice
from pages.components.dataset import dataset_choice, recent_datasets
from pages.components.training import checkpoint_starts, dataset_facts
from pages.components.training.dataset_facts import DatasetFacts
from piper_core.documented import field_help
from piper_core.settings import Settings
from piper_core.system import gpu
from piper_core.system.machine import Suggestion, read_machine, suggest_training
from piper_core.training.config import PRECISIONS, PRESETS, StartMode, TrainingConfig
from piper_core.voices.catalogue import list_checkpoints
from piper_core.voices.voice import plain_name

HELP = field_help(TrainingConfig)
SCRATCH = "None: from the beginning"
ORIGINAL = "Original"
_DEFAULT_STEPS = {"tiny": 2000}
_STEPS = 20000


@dataclass(frozen=True)
class ChosenDataset:
    """A dataset that can be trained on."""

    folder: Path
    metadata: str | None
    facts: DatasetFacts


@dataclass(frozen=True)
class Start:
    """Where a run begins."""

    checkpoint: str | None
    mode: StartMode
    use_mrd: bool = False
    """Whether going on from there takes the multi-resolution discriminator."""


@dataclass(frozen=True)
class Length:
    """When to stop: one of both."""

    max_steps: int | None
    max_epochs: int | None


def dataset(settings: Settings) -> ChosenDataset | None:
    """Which dataset, and which of its metadata files; None, and why on the page, when there is none to train on."""
    folder = _folder(settings)
    if folder is None:
        return None
    refused = dataset_choice.refusal(folder, settings)
    if refused:
        st.error(refused)
        return None
    cleaned = dataset_facts.manifests(folder)
    metadata: str | None = None
    if cleaned:
        chosen = st.segmented_control(
            "Which clips",
            [*cleaned, ORIGINAL],
            default=cleaned[0],
            required=True,
            format_func=lambda name: "All of the original" if name == ORIGINAL else "Cleaned on the Dataset page",
            key=f"metadata_{folder}",
            help=HELP["metadata"],
        )
        metadata = None if chosen == ORIGINAL else chosen
    facts = dataset_facts.facts(folder, metadata)
    if isinstance(facts, str):
        st.error(facts)
        return None
    st.caption(f"{facts.line} · {facts.metadata}")
    return ChosenDataset(folder, metadata, facts)


def _folder(settings: Settings) -> Path | None:
    given = dataset_choice.chosen()
    known = [given] if given else []
    known += recent_datasets.recent(settings.workspace_dir / "recent_datasets.json")
    known += recent_datasets.lying_in((settings.datasets_dir, *settings.data_roots))
    paths = list(dict.fromkeys(str(folder) for folder in known if settings.allows(folder) or folder == given))
    chosen = st.selectbox(
        "Dataset",
        paths,
        index=0 if paths else None,
        accept_new_options=True,
        placeholder="Choose a dataset, or write a folder's path",
        format_func=lambda path: f"{Path(path).name}  ({path})" if path in paths else path,
        key=f"train_dataset_{given}",
        help=f"{HELP['dataset']} Choose one, or write the path of another.",
    )
    return Path(chosen).expanduser() if chosen else None


def voice_name(folder: Path, settings: Settings) -> tuple[str, str]:
    """The voice's name, and the run's, which is the voice's with a number where it is taken."""
    name = st.text_input(
        "Name of the voice", plain_name(folder.name), key=f"voice_of_{folder}", max_chars=50, help=HELP["voice_name"]
    )
    return name.strip(), free_run(settings.runs_dir, run_stem(name))


def run_stem(name: str) -> str:
    """`name` as a run may be called."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name.strip()).strip("-_.")[:56] or "voice"


def free_run(runs_dir: Path, stem: str) -> str:
    """`stem`, or `stem-2` and so on where there is such a run already."""
    name, number = stem, 2
    while (runs_dir / name).exists():
        name, number = f"{stem}-{number}", number + 1
    return name


def preset(has_card: bool) -> str:
    """The size of the voice; without a CUDA card the smallest is proposed, and why is said."""
    names = list(PRESETS)
    chosen = st.radio(
        "Size",
        names,
        index=names.index("medium" if has_card else "tiny"),
        captions=[f"{PRESETS[name].sample_rate / 1000:g} kHz: {PRESETS[name].summary}" for name in names],
        key="preset",
        help=HELP["preset"],
    )
    if not has_card:
        st.caption(
            "There is no CUDA card here. A processor trains tiny in minutes to hours, the others in days to weeks;"
            " going on from a checkpoint shortens that."
        )
    return chosen


def has_card() -> bool:
    """Whether there is a CUDA card."""
    return isinstance(gpu.devices(), list)


def language() -> str:
    """The language of the texts: what the Dataset page was told, until another is chosen."""
    given = st.session_state.get("dataset_language", language_choice.DEFAULT_LANGUAGE)
    return language_choice.choose("Language", given=given, key="train_language", help=HELP["language"])


def start(settings: Settings, chosen_dataset: ChosenDataset, language: str, preset_name: str) -> Start | None:
    """The checkpoint and how to start from it; None, and why on the page, when that is not possible."""
    known = {str(checkpoint.path): checkpoint.label for checkpoint in list_checkpoints(settings.runs_dir)}
    chosen = st.selectbox(
        "Start from a checkpoint",
        [SCRATCH, *known],
        accept_new_options=True,
        format_func=lambda path: known.get(path, path),
        key="checkpoint",
        help=f"{HELP['checkpoint']} A voice that exists needs far less data and time. Choose one, or write a path.",
    )
    if chosen is None or chosen == SCRATCH:
        return Start(None, "scratch")
    path = Path(chosen).expanduser()
    if not settings.allows(path):
        st.error(f"{path} lies outside the folders that the pages may read; name its folder in the setting DATA_ROOTS.")
        return None
    doctored = checkpoint_starts.examine(
        path, chosen_dataset.folder, chosen_dataset.metadata, chosen_dataset.facts.speakers, language
    )
    if isinstance(doctored, str):
        st.error(doctored)
        return None
    st.caption(doctored.line)
    reasons = {mode: doctored.reason(mode, preset_name) for mode in checkpoint_starts.STARTS}
    possible = [mode for mode, reason in reasons.items() if reason is None]
    for mode, reason in reasons.items():
        if reason is not None:
            st.caption(f":material/block: {checkpoint_starts.STARTS[mode]}: {reason}")
    if not possible:
        st.error("A run of this size on this dataset can't start from this checkpoint. Choose another of them.")
        return None
    mode = st.segmented_control(
        "How to start",
        possible,
        default=possible[0],
        required=True,
        format_func=checkpoint_starts.STARTS.__getitem__,
        key=f"start_{'_'.join(possible)}",
    )
    st.caption(checkpoint_starts.EXPLAINED[mode])
    return Start(str(path.resolve()), mode, use_mrd=doctored.use_mrd and mode == "resume")


def length(preset_name: str, batches: int) -> Length:
    """How long to train; `batches` is how many steps an epoch takes."""
    unit_column, number_column = st.columns([1, 2])
    with unit_column:
        unit = st.segmented_control("Length", ["Steps", "Epochs"], default="Steps", required=True, key="length_unit")
    steps = _DEFAULT_STEPS.get(preset_name, _STEPS)
    with number_column:
        if unit == "Steps":
            chosen = int(
                st.number_input("Steps", 1, 10_000_000, steps, 100, key=f"steps_{steps}", help=HELP["max_steps"])
            )
            st.caption(f"{chosen / batches:,.1f} epochs of {batches:,} steps.")
            return Length(chosen, None)
        epochs = math.ceil(steps / batches)
        chosen = int(
            st.number_input("Epochs", 1, 1_000_000, epochs, 10, key=f"epochs_{epochs}", help=HELP["max_epochs"])
        )
        st.caption(f"{chosen * batches:,} steps, {batches:,} an epoch.")
        return Length(None, chosen)


@st.cache_data(max_entries=32, ttl="1h")
def suggestion(preset_name: str, clips: int, longest_s: float) -> Suggestion:
    """What suits this machine. Kept for a while: free memory changes by the second, and the form should not."""
    return suggest_training(read_machine(), preset_name, clips, longest_s)


def more(suggested: Suggestion, use_mrd: bool = False) -> dict[str, Any]:
    """The settings that fit the machine as they are, and those for people who know why.

    `use_mrd`: what the checkpoint asks for.
    """
    given: dict[str, Any] = {}
    with st.grid(3, min_column_width=160):
        key = f"{suggested.batch_size}_{suggested.num_workers}"
        given["batch_size"] = int(
            st.number_input("Batch size", 1, 512, suggested.batch_size, key=f"batch_{key}", help=HELP["batch_size"])
        )
        given["num_workers"] = int(
            st.number_input("Workers", 0, 64, suggested.num_workers, key=f"workers_{key}", help=HELP["num_workers"])
        )
        given["precision"] = st.selectbox(
            "Precision",
            PRECISIONS,
            PRECISIONS.index(suggested.precision),
            key=f"precision_{suggested.precision}",
            help=HELP["precision"],
        )
        for name, label, low, value in (
            ("checkpoint_every_steps", "Steps between checkpoints", 1, 200),
            ("sample_every_steps", "Steps between samples", 1, 200),
            ("keep_best", "Best checkpoints kept", 0, 3),
            ("seed", "Seed", 0, 1234),
        ):
            given[name] = int(st.number_input(label, low, value=value, key=name, help=HELP[name]))
    given |= _mathematics(use_mrd)
    said = st.text_area("Sentences to hear", key="sample_texts", placeholder="One a line", help=HELP["sample_texts"])
    given["sample_texts"] = tuple(line.strip() for line in said.splitlines() if line.strip())
    return given


def _mathematics(use_mrd: bool) -> dict[str, Any]:
    """The settings that make another training than Piper's: docs/training-options.md has the reasons."""
    given: dict[str, Any] = {}
    with st.grid(3, min_column_width=160):
        for name, label, most, step, form in (
            ("learning_rate", "Learning rate, generator", 1.0, 1e-5, "%.6f"),
            ("learning_rate_d", "Learning rate, discriminators", 1.0, 1e-5, "%.6f"),
            ("lr_decay", "Decay an epoch, generator", 1.0, 1e-4, "%.6f"),
            ("lr_decay_d", "Decay an epoch, discriminators", 1.0, 1e-4, "%.6f"),
            ("gradient_clip", "Largest gradient norm", 1e6, 1.0, "%g"),
            ("ema_decay", "Decay of averaged weights", 0.999999, 1e-3, "%.6f"),
        ):
            default = float(getattr(TrainingConfig, name))
            least = 1e-6 if name.startswith("l") else 0.0
            given[name] = float(st.number_input(label, least, most, default, step, form, key=name, help=HELP[name]))
        given["warmup_steps"] = int(
            st.number_input("Warmup steps", 0, 10_000_000, 0, 100, key="warmup_steps", help=HELP["warmup_steps"])
        )
    given["use_mrd"] = st.toggle(
        "Multi-resolution discriminator", use_mrd, key=f"use_mrd_{use_mrd}", help=HELP["use_mrd"]
    )
    return given


def steps_an_epoch(clips: int, batch_size: int) -> int:
    """How many batches an epoch takes, about: some clips are held out for validation."""
    return max(1, math.ceil(clips * (1 - TrainingConfig.validation_share) / batch_size))
