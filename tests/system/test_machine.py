"""Suggested settings: what fits, what suits, and why, for machines that we make up and for this one."""

from __future__ import annotations

import os
from dataclasses import fields

import pytest

from piper_core.system.gpu import GpuDevice
from piper_core.system.machine import CLIP_COSTS, Machine, Suggestion, read_machine, suggest_training
from piper_core.training.config import PRESETS, TrainingConfig

GB = 1024**3
LAPTOP = Machine(cores=4, memory_bytes=16 * GB, available_bytes=10 * GB)


def with_card(total_gb: int, capability: tuple[int, int] | None = (8, 6), used_gb: int = 1) -> Machine:
    return Machine(12, 64 * GB, 50 * GB, GpuDevice(0, "a card", total_gb * GB, used_gb * GB, (), capability))


def check_reasons(suggestion: Suggestion) -> None:
    """A line for each setting, which names its value."""
    assert list(suggestion.reasons) == [field.name for field in fields(suggestion) if field.name != "reasons"]
    for name in ("batch_size", "num_workers", "precision"):
        assert suggestion.reasons[name].startswith(str(getattr(suggestion, name)))
    assert all(line.endswith(".") and "\n" not in line for line in suggestion.reasons.values())


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("machine", [LAPTOP, with_card(8), with_card(24), with_card(80, (9, 0)), read_machine()])
@pytest.mark.parametrize("longest_s", [None, 3.0, 14.0, 60.0])
def test_every_suggestion_is_a_valid_configuration(preset: str, machine: Machine, longest_s: float | None) -> None:
    suggestion = suggest_training(machine, preset, 500, longest_s)
    check_reasons(suggestion)
    TrainingConfig(
        name="a", dataset="/d", preset=preset, max_steps=1, batch_size=suggestion.batch_size,
        num_workers=suggestion.num_workers, precision=suggestion.precision,
    )  # fmt: skip


def test_this_machine_is_read() -> None:
    machine = read_machine()
    assert 1 <= machine.cores <= (os.cpu_count() or 1)
    assert 0 < machine.available_bytes <= machine.memory_bytes


def test_a_card_takes_pipers_batch_and_a_small_one_what_fits() -> None:
    assert suggest_training(with_card(80), "medium", 1000, 10.0).batch_size == 32
    batches = [suggest_training(with_card(gb), "high", 1000, 12.0).batch_size for gb in (6, 12, 24, 80)]
    assert batches == sorted(batches)
    assert batches[0] < batches[-1]
    assert "fits into" in suggest_training(with_card(8), "medium", 1000, 12.0).reasons["batch_size"]


def test_memory_that_others_use_does_not_count() -> None:
    free, shared = with_card(24), with_card(24, used_gb=18)
    assert (
        suggest_training(shared, "medium", 1000, 12.0).batch_size
        < suggest_training(free, "medium", 1000, 12.0).batch_size
    )


def test_longer_clips_make_smaller_batches_and_too_long_ones_are_said() -> None:
    card = with_card(12)
    short, long = suggest_training(card, "medium", 1000, 4.0), suggest_training(card, "medium", 1000, 20.0)
    assert long.batch_size < short.batch_size
    tight = suggest_training(with_card(4), "high", 1000, 45.0)
    assert tight.batch_size == 1
    assert "leave out or cut the longest clips" in tight.reasons["max_clip_s"]
    assert "not even that is sure to fit" in tight.reasons["batch_size"]


def test_a_processor_and_a_small_dataset_ask_for_small_batches() -> None:
    assert suggest_training(LAPTOP, "tiny", 500, 4.0).batch_size == 8
    small = suggest_training(LAPTOP, "tiny", 12, 4.0)
    assert small.batch_size == 2
    assert "dataset is small" in small.reasons["batch_size"]
    assert suggest_training(LAPTOP, "tiny", 1, 4.0).batch_size == 1


def test_workers_and_precision_suit_the_device() -> None:
    assert suggest_training(Machine(1, 4 * GB, 2 * GB), "tiny", 500).num_workers == 0
    assert suggest_training(LAPTOP, "tiny", 500).num_workers == 0
    assert suggest_training(with_card(24), "medium", 500).num_workers == 4
    assert suggest_training(with_card(24, (8, 0)), "medium", 500).precision == "bf16-mixed"
    assert suggest_training(with_card(24, (7, 5)), "medium", 500).precision == "auto"
    assert suggest_training(with_card(24, None), "medium", 500).precision == "auto"
    assert suggest_training(LAPTOP, "medium", 500).precision == "auto"


def test_every_preset_has_its_cost() -> None:
    assert CLIP_COSTS.keys() == PRESETS.keys()
