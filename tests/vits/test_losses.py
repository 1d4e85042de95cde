"""The losses: beside Piper's, and by hand."""

from __future__ import annotations

import math

import pytest
import torch

from piper_core.vits.losses import discriminator_loss, feature_matching_loss, generator_adversarial_loss, kl_loss


@pytest.fixture
def scores() -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    torch.manual_seed(0)
    return [torch.randn(2, n) for n in (5, 9)], [torch.randn(2, n) for n in (5, 9)]


def test_same_as_pipers(close, scores) -> None:
    from piper.train.vits import losses as theirs

    real, generated = scores
    close(generator_adversarial_loss(generated), theirs.generator_loss(generated)[0])
    close(discriminator_loss(real, generated), theirs.discriminator_loss(real, generated)[0])
    maps = [[torch.randn(2, 3, 7), torch.randn(2, 4)], [torch.randn(2, 6)]]
    others = [[layer + torch.randn_like(layer) for layer in layers] for layers in maps]
    close(feature_matching_loss(maps, others), theirs.feature_loss(maps, others))
    latents = [torch.randn(2, 6, 11) for _ in range(4)]
    mask = torch.ones(2, 1, 11)
    mask[1, :, 6:] = 0
    close(kl_loss(*latents, mask), theirs.kl_loss(*latents, mask))


def test_a_perfect_generator_has_no_adversarial_loss() -> None:
    assert generator_adversarial_loss([torch.ones(2, 3), torch.ones(2, 8)]) == 0
    assert generator_adversarial_loss([torch.zeros(2, 3), torch.zeros(2, 8)]) == 2


def test_a_perfect_discriminator_has_no_loss_and_a_fooled_one_has() -> None:
    ones, zeros = [torch.ones(2, 3)], [torch.zeros(2, 3)]
    assert discriminator_loss(ones, zeros) == 0
    assert discriminator_loss(zeros, ones) == 2


def test_feature_matching_teaches_the_generated_side_only() -> None:
    real = torch.zeros(1, 4, requires_grad=True)
    generated = torch.full((1, 4), 0.5, requires_grad=True)
    loss = feature_matching_loss([[real]], [[generated]])
    loss.backward()
    assert loss.item() == 1.0  # twice the mean difference
    assert real.grad is None
    assert torch.equal(generated.grad, torch.full((1, 4), 0.5))


def test_kl_is_that_of_two_normal_distributions() -> None:
    # Averaged over many samples of q, the estimate is the closed form.
    torch.manual_seed(0)
    m_q, logs_q, m_p, logs_p = 0.3, -0.5, -0.2, 0.1
    z = m_q + math.exp(logs_q) * torch.randn(1, 1, 400_000)
    of = torch.full_like(z, 1.0)
    estimate = kl_loss(z, logs_q * of, m_p * of, logs_p * of, of)
    exact = torch.distributions.kl_divergence(
        torch.distributions.Normal(m_q, math.exp(logs_q)), torch.distributions.Normal(m_p, math.exp(logs_p))
    )
    assert estimate.item() == pytest.approx(exact.item(), abs=0.01)


def test_losses_of_half_precision_networks_are_single_precision(scores) -> None:
    real, generated = ([score.bfloat16() for score in side] for side in scores)
    assert discriminator_loss(real, generated).dtype == torch.float32
    assert generator_adversarial_loss(generated).dtype == torch.float32
    assert feature_matching_loss([real], [generated]).dtype == torch.float32
