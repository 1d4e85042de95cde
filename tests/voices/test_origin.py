"""What a checkpoint's voice is called and speaks, from the note in it, its run, or the files beside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from piper_core.training.config import TrainingConfig
from piper_core.voices.origin import Origin, origin_of


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder, with the path of its checkpoint."""
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    checkpoint.parent.mkdir(parents=True)
    config = TrainingConfig(name="of-the-run", dataset="/d", language="nl", max_steps=1)
    (tmp_path / "run" / "config.json").write_text(json.dumps(config.to_dict()))
    return checkpoint


def test_the_note_counts_before_the_run(run: Path) -> None:
    assert origin_of(run, {}) == Origin(name="of-the-run", language="nl")
    assert origin_of(run, {"language": "de", "speakers": {"A": 0}}) == Origin("of-the-run", "de", {"A": 0})
    assert origin_of(run, {"language": 7, "name": "", "speakers": []}) == Origin("of-the-run", "nl")


def test_a_voice_json_beside_is_read(tmp_path: Path) -> None:
    content = {
        "dataset": "en_GB-alba-medium",
        "espeak": {"voice": "en-gb-x-rp"},
        "phoneme_id_map": {"_": [0], "a": [14], "odd": "x"},
        "speaker_id_map": {"alba": 0},
    }
    (tmp_path / "config.json").write_text(json.dumps(content))
    assert origin_of(tmp_path / "epoch=1.ckpt", {}) == Origin("alba", "en-gb-x-rp", {"alba": 0}, {"_": [0], "a": [14]})


def test_the_yaml_of_lightnings_command_line_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text('seed_everything: 1\ndata:\n  espeak_voice: pl\n  voice_name: "Ala"\n')
    checkpoint = tmp_path / "checkpoints" / "epoch=1.ckpt"
    assert origin_of(checkpoint, {}) == Origin("Ala", "pl")


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe", b'{"espeak": "en", "phoneme_id_map": {}}'])
def test_files_that_say_nothing_do_no_harm(tmp_path: Path, content: bytes) -> None:
    for name in ("config.json", "config.yaml", "last.ckpt.json"):
        (tmp_path / name).write_bytes(content)
    assert origin_of(tmp_path / "last.ckpt", {}) == Origin()
