"""The whole generator: beside Piper's, and by what must hold for any weights."""

from __future__ import annotations

import pytest
import torch

from piper_core.vits.synthesizer import Synthesizer, SynthesizerConfig

VOICES = ("x_low", "medium", "high", "medium with 4 speakers")
SMALL = SynthesizerConfig(
    inter_channels=8, hidden_channels=8, filter_channels=16, n_layers=2, upsample_initial_channel=32
)


def assert_same_pass(mine, peer, close) -> None:
    audio, durations, attention, start, phoneme_mask, frame_mask, (z, z_p, m_p, logs_p, m_q, logs_q) = peer
    assert torch.equal(mine.attention, attention), "another alignment"
    assert torch.equal(mine.segment_start, start)
    assert torch.equal(mine.phoneme_mask, phoneme_mask)
    assert torch.equal(mine.spectrogram_mask, frame_mask)
    close(mine.audio, audio)
    close(mine.duration_nll, durations)
    for name, tensor in {"z": z, "z_p": z_p, "m_p": m_p, "logs_p": logs_p, "m_q": m_q, "logs_q": logs_q}.items():
        close(getattr(mine, name), tensor)


@pytest.mark.parametrize("training", [True, False], ids=["with dropout", "without dropout"])
@pytest.mark.parametrize("voice", VOICES)
def test_training_pass(twins, batch, close, voice: str, training: bool) -> None:
    ours, theirs = twins(voice)
    ours.train(training)
    theirs.train(training)
    inputs = batch(ours.config)
    with torch.no_grad():
        torch.manual_seed(6)
        mine = ours(*inputs)
        torch.manual_seed(6)
        peer = theirs(*inputs)
    assert_same_pass(mine, peer, close)


@pytest.mark.parametrize("voice", VOICES)
def test_speech(twins, batch, close, voice: str) -> None:
    ours, theirs = twins(voice)
    inputs = batch(ours.config)
    with torch.no_grad():
        torch.manual_seed(7)
        mine = ours.infer(inputs.phoneme_ids, inputs.phoneme_lengths, inputs.speaker_ids, 0.6, 1.1, 0.7)
        torch.manual_seed(7)
        peer = theirs.infer(inputs.phoneme_ids, inputs.phoneme_lengths, inputs.speaker_ids, 0.6, 1.1, 0.7)
    assert torch.equal(mine.attention, peer[1])
    assert torch.equal(mine.mask, peer[2])
    close(mine.audio, peer[0])


def test_speaker_changes_the_voice(twins, batch) -> None:
    ours, _ = twins("medium with 4 speakers")
    inputs = batch(ours.config)
    with torch.no_grad():
        heard = []
        for speaker in (0, 1):
            torch.manual_seed(8)
            speakers = torch.full((3,), speaker)
            speech = ours.infer(inputs.phoneme_ids, inputs.phoneme_lengths, speakers, noise_w=0.0, max_frames=8)
            heard.append(speech.audio)
    assert (heard[0] - heard[1]).abs().max() > 1e-4


def test_padding_changes_nothing_that_is_spoken(batch) -> None:
    torch.manual_seed(0)
    synthesizer = Synthesizer(SMALL).eval()
    inputs = batch(SMALL)
    with torch.no_grad():
        together = synthesizer.infer(inputs.phoneme_ids, inputs.phoneme_lengths, noise_scale=0.0, noise_w=0.0)
        for row, length in enumerate(inputs.phoneme_lengths.tolist()):
            alone = synthesizer.infer(
                inputs.phoneme_ids[row : row + 1, :length], torch.tensor([length]), noise_scale=0.0, noise_w=0.0
            )
            # The decoder looks some frames ahead, into the padding: compare what it can't see from there.
            samples = (int(alone.mask.sum()) - 12) * SMALL.hop_length
            assert int(together.mask[row].sum()) == int(alone.mask.sum())
            if samples > 0:
                torch.testing.assert_close(
                    together.audio[row, :, :samples], alone.audio[0, :, :samples], rtol=1e-4, atol=1e-6
                )


def test_speech_is_as_long_as_its_phonemes(batch) -> None:
    torch.manual_seed(0)
    synthesizer = Synthesizer(SMALL).eval()
    inputs = batch(SMALL)
    with torch.no_grad():
        plain = synthesizer.infer(inputs.phoneme_ids, inputs.phoneme_lengths, noise_w=0.0)
        slow = synthesizer.infer(inputs.phoneme_ids, inputs.phoneme_lengths, noise_w=0.0, length_scale=3.0)
        cut = synthesizer.infer(inputs.phoneme_ids, inputs.phoneme_lengths, noise_w=0.0, max_frames=4)
    frames_of_phonemes = plain.attention.sum(2)  # [B, 1, T]
    for row, length in enumerate(inputs.phoneme_lengths.tolist()):
        assert (frames_of_phonemes[row, 0, :length] >= 1).all()
        assert (frames_of_phonemes[row, 0, length:] == 0).all()
    assert torch.equal(frames_of_phonemes.sum(2), plain.mask.sum(2))
    assert plain.audio.shape[2] == plain.mask.shape[2] * SMALL.hop_length
    assert slow.mask.sum() > 1.5 * plain.mask.sum()
    assert cut.audio.shape[2] == 4 * SMALL.hop_length


def test_training_pass_of_utterances_shorter_than_a_segment(batch) -> None:
    torch.manual_seed(0)
    synthesizer = Synthesizer(SMALL)
    inputs = batch(SMALL)._replace(spectrogram_lengths=torch.tensor([30, 22, 21]))
    out = synthesizer(*inputs._replace(spectrogram=inputs.spectrogram[:, :, :30]))
    assert out.audio.shape == (3, 1, SMALL.segment_size)
    assert (out.segment_start == 0).all()
    assert torch.isfinite(out.audio).all()


def test_reduced_precision_trains_with_finite_numbers(batch) -> None:
    torch.manual_seed(0)
    synthesizer = Synthesizer(SMALL)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = synthesizer(*batch(SMALL))
    assert out.duration_nll.dtype == torch.float32
    (out.audio.float().square().mean() + out.duration_nll.sum()).backward()
    for name, parameter in synthesizer.named_parameters():
        if parameter.grad is not None:
            assert torch.isfinite(parameter.grad).all(), name


def test_duration_loss_teaches_nothing_to_the_text_encoder(batch) -> None:
    torch.manual_seed(0)
    synthesizer = Synthesizer(SMALL)
    synthesizer(*batch(SMALL)).duration_nll.sum().backward()
    assert all(parameter.grad is None for parameter in synthesizer.enc_p.parameters())
    assert any(parameter.grad is not None for parameter in synthesizer.dp.parameters())


def test_several_speakers_want_to_be_told_apart(batch) -> None:
    config = SynthesizerConfig(
        num_speakers=2, inter_channels=8, hidden_channels=8, filter_channels=16, n_layers=1, upsample_initial_channel=32
    )
    assert config.gin_channels == 512
    inputs = batch(config)
    with pytest.raises(ValueError, match="2 speakers: give speaker_ids"):
        Synthesizer(config).infer(inputs.phoneme_ids, inputs.phoneme_lengths)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"upsample_rates": (8, 8, 2)}, "multiply to another number than 256"),
        ({"segment_size": 8000}, "no multiple of hop_length"),
        ({"hidden_channels": 193}, "can't be shared by 2 heads"),
        ({"inter_channels": 95}, "needs an even number"),
        ({"resblock": "3"}, 'it is "1" or "2"'),
    ],
)
def test_sizes_that_do_not_fit_are_refused(fields: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SynthesizerConfig(**fields)
