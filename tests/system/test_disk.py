"""Room on the disk: counted, compared, refused with figures."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from piper_core.system import disk
from piper_core.training.config import PRESETS, TrainingConfig

GB = 1024**3


def config_of(preset: str, keep_best: int = 3) -> TrainingConfig:
    return TrainingConfig(name="a", dataset="/d", preset=preset, max_steps=1, keep_best=keep_best)


def test_free_bytes_are_those_of_the_disk_even_for_a_folder_to_come(tmp_path: Path) -> None:
    there = disk.free_bytes(tmp_path / "not" / "yet" / "there")
    assert there == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.05)


def test_every_preset_has_its_size_and_medium_is_what_a_checkpoint_weighs() -> None:
    assert disk.PARAMETERS.keys() == PRESETS.keys()
    assert disk.checkpoint_bytes("medium") == pytest.approx(0.85e9, rel=0.02)
    sizes = [disk.checkpoint_bytes(preset) for preset in ("tiny", "x_low", "low", "medium", "high")]
    assert sizes == sorted(sizes)


def test_a_run_needs_its_checkpoints_and_one_more_while_writing() -> None:
    one, four = disk.required_bytes(config_of("medium", 0)), disk.required_bytes(config_of("medium", 3))
    assert four - one == 3 * disk.checkpoint_bytes("medium")
    assert one > 2 * disk.checkpoint_bytes("medium")
    assert disk.required_bytes(config_of("tiny"), audio_bytes=GB) - disk.required_bytes(config_of("tiny")) == GB


def test_a_small_disk_is_refused_with_both_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda _: 2 * GB)
    assert disk.refusal(tmp_path, 2 * GB) is None
    sentence = disk.refusal(tmp_path, 5 * GB)
    assert sentence is not None
    assert "2.0 GB are free" in sentence
    assert "5.0 GB" in sentence


@pytest.mark.parametrize("preset", PRESETS)
def test_the_parameters_are_no_fewer_than_the_networks_and_few_more(preset: str) -> None:
    torch = pytest.importorskip("torch")
    module = pytest.importorskip("piper_core.training.module")
    hyper = pytest.importorskip("piper_core.training.hyper_parameters").hyper_parameters(config_of(preset))
    with torch.device("meta"):  # shapes alone, nothing allocated
        networks = module.VitsModule(hyper, discriminator_width=PRESETS[preset].discriminator_width)
    count = sum(parameter.numel() for parameter in networks.parameters())
    assert 0.99 * count <= disk.PARAMETERS[preset] <= 1.3 * count
