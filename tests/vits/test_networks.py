"""Each network beside Piper's: same weights, inputs and random numbers, same numbers out."""

from __future__ import annotations

import pytest
import torch

from piper_core.vits.sequences import length_mask

VOICES = ("x_low", "medium", "high", "medium with 4 speakers")


def speaker_of(ours, inputs) -> torch.Tensor | None:
    return None if inputs.speaker_ids is None else ours.emb_g(inputs.speaker_ids)[:, :, None]


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


@pytest.mark.parametrize("voice", VOICES)
def test_text_encoder(twins, batch, close, voice: str) -> None:
    ours, theirs = twins(voice)
    inputs = batch(ours.config)
    for mine, peer in zip(
        ours.enc_p(inputs.phoneme_ids, inputs.phoneme_lengths),
        theirs.enc_p(inputs.phoneme_ids, inputs.phoneme_lengths),
        strict=True,
    ):
        close(mine, peer)


@pytest.mark.parametrize("voice", VOICES)
def test_posterior_encoder(twins, batch, close, voice: str) -> None:
    ours, theirs = twins(voice)
    inputs = batch(ours.config)
    speaker = speaker_of(ours, inputs)
    torch.manual_seed(3)
    mine = ours.enc_q(inputs.spectrogram, inputs.spectrogram_lengths, speaker)
    torch.manual_seed(3)
    peer = theirs.enc_q(inputs.spectrogram, inputs.spectrogram_lengths, speaker)
    for my_tensor, peer_tensor in zip(mine, peer, strict=True):
        close(my_tensor, peer_tensor)


@pytest.mark.parametrize("voice", VOICES)
def test_flow_both_ways(twins, batch, close, voice: str) -> None:
    ours, theirs = twins(voice)
    inputs = batch(ours.config)
    speaker = speaker_of(ours, inputs)
    mask = length_mask(inputs.spectrogram_lengths, 50)
    z = torch.randn(3, ours.config.inter_channels, 50)  # not masked: padding must not leak
    forward = ours.flow(z, mask, speaker)
    close(forward, theirs.flow(z, mask, speaker))
    close(ours.flow.inverse(z, mask, speaker), theirs.flow(z, mask, speaker, reverse=True))
    close(ours.flow.inverse(forward, mask, speaker) * mask, z * mask)


@pytest.mark.parametrize("voice", VOICES)
def test_duration_predictor_likelihood(twins, batch, close, voice: str) -> None:
    ours, theirs = twins(voice)
    inputs = batch(ours.config)
    speaker = speaker_of(ours, inputs)
    text = ours.enc_p(inputs.phoneme_ids, inputs.phoneme_lengths)
    durations = torch.randint(1, 9, (3, 1, 21)) * text.mask
    torch.manual_seed(4)
    mine = ours.dp(text.hidden, text.mask, durations, speaker)
    torch.manual_seed(4)
    peer = theirs.dp(text.hidden, text.mask, durations, g=speaker)
    close(mine / text.mask.sum(), peer / text.mask.sum())  # as the loss takes it


@pytest.mark.parametrize("voice", VOICES)
def test_duration_predictor_sampling(twins, batch, close, voice: str) -> None:
    ours, theirs = twins(voice)
    inputs = batch(ours.config)
    speaker = speaker_of(ours, inputs)
    text = ours.enc_p(inputs.phoneme_ids, inputs.phoneme_lengths)
    torch.manual_seed(5)
    mine = ours.dp.sample(text.hidden, text.mask, speaker, noise_scale=0.8)
    torch.manual_seed(5)
    peer = theirs.dp(text.hidden, text.mask, g=speaker, reverse=True, noise_scale=0.8)
    close(mine, peer)


@pytest.mark.parametrize("voice", VOICES)
def test_decoder(twins, batch, close, voice: str) -> None:
    ours, theirs = twins(voice)
    inputs = batch(ours.config)
    speaker = speaker_of(ours, inputs)
    z = torch.randn(3, ours.config.inter_channels, 6)
    audio = ours.dec(z, speaker)
    assert audio.shape == (3, 1, 6 * ours.config.hop_length)
    close(audio, theirs.dec(z, speaker))
