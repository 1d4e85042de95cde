"""The losses of VITS (Kim et al. 2021, section 2.3), in single precision whatever the networks' is.

The mel loss is the plain mean |difference| of `spectrogram.mel_spectrogram`; the duration loss is the sum of
`SynthesizerOutput.duration_nll`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


def generator_adversarial_loss(generated_scores: Iterable[Tensor]) -> Tensor:
    """Least squares to 1 on generated audio (LSGAN, Mao et al. 2017; VITS eq. 9): sum over discriminators, a scalar."""
    return _total((1 - score.float()).square().mean() for score in generated_scores)


def discriminator_loss(real_scores: Iterable[Tensor], generated_scores: Iterable[Tensor]) -> Tensor:
    """Least squares to 1 on real and to 0 on generated audio (VITS eq. 8): sum over discriminators, a scalar."""
    return _total(
        (1 - real.float()).square().mean() + generated.float().square().mean()
        for real, generated in zip(real_scores, generated_scores, strict=True)
    )


def feature_matching_loss(
    real_features: Sequence[Sequence[Tensor]], generated_features: Sequence[Sequence[Tensor]]
) -> Tensor:
    """Mean |difference| of each layer's features, summed, times 2 (Larsen et al. 2016; HiFi-GAN's weight), a scalar.

    No gradient flows into the real audio's features.
    """
    return 2 * _total(
        (real.detach().float() - generated.float()).abs().mean()
        for real_maps, generated_maps in zip(real_features, generated_features, strict=True)
        for real, generated in zip(real_maps, generated_maps, strict=True)
    )


def kl_loss(z_p: Tensor, logs_q: Tensor, m_p: Tensor, logs_p: Tensor, mask: Tensor) -> Tensor:
    """One-sample estimate of KL(q(z | x) || p(z | text)) (VITS eq. 3-4), summed over channels, a mean frame; scalar.

    Shape: z_p (the sample in the prior's space), logs_q, and the prior's m_p, logs_p laid out over frames:
    [B, C, F]; mask [B, 1, F]. The posterior's own term is taken at its expectation, -logs_q - 1/2.
    """
    z_p, logs_q, m_p, logs_p, mask = (tensor.float() for tensor in (z_p, logs_q, m_p, logs_p, mask))
    divergence = logs_p - logs_q - 0.5 + 0.5 * (z_p - m_p).square() * torch.exp(-2 * logs_p)
    return (divergence * mask).sum() / mask.sum()


def _total(terms: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(terms)).sum()
