"""One pass for both players gives what the losses' definitions and torch's own derivatives give."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from piper_core.vits.discriminators import Discriminators, MultiPeriodDiscriminator, MultiResolutionDiscriminator
from piper_core.vits.judging import judge
from piper_core.vits.losses import discriminator_loss, feature_matching_loss, generator_adversarial_loss


def taken(module: Discriminators) -> dict[str, Tensor]:
    found = {name: parameter.grad for name, parameter in module.named_parameters() if parameter.grad is not None}
    module.zero_grad(set_to_none=True)
    return found


@pytest.mark.parametrize(("weight", "loss_scale"), [(1.0, 1.0), (0.25, 1024.0)])
@pytest.mark.parametrize(
    ("kind", "width", "samples"),
    [
        (MultiPeriodDiscriminator, 0.2, 2310),
        (MultiPeriodDiscriminator, 0.03, 2048),
        (MultiResolutionDiscriminator, 0.2, 3000),
    ],
)  # fmt: skip
def test_losses_pull_and_gradients_are_those_of_the_definitions(
    kind: type[Discriminators], width: float, samples: int, weight: float, loss_scale: float
) -> None:
    """In double precision, so that nothing but a mistake makes a difference."""
    torch.manual_seed(0)
    group = kind(width).double()
    real = torch.randn(2, 1, samples, dtype=torch.float64) * 0.3
    generated = (torch.randn(2, 1, samples, dtype=torch.float64) * 0.3).requires_grad_()
    verdict = judge(group.parts, real, generated, weight=weight, loss_scale=loss_scale)
    ours = taken(group)

    (real_scores, real_maps), (scores, maps) = group(real), group(generated)
    in_double = [[layer.double() for layer in one] for one in maps]
    gen = generator_adversarial_loss(scores)
    fm = feature_matching_loss(real_maps, in_double)
    disc = discriminator_loss(real_scores, scores)
    (pull,) = torch.autograd.grad((gen + fm) * weight, generated, retain_graph=True)
    (disc * weight * loss_scale).backward()
    book = taken(group)

    for ours_one, book_one in ((verdict.gen, gen), (verdict.fm, fm), (verdict.disc, disc)):
        assert ours_one.item() == pytest.approx(book_one.item() * weight, rel=1e-5)
    assert not verdict.pull.requires_grad
    assert (verdict.pull - pull).norm() < 1e-5 * pull.norm()
    assert ours.keys() == book.keys() == dict(group.named_parameters()).keys()
    for name, gradient in book.items():
        assert (ours[name] - gradient).norm() < 1e-5 * gradient.norm() + 1e-12, name


def test_gradients_add_up_over_calls() -> None:
    torch.manual_seed(0)
    group = MultiPeriodDiscriminator(0.03)
    real, generated = torch.randn(4, 1, 2048) * 0.3, torch.randn(4, 1, 2048) * 0.3
    whole = judge(group.parts, real, generated)
    once = taken(group)
    halves = [judge(group.parts, real[i : i + 2], generated[i : i + 2], weight=0.5) for i in (0, 2)]
    twice = taken(group)
    assert sum(half.disc.item() for half in halves) == pytest.approx(whole.disc.item(), rel=1e-5)
    assert torch.allclose(torch.cat([half.pull for half in halves]), whole.pull, rtol=1e-3, atol=1e-8)
    for name, gradient in once.items():
        assert (twice[name] - gradient).norm() < 1e-4 * gradient.norm() + 1e-9, name


def test_nothing_is_left_to_go_back_through() -> None:
    group = MultiPeriodDiscriminator(0.03)
    generated = torch.randn(1, 1, 2048, requires_grad=True)
    judge(group.parts, torch.randn(1, 1, 2048), generated)
    assert generated.grad is None
