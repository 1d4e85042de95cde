"""Discriminators: beside Piper's, and narrower ones."""

from __future__ import annotations

import pytest
import torch

from piper_core.vits.discriminators import MultiPeriodDiscriminator, MultiResolutionDiscriminator


@pytest.mark.parametrize(
    ("kind", "samples"),
    [(MultiPeriodDiscriminator, 8192), (MultiPeriodDiscriminator, 2310), (MultiResolutionDiscriminator, 4096)],
)
def test_scores_and_feature_maps(piper_models, close, kind: type, samples: int) -> None:
    torch.manual_seed(0)
    ours, theirs = kind(), getattr(piper_models, kind.__name__)()
    ours.load_state_dict(theirs.state_dict())
    real, generated = torch.randn(2, 1, samples) * 0.3, torch.randn(2, 1, samples) * 0.3
    with torch.no_grad():
        (real_scores, real_maps), (generated_scores, generated_maps) = ours(real), ours(generated)
        peer = theirs(real, generated)
    for my_list, peer_list in zip((real_scores, generated_scores, real_maps, generated_maps), peer, strict=True):
        assert len(my_list) == len(peer_list)
        for my_one, peer_one in zip(my_list, peer_list, strict=True):
            if isinstance(peer_one, torch.Tensor):
                close(my_one, peer_one)
            else:
                for my_layer, peer_layer in zip(my_one, peer_one, strict=True):
                    close(my_layer, peer_layer)


@pytest.mark.parametrize("width", [1.0, 0.5, 0.3, 0.125, 0.1, 0.01])
def test_any_width_divides_into_groups(width: int) -> None:
    discriminator = MultiPeriodDiscriminator(width)
    scores, features = discriminator(torch.randn(1, 1, 1000))
    assert len(scores) == 6
    assert [len(maps) for maps in features] == [7, 6, 6, 6, 6, 6]
    assert features[0][3].shape[1] == max(1, round(1024 * width))


def test_the_tiny_presets_width_is_a_small_share() -> None:
    def size(width: float) -> int:
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in MultiPeriodDiscriminator(width).parameters())

    assert size(1.0) == 46_747_132
    assert size(0.125) < size(1.0) / 50
