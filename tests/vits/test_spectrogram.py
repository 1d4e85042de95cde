"""Spectrograms: number for number Piper's and librosa's, and by the physics of pure tones."""

from __future__ import annotations

import math

import pytest
import torch

from piper_core.vits.spectrogram import linear_spectrogram, mel_filterbank, mel_spectrogram, spectrogram_to_mel


@pytest.fixture
def audio() -> torch.Tensor:
    torch.manual_seed(0)
    return (torch.randn(2, 9000) * 0.1).clamp(-1, 1)


def test_same_as_pipers(close, audio, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("librosa")
    from piper.train.vits import mel_processing as theirs

    monkeypatch.setattr(theirs, "mel_basis", {})  # they are kept without their rate: another test may have had another
    linear = linear_spectrogram(audio)
    close(linear, theirs.spectrogram_torch(audio, 1024, 22050, 256, 1024))
    filters = mel_filterbank(22050)
    close(spectrogram_to_mel(linear, filters), theirs.spec_to_mel_torch(linear, 1024, 80, 22050, 0.0, None))
    close(
        mel_spectrogram(audio, filters),
        theirs.mel_spectrogram_torch(audio, 1024, 80, 22050, 256, 1024, 0.0, None),
    )


@pytest.mark.parametrize(
    ("rate", "n_fft", "n_mels", "fmin", "fmax"),
    [(22050, 1024, 80, 0.0, None), (16000, 1024, 80, 0.0, None), (44100, 2048, 128, 50.0, 12000.0)],
)
def test_filterbank_is_librosas(rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float | None) -> None:
    librosa = pytest.importorskip("librosa")
    theirs = torch.from_numpy(librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax))
    torch.testing.assert_close(mel_filterbank(rate, n_fft, n_mels, fmin, fmax), theirs, rtol=1e-5, atol=1e-8)


def test_each_hop_gives_a_frame() -> None:
    for samples in (1024, 2048, 2303, 2304):
        assert linear_spectrogram(torch.zeros(1, samples)).shape == (1, 513, samples // 256)


@pytest.mark.parametrize("hertz", [440.0, 3000.0, 9000.0])
def test_a_pure_tone_lies_in_its_bin_with_half_the_windows_sum(hertz: float) -> None:
    rate = 22050
    tone = 0.5 * torch.sin(2 * math.pi * hertz * torch.arange(rate, dtype=torch.float64) / rate).float()
    spectrum = linear_spectrogram(tone[None])[0, :, 40]
    assert spectrum.argmax().item() == round(hertz * 1024 / rate)
    # A tone between two bins loses at most 1.42 dB of amplitude / 2 * sum of the Hann window (512).
    assert 0.84 * 128 <= spectrum.max().item() <= 1.01 * 128


def test_filters_have_unit_area() -> None:
    filters = mel_filterbank(22050)
    assert ((filters.sum(1) * 22050 / 1024)[20:] - 1).abs().max() < 0.05


def test_silence_has_a_finite_floor_and_gradient() -> None:
    silence = torch.zeros(1, 4096, requires_grad=True)
    mel = mel_spectrogram(silence, mel_filterbank(22050))
    assert torch.isfinite(mel).all()
    mel.sum().backward()
    assert torch.isfinite(silence.grad).all()
