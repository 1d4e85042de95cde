"""What the doctor says of a checkpoint, and of starting from it on a dataset: the command line, whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from piper_core.__main__ import main
from piper_core.voices.checkpoint import describe, read_checkpoint
from piper_core.voices.description import starts_by_preset


@pytest.fixture
def two_speakers(tmp_path: Path) -> Path:
    """A dataset of two speakers: what the doctor reads of it are its texts."""
    folder = tmp_path / "both"
    (folder / "wavs").mkdir(parents=True)
    rows = []
    for number, speaker in enumerate(("ann", "bob", "ann")):
        (folder / "wavs" / f"{number}.wav").write_bytes(b"RIFF")
        rows.append(f"{number}|{speaker}|Sentence number {number}.")
    (folder / "metadata.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def doctor(capsys: pytest.CaptureFixture[str], *arguments: Any) -> str:
    assert main(["doctor", *(str(argument) for argument in arguments)]) == 0
    return capsys.readouterr().out


def test_a_dataset_of_more_speakers_is_seen(
    tiny_checkpoint: Path, two_speakers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = doctor(capsys, tiny_checkpoint, "--dataset", two_speakers)
    assert "a tiny voice of both (2 speakers, en-us):" in told
    assert "  resume: It has 1 speaker and the dataset 2 speakers. Choose warmstart." in told
    assert "  warmstart: possible" in told
    assert "\nresume: possible for tiny" in told, "of the checkpoint alone it is still said"


def test_every_preset_is_told_to_the_page(
    tiny_checkpoint: Path, two_speakers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = json.loads(doctor(capsys, tiny_checkpoint, "--json", "--dataset", two_speakers, "--language", "de"))
    told = report["for_dataset"]
    assert (told["speakers"], told["language"]) == (2, "de")
    assert told["starts"]["tiny"]["warmstart"] is None
    assert "16000 Hz" in told["starts"]["medium"]["resume"]
    checkpoint = read_checkpoint(tiny_checkpoint)
    assert "It speaks en-us and this run de" in str(starts_by_preset(checkpoint, "de", 1)["tiny"]["resume"])
    assert starts_by_preset(checkpoint, "en-us", 1)["tiny"] == {"resume": None, "warmstart": None, "vocoder": None}


def test_a_preset_may_be_asked_for(
    tiny_checkpoint: Path, demo_dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = doctor(capsys, tiny_checkpoint, "--dataset", demo_dataset, "--preset", "medium")
    assert "a medium voice of demo (1 speaker, en-us):" in told
    assert "  warmstart: Only" in told


def test_the_multi_resolution_discriminator_is_said(tmp_path: Path, write_checkpoint: Callable[..., Path]) -> None:
    from piper_core.vits.discriminators import MultiResolutionDiscriminator

    path = write_checkpoint(tmp_path / "mrd.ckpt")
    content = torch.load(path, weights_only=True)
    judges = MultiResolutionDiscriminator(0.0625).state_dict()
    content["state_dict"] |= {f"model_mrd.{name}": tensor for name, tensor in judges.items()}
    torch.save(content, path)
    report = describe(read_checkpoint(path))
    assert report["use_mrd"]
    assert "tiny" in report["resume"], "a run of the same kind can go on from it"
    without = replace(read_checkpoint(path), shapes=read_checkpoint(write_checkpoint(path)).shapes)
    assert not without.use_mrd


def test_a_dataset_that_is_none_is_said(tiny_checkpoint: Path, tmp_path: Path, capsys: Any) -> None:
    assert main(["doctor", str(tiny_checkpoint), "--dataset", str(tmp_path / "gone")]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
