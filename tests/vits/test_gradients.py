"""One step of generator and discriminators beside Piper's: the same losses, the same gradients."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from piper_core.vits.discriminators import MultiPeriodDiscriminator
from piper_core.vits.judging import judge
from piper_core.vits.losses import kl_loss
from piper_core.vits.sequences import cut_segments
from piper_core.vits.spectrogram import linear_spectrogram, mel_filterbank, mel_spectrogram, spectrogram_to_mel

MEL_WEIGHT = 45
FRAMES = 8
"""Decoded of each utterance."""
RELATIVE_TOLERANCE = 2e-4
"""Of the largest gradient in the same tensor: sums over thousands of samples in another order."""


def test_a_step_of_generator_and_discriminators(short_segment_twins, batch, piper_models) -> None:
    ours, theirs = short_segment_twins
    torch.manual_seed(0)
    my_discriminator, peer_discriminator = MultiPeriodDiscriminator(), piper_models.MultiPeriodDiscriminator()
    my_discriminator.load_state_dict(peer_discriminator.state_dict())
    audio = torch.randn(2, 1, 40 * 256) * 0.1
    spectrogram = linear_spectrogram(audio[:, 0])
    text = batch(ours.config)
    inputs = (text.phoneme_ids[:2], text.phoneme_lengths[:2], spectrogram, torch.tensor([40, 33]))
    filters = mel_filterbank(16000)
    mel = spectrogram_to_mel(spectrogram, filters)

    torch.manual_seed(9)
    out = ours(*inputs)
    real = cut_segments(audio, out.segment_start * 256, FRAMES * 256)
    verdict = judge(my_discriminator.parts, real, out.audio)
    my_losses = {
        "mel": F.l1_loss(cut_segments(mel, out.segment_start, FRAMES), mel_spectrogram(out.audio[:, 0], filters)),
        "kl": kl_loss(out.z_p, out.logs_q, out.m_p, out.logs_p, out.spectrogram_mask),
        "durations": out.duration_nll.sum(),
    }
    step({**my_losses, "pull": (out.audio * verdict.pull).sum()}, ours)
    my_losses |= {"features": verdict.fm, "adversarial": verdict.gen, "discriminator": verdict.disc}

    peer_losses = peers_step(theirs, peer_discriminator, inputs, audio, mel)

    assert my_losses.keys() == peer_losses.keys()
    for name, loss in my_losses.items():
        torch.testing.assert_close(loss, peer_losses[name], rtol=1e-5, atol=1e-5, msg=name)
    assert_same_gradients(ours, theirs)
    assert_same_gradients(my_discriminator, peer_discriminator)


def peers_step(
    generator: nn.Module, discriminator: nn.Module, inputs: tuple[Tensor, ...], audio: Tensor, mel: Tensor
) -> dict[str, Tensor]:
    """Piper's networks and losses, put together as its trainer does; leaves the gradients of both networks."""
    from piper.train.vits import losses
    from piper.train.vits.commons import slice_segments

    torch.manual_seed(9)
    generated, durations, _, start, _, mask, (_, z_p, m_p, logs_p, _, logs_q) = generator(*inputs)
    real = slice_segments(audio, start * 256, FRAMES * 256)
    _, scores, real_features, features = discriminator(real, generated)
    generated_mel = mel_spectrogram(generated[:, 0], mel_filterbank(16000))
    found = {
        "mel": F.l1_loss(slice_segments(mel, start, FRAMES), generated_mel),
        "kl": losses.kl_loss(z_p, logs_q, m_p, logs_p, mask),
        "durations": durations.sum(),
        "features": losses.feature_loss(real_features, features),
        "adversarial": losses.generator_loss(scores)[0],
    }
    step(found, generator)
    real_scores, scores, _, _ = discriminator(real, generated.detach())
    found["discriminator"] = losses.discriminator_loss(real_scores, scores)[0]
    discriminator.zero_grad()
    found["discriminator"].backward()
    return found


def step(losses: dict[str, Tensor], generator: nn.Module) -> None:
    generator.zero_grad()
    (losses["mel"] * MEL_WEIGHT + sum(loss for name, loss in losses.items() if name != "mel")).backward()


def assert_same_gradients(ours: nn.Module, theirs: nn.Module) -> None:
    peers = dict(theirs.named_parameters())
    compared = 0
    for name, parameter in ours.named_parameters():
        assert (parameter.grad is None) == (peers[name].grad is None), name
        if parameter.grad is None:
            continue
        scale = peers[name].grad.abs().max()
        difference = (parameter.grad - peers[name].grad).abs().max()
        assert difference <= RELATIVE_TOLERANCE * scale + 1e-6, f"{name}: {difference:g} of {scale:g}"
        compared += scale > 0
    assert compared > 0.9 * len(peers)
