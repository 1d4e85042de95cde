"""One pass through a discriminator for both players of the game, forward and back.

The discriminator learns from its own loss; the generator wants the gradient of two other losses, adversarial and
feature matching, at its output alone. Both need the same forward pass, and the same layers on the way back, where
three gradients travel as one batch: the discriminator's over real and over generated audio, and the generator's over
generated audio, which asks for no weight's gradient. A discriminator's activations are gone before the next begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from piper_core.vits.convolution import Convolution
from piper_core.vits.discriminators import SLOPE, Discriminator
from piper_core.vits.losses import discriminator_loss, generator_adversarial_loss


@dataclass(frozen=True)
class Verdict:
    """What discriminators say of a batch. Losses are scalars in float32, without a graph."""

    gen: Tensor
    """The generator's adversarial loss (losses.generator_adversarial_loss)."""
    fm: Tensor
    """Feature matching (losses.feature_matching_loss)."""
    disc: Tensor
    """The discriminators' own (losses.discriminator_loss)."""
    pull: Tensor
    """d(gen + fm) / d(generated), float32 [B, 1, N]."""


@torch.no_grad()
def judge(
    discriminators: Sequence[Discriminator],
    real: Tensor,
    generated: Tensor,
    *,
    weight: float | Tensor = 1.0,
    loss_scale: float = 1.0,
) -> Verdict:
    """Adds the gradient of `weight * loss_scale * disc` to the discriminators' parameters; says all that is in Verdict.

    Shape: real and generated [B, 1, N]. Losses and pull are those of `weight`, a batch's share of a step; `loss_scale`
    keeps gradients of half precision from vanishing on the way, and is taken out of the pull again.
    """
    verdicts = [_judge(one, real, generated, weight, loss_scale) for one in discriminators]
    return Verdict(*(torch.stack(parts).sum(0) for parts in zip(*verdicts, strict=True)))


def _judge(
    discriminator: Discriminator, real: Tensor, generated: Tensor, weight: float | Tensor, loss_scale: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(gen, fm, disc, pull) of one discriminator."""
    half, device = real.shape[0], real.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else real.dtype
    with torch.autocast(device, enabled=False):
        with torch.enable_grad():
            at_output = generated.detach().to(real.dtype).requires_grad_()
            heard = discriminator.hear(at_output)
        x = torch.cat([discriminator.hear(real), heard.detach()]).to(dtype)
        kernels, inputs = [], []
        for layer in discriminator.layers:
            inputs.append(x)
            with torch.enable_grad():
                kernels.append(layer.kernel(x, dtype))
            x = layer.run(x, kernels[-1])
            if layer is not discriminator.conv_post:
                F.leaky_relu_(x, SLOPE)
        gen, disc, gradient = _of_scores(x, half, weight, loss_scale)
        fm = [_match(x, gradient, half, weight, loss_scale)]
        for layer in reversed(discriminator.layers):
            if layer is not discriminator.conv_post:
                _through_leaky_relu(gradient, x)
            x, kernel = inputs.pop(), kernels.pop()
            _add_gradients(layer, kernel, *layer.kernel_gradient(x, kernel, gradient[: 2 * half]))
            if inputs:
                gradient = layer.input_gradient(x, kernel, gradient)
                fm.append(_match(x, gradient, half, weight, loss_scale))
        # What real audio would get, nobody wants.
        of_heard = layer.input_gradient(x[half:], kernel, gradient[2 * half :]).to(real.dtype)
        (pull,) = torch.autograd.grad(heard, at_output, of_heard / loss_scale)
    return gen, torch.stack(fm).sum(), disc, pull


def _of_scores(scores: Tensor, half: int, weight: float | Tensor, loss_scale: float) -> tuple[Tensor, Tensor, Tensor]:
    """gen, disc, and the gradients of disc by both halves of the scores and of gen by the second: [3 B, ...]."""
    real, generated = scores[:half].float(), scores[half:].float()
    gen, disc = generator_adversarial_loss([generated]), discriminator_loss([real], [generated])
    slope = 2 * weight * loss_scale / real.numel()
    gradient = torch.cat([(real - 1) * slope, generated * slope, (generated - 1) * slope]).to(scores.dtype)
    return gen * weight, disc * weight, gradient


def _match(x: Tensor, gradient: Tensor, half: int, weight: float | Tensor, loss_scale: float) -> Tensor:
    """Feature matching of one map [2 B, ...]; its gradient is added to the generator's, the last B of `gradient`."""
    difference = x[half:] - x[:half]
    share = 2 * weight / difference.numel()
    fm = difference.abs().sum(dtype=torch.float32) * share
    gradient[2 * half :] += difference.sign_() * (share * loss_scale)
    return fm


def _through_leaky_relu(gradient: Tensor, y: Tensor) -> None:
    """Makes the gradients [3 B, ...] by a LeakyReLU's outputs y [2 B, ...] those by its inputs, in place."""
    half = y.shape[0] // 2
    for part, output in ((gradient[: 2 * half], y), (gradient[2 * half :], y[half:])):
        torch.ops.aten.leaky_relu_backward.grad_input(part, output, SLOPE, True, grad_input=part)


def _add_gradients(layer: Convolution, kernel: Tensor, of_kernel: Tensor, of_bias: Tensor | None) -> None:
    torch.autograd.backward([kernel], [of_kernel.to(kernel.dtype)])
    if layer.bias is not None and of_bias is not None:
        of_bias = of_bias.to(layer.bias.dtype)
        layer.bias.grad = of_bias if layer.bias.grad is None else layer.bias.grad + of_bias
