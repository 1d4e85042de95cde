"""Names, shapes and order of the weights: what lets Piper and us read each other's checkpoints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from piper_core.vits.discriminators import MultiPeriodDiscriminator, MultiResolutionDiscriminator
from piper_core.vits.synthesizer import Synthesizer, SynthesizerConfig

VOICES = ("x_low", "medium", "high", "medium with 4 speakers")
CONTRACTS = ("x_low", "medium", "high", "medium_4speakers", "medium_mrd")


def shapes(module: nn.Module, prefix: str = "") -> list[tuple[str, list[int]]]:
    return [(prefix + name, list(tensor.shape)) for name, tensor in module.state_dict().items()]


def parameter_order(module: nn.Module) -> list[str]:
    return [name for name, _ in module.named_parameters()]


@pytest.mark.parametrize("voice", VOICES)
def test_synthesizer_and_piper_load_each_other_strictly(twins, voice: str) -> None:
    ours, theirs = twins(voice)
    assert shapes(ours) == shapes(theirs)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    theirs.load_state_dict(ours.state_dict(), strict=True)


@pytest.mark.parametrize("voice", VOICES)
def test_parameters_come_in_the_order_that_a_saved_optimizer_numbers_them(twins, voice: str) -> None:
    ours, theirs = twins(voice)
    assert parameter_order(ours) == parameter_order(theirs)


@pytest.mark.parametrize("kind", ["MultiPeriodDiscriminator", "MultiResolutionDiscriminator"])
def test_discriminators_and_piper_load_each_other_strictly(piper_models, kind: str) -> None:
    own = {"MultiPeriodDiscriminator": MultiPeriodDiscriminator}.get(kind, MultiResolutionDiscriminator)
    ours, theirs = own(), getattr(piper_models, kind)()
    assert shapes(ours) == shapes(theirs)
    assert parameter_order(ours) == parameter_order(theirs)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    theirs.load_state_dict(ours.state_dict(), strict=True)


@pytest.mark.parametrize("name", CONTRACTS)
def test_contract_of_names_and_shapes(contract_file: Path, name: str) -> None:
    contract = json.loads(contract_file.read_text(encoding="utf-8"))[name]
    hyper = contract["hyper_parameters"]
    fields = SynthesizerConfig.__dataclass_fields__
    config = SynthesizerConfig(**{field: _tuples(hyper[field]) for field in fields})
    with torch.device("meta"):  # shapes only: nothing is drawn
        generator, discriminator = Synthesizer(config), MultiPeriodDiscriminator()
        networks = shapes(generator, "model_g.") + shapes(discriminator, "model_d.")
        if hyper["use_mrd"]:
            networks += shapes(MultiResolutionDiscriminator(), "model_mrd.")
    assert networks == list(contract["state_dict"].items())
    assert sum(p.numel() for p in generator.parameters()) == contract["generator_parameters"]
    assert sum(p.numel() for p in discriminator.parameters()) == contract["discriminator_parameters"]


def _tuples(value: object) -> object:
    return tuple(_tuples(part) for part in value) if isinstance(value, list) else value


def test_weights_folded_for_export_speak_the_same_and_hold_no_split_weight(batch) -> None:
    torch.manual_seed(0)
    synthesizer = Synthesizer(SynthesizerConfig(inter_channels=8, hidden_channels=8, filter_channels=16, n_layers=1))
    synthesizer.eval()
    inputs = batch(synthesizer.config)
    with torch.no_grad():
        torch.manual_seed(1)
        split = synthesizer.infer(inputs.phoneme_ids, inputs.phoneme_lengths).audio
        synthesizer.remove_weight_norm()
        synthesizer.remove_weight_norm()  # once more does no harm
        torch.manual_seed(1)
        folded = synthesizer.infer(inputs.phoneme_ids, inputs.phoneme_lengths).audio
    torch.testing.assert_close(folded, split, rtol=1e-5, atol=1e-6)
    assert not [name for name, _ in synthesizer.named_parameters() if name.endswith(("weight_g", "weight_v"))]
