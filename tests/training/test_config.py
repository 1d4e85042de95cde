"""A configuration that could not be trained is refused with a sentence; its defaults and presets are Piper's."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from piper_core.documented import field_help
from piper_core.training.config import PRESETS, ConfigError, Preset, TrainingConfig


def config(**changes: Any) -> TrainingConfig:
    return TrainingConfig(**({"name": "voice", "dataset": "/data", "max_steps": 10} | changes))


def test_the_defaults_train_as_piper_does(contract_file: Path) -> None:
    piper = json.loads(contract_file.read_text())["medium"]["hyper_parameters"]
    ours = config()
    assert ours.preset == "medium"
    for name in ("learning_rate", "learning_rate_d", "lr_decay", "lr_decay_d"):
        assert getattr(ours, name) == piper[name]
    assert PRESETS["medium"].sample_rate == piper["sample_rate"]
    assert (ours.use_mrd, ours.gradient_clip or None) == (piper["use_mrd"], piper["grad_clip"])
    assert (ours.warmup_steps, ours.ema_decay) == (0, 0)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
def test_every_preset_fits_together(preset: Preset) -> None:
    assert math.prod(preset.upsample_rates) == 256  # the hop length
    assert preset.hidden_channels % preset.n_heads == 0
    assert len(preset.upsample_rates) == len(preset.upsample_kernel_sizes)
    assert len(preset.resblock_kernel_sizes) == len(preset.resblock_dilation_sizes)
    assert preset.upsample_initial_channel % 2 ** len(preset.upsample_rates) == 0
    assert preset.quality in ("x_low", "low", "medium", "high")
    assert (preset.discriminator_width == 1) == (preset.name != "tiny")


def test_it_comes_back_from_json() -> None:
    ours = config(sample_texts=("One.", "Two."), checkpoint="/a.ckpt", start="resume")
    assert TrainingConfig.from_dict(json.loads(json.dumps(ours.to_dict())) | {"from_a_later_version": 1}) == ours


def test_every_field_says_what_it_is() -> None:
    helps = field_help(TrainingConfig)
    assert not {field.name for field in fields(TrainingConfig)} - helps.keys() - {"schema_version"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "../up"}, "can't name a run"),
        ({"preset": "huge"}, "choose one of tiny"),
        ({"precision": "8"}, "no precision"),
        ({"start": "again"}, "no start"),
        ({"start": "resume"}, "go together"),
        ({"checkpoint": "/a.ckpt"}, "go together"),
        ({"max_steps": None}, "when to stop"),
        ({"ema_decay": 1.0}, "below 1"),
        ({"warmup_steps": -1}, "0 or more"),
        ({"gradient_clip": float("nan")}, "0 or more"),
        ({"max_steps": 0}, "max_steps is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"sample_every_steps": 0}, "sample_every_steps is 0"),
        ({"num_workers": -1}, "num_workers is -1"),
        ({"keep_best": -1}, "keep_best is -1"),
        ({"validation_share": 1.0}, "below 1"),
        ({"learning_rate": 0.0}, "learning_rate is 0"),
        ({"lr_decay": math.nan}, "lr_decay is nan"),
    ],
)
def test_what_cannot_be_trained_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        config(**changes)


def test_a_file_without_its_needed_names_is_refused() -> None:
    with pytest.raises(ConfigError, match="lacks dataset and name"):
        TrainingConfig.from_dict({"max_steps": 1})
