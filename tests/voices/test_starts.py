"""Which starts a checkpoint allows for a run, why not the others, and what is copied."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from piper_core.dataset.text import phoneme_id_map
from piper_core.training.config import PRESETS, TrainingConfig
from piper_core.vits.discriminators import MultiPeriodDiscriminator
from piper_core.vits.synthesizer import Synthesizer
from piper_core.voices.checkpoint import (
    Checkpoint,
    apply_start,
    load_weights,
    possible_starts,
    read_checkpoint,
    synthesizer_config,
)
from piper_core.voices.networks import described_by, preset_shapes


def config(preset: str) -> TrainingConfig:
    return TrainingConfig(name="run", dataset="/data", preset=preset, max_steps=1)


def checkpoint_of(preset: str, num_speakers: int = 1, num_symbols: int = 256) -> Checkpoint:
    return Checkpoint(
        path=Path("some.ckpt"),
        preset=preset,
        quality=PRESETS[preset].quality,
        sample_rate=PRESETS[preset].sample_rate,
        num_symbols=num_symbols,
        num_speakers=num_speakers,
        step=10,
        epoch=1,
        made_by="piper-tts",
        hyper_parameters={},
        shapes=dict(preset_shapes(PRESETS[preset], num_symbols, num_speakers)),
        optimizer_parameters=(700, 100),
    )


def new_networks(preset: str, num_speakers: int = 1) -> nn.Module:
    torch.manual_seed(99)
    module = nn.Module()
    module.model_g = Synthesizer(synthesizer_config(described_by(PRESETS[preset]) | {"num_speakers": num_speakers}))
    module.model_d = MultiPeriodDiscriminator(PRESETS[preset].discriminator_width)
    return module


def test_the_same_preset_allows_every_start() -> None:
    starts = possible_starts(checkpoint_of("medium"), config("medium"))
    assert starts == {"resume": None, "warmstart": None, "vocoder": None}


def without_optimizers() -> Checkpoint:
    return replace(checkpoint_of("medium"), optimizer_parameters=())


def with_another_discriminator() -> Checkpoint:
    medium = checkpoint_of("medium")
    return replace(medium, shapes=medium.shapes | {"model_mrd.discriminators.0.conv_post.bias": (1,)})


@pytest.mark.parametrize(
    ("make", "preset", "speakers", "said"),
    [
        (lambda: checkpoint_of("medium"), "low", 1, "22050 Hz"),
        (lambda: checkpoint_of("medium"), "medium", 2, "1 speaker and the dataset 2 speakers"),
        (lambda: checkpoint_of("medium", num_symbols=130), "medium", 1, "130 phoneme symbols"),
        (lambda: checkpoint_of("medium"), "high", 1, "decoder differ"),
        (without_optimizers, "medium", 1, "optimizers"),
        (with_another_discriminator, "medium", 1, "Turn use_mrd on"),
    ],
)
def test_a_resume_that_would_fail_is_refused_with_the_reason(
    make: Callable[[], Checkpoint], preset: str, speakers: int, said: str
) -> None:
    starts = possible_starts(make(), config(preset), speakers)
    assert said in str(starts["resume"])
    assert starts["warmstart"] is None, "what can't be resumed can still be built upon"


def test_resuming_wants_the_same_discriminators() -> None:
    with_mrd = replace(checkpoint_of("medium"), shapes=dict(preset_shapes(PRESETS["medium"], 256, 1, True)))
    run_with_mrd = replace(config("medium"), use_mrd=True)
    assert with_mrd.use_mrd
    assert possible_starts(with_mrd, run_with_mrd) == {"resume": None, "warmstart": None, "vocoder": None}
    starts = possible_starts(checkpoint_of("medium"), run_with_mrd)
    assert "Turn use_mrd off" in str(starts["resume"])
    assert starts["warmstart"] is None, "the new discriminators start as they are made"


def note(**entries: Any) -> dict[str, Any]:
    return {"studio": entries}


@pytest.mark.parametrize(
    ("theirs", "asked", "refused"), [("de", "en-us", True), ("en-gb-x-rp", "en-us", False), ("en_GB", "en", False)]
)
def test_resuming_wants_the_language_that_was_learned(theirs: str, asked: str, refused: bool) -> None:
    speaks = replace(checkpoint_of("medium"), **note(language=theirs))
    starts = possible_starts(speaks, replace(config("medium"), language=asked))
    assert (starts["warmstart"], starts["vocoder"]) == (None, None)
    if refused:
        assert f"It speaks {theirs} and this run {asked}" in str(starts["resume"])
    else:
        assert starts["resume"] is None


def test_resuming_wants_the_same_phoneme_numbers(tmp_path: Path) -> None:
    table = phoneme_id_map()
    beside = {"espeak": {"voice": "en-us"}, "phoneme_id_map": table}
    checkpoint = replace(checkpoint_of("medium"), path=tmp_path / "some.ckpt")
    (tmp_path / "config.json").write_text(json.dumps(beside))
    assert possible_starts(checkpoint, config("medium"))["resume"] is None
    beside["phoneme_id_map"] = table | {"a": table["b"], "b": table["a"]}
    (tmp_path / "config.json").write_text(json.dumps(beside))
    said = str(possible_starts(checkpoint, config("medium"))["resume"])
    assert "other numbers than piper-tts to 2 phonemes" in said


def test_starts_across_presets() -> None:
    starts = possible_starts(checkpoint_of("x_low"), config("medium"))
    assert "decoder" in str(starts["vocoder"])
    starts = possible_starts(checkpoint_of("tiny"), config("medium"))
    assert "tiny" not in str(starts["warmstart"])
    assert "medium" in str(starts["warmstart"])
    assert possible_starts(checkpoint_of("low"), config("medium"))["vocoder"] is None


def test_a_voice_of_many_speakers_can_start_one_of_one() -> None:
    starts = possible_starts(checkpoint_of("medium", num_speakers=4), config("medium"))
    assert (starts["warmstart"], starts["vocoder"]) == (None, None)


def test_warmstart_copies_every_weight_that_fits(tiny_checkpoint: Path) -> None:
    weights = load_weights(tiny_checkpoint)
    module = new_networks("tiny")
    assert not torch.equal(module.state_dict()["model_g.dec.conv_pre.weight"], weights["model_g.dec.conv_pre.weight"])
    applied = apply_start(module, weights, "warmstart")
    assert (applied.copied, applied.resized, applied.skipped) == (len(weights), (), ())
    assert all(torch.equal(tensor, weights[name]) for name, tensor in module.state_dict().items())


def test_an_old_alphabet_gives_its_130_rows(tmp_path: Path, write_checkpoint: Callable[..., Path]) -> None:
    path = write_checkpoint(tmp_path / "old.ckpt", num_symbols=130)
    weights, module = load_weights(path), new_networks("tiny")
    table = "model_g.enc_p.emb.weight"
    before = module.state_dict()[table].clone()
    applied = apply_start(module, weights, "warmstart")
    after = module.state_dict()[table]
    assert applied.resized == (table,)
    assert torch.equal(after[:130], weights[table])
    assert torch.equal(after[130:], before[130:])


def test_vocoder_copies_decoder_posterior_and_flow_alone(tiny_checkpoint: Path) -> None:
    weights, module = load_weights(tiny_checkpoint), new_networks("tiny")
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    apply_start(module, weights, "vocoder")
    for name, tensor in module.state_dict().items():
        taken = name.startswith(("model_g.dec.", "model_g.enc_q.", "model_g.flow."))
        assert torch.equal(tensor, weights[name] if taken else before[name]), name


def test_what_stays_new_is_said_in_words(tmp_path: Path, write_checkpoint: Callable[..., Path]) -> None:
    weights = load_weights(write_checkpoint(tmp_path / "one.ckpt"))
    applied = apply_start(new_networks("tiny", num_speakers=2), weights, "warmstart")
    assert "speaker table" in applied.message
    assert "model_g.emb_g.weight" in applied.skipped


def test_resume_is_not_done_here(tiny_checkpoint: Path) -> None:
    with pytest.raises(ValueError, match="resume"):
        apply_start(new_networks("tiny"), {}, "resume")


def test_the_report_reads_a_real_file(tiny_checkpoint: Path) -> None:
    starts = possible_starts(read_checkpoint(tiny_checkpoint), config("tiny"))
    assert starts == {"resume": None, "warmstart": None, "vocoder": None}
