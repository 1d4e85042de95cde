"""The generator of VITS, whole: the training pass, and speech from phonemes (Kim et al. 2021, figure 1)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from piper_core.vits.alignment import log_likelihoods, maximum_path, path_from_durations
from piper_core.vits.decoder import Decoder
from piper_core.vits.duration import StochasticDurationPredictor
from piper_core.vits.flow import ResidualCouplingFlow
from piper_core.vits.normalization import remove_weight_norms
from piper_core.vits.posterior_encoder import PosteriorEncoder
from piper_core.vits.sequences import cut_segments, length_mask, random_segment_starts
from piper_core.vits.text_encoder import TextEncoder

SPEAKER_CHANNELS = 512
"""Width of a speaker's vector in Piper's voices with several speakers."""


@dataclass(frozen=True)
class SynthesizerConfig:
    """Sizes of the networks; the defaults are Piper's `medium`. Raises ValueError where they don't fit together."""

    num_symbols: int = 256
    """Size of the phoneme table."""
    num_speakers: int = 1
    """Speakers in the voice."""
    gin_channels: int = 0
    """Width of a speaker's vector; 0 becomes 512 where there is more than one speaker."""
    filter_length: int = 1024
    """Samples of the spectrogram's Fourier transform."""
    hop_length: int = 256
    """Samples a frame."""
    segment_size: int = 8192
    """Samples decoded of each utterance in a training step."""
    inter_channels: int = 192
    """Of the latent z."""
    hidden_channels: int = 192
    """Of text encoder, posterior encoder, flow and duration predictor."""
    filter_channels: int = 768
    """Of the text encoder's feed-forward layers."""
    n_heads: int = 2
    """Attention heads."""
    n_layers: int = 6
    """Layers of the text encoder."""
    kernel_size: int = 3
    """Of the text encoder's feed-forward layers."""
    p_dropout: float = 0.1
    """Dropout of the text encoder."""
    resblock: str = "2"
    """Kind of the decoder's residual blocks, "1" or "2" (HiFi-GAN)."""
    resblock_kernel_sizes: tuple[int, ...] = (3, 5, 7)
    """A residual block each, in every stage."""
    resblock_dilation_sizes: tuple[tuple[int, ...], ...] = ((1, 2), (2, 6), (3, 12))
    """Dilations of each of them."""
    upsample_rates: tuple[int, ...] = (8, 8, 4)
    """A stage each; their product is the hop length."""
    upsample_initial_channel: int = 256
    """Width before the first stage."""
    upsample_kernel_sizes: tuple[int, ...] = (16, 16, 8)
    """Kernel of each stage's transposed convolution."""

    def __post_init__(self) -> None:
        if self.num_speakers > 1 and self.gin_channels == 0:
            object.__setattr__(self, "gin_channels", SPEAKER_CHANNELS)
        if math.prod(self.upsample_rates) != self.hop_length:
            raise ValueError(f"upsample_rates {self.upsample_rates} multiply to another number than {self.hop_length}.")
        if self.segment_size % self.hop_length:
            raise ValueError(f"segment_size {self.segment_size} is no multiple of hop_length {self.hop_length}.")
        if self.hidden_channels % self.n_heads:
            raise ValueError(f"hidden_channels {self.hidden_channels} can't be shared by {self.n_heads} heads.")
        if self.inter_channels % 2:
            raise ValueError(f"inter_channels is {self.inter_channels}; the flow needs an even number.")
        if self.resblock not in ("1", "2"):
            raise ValueError(f'resblock is {self.resblock!r}; it is "1" or "2".')

    @property
    def spec_channels(self) -> int:
        """Bins of the linear spectrogram."""
        return self.filter_length // 2 + 1

    @property
    def segment_frames(self) -> int:
        """Frames decoded of each utterance in a training step."""
        return self.segment_size // self.hop_length


class SynthesizerOutput(NamedTuple):
    """What the losses need of a training pass."""

    audio: Tensor
    """Generated segments, [B, 1, segment_size]."""
    duration_nll: Tensor
    """Each utterance's bound on -log p(durations), over the number of phonemes in the whole batch, [B]: its sum,
    in nats a phoneme, is the duration loss."""
    attention: Tensor
    """1 where frame f belongs to phoneme t, [B, 1, F, T]."""
    segment_start: Tensor
    """First frame of each segment, [B] int64."""
    phoneme_mask: Tensor
    """[B, 1, T]."""
    spectrogram_mask: Tensor
    """[B, 1, F]."""
    z: Tensor
    """Posterior sample, [B, C, F]."""
    z_p: Tensor
    """z in the prior's space, [B, C, F]."""
    m_p: Tensor
    """Prior's mean, laid out over frames, [B, C, F]."""
    logs_p: Tensor
    """Prior's log deviation, laid out over frames, [B, C, F]."""
    m_q: Tensor
    """Posterior's mean, [B, C, F]."""
    logs_q: Tensor
    """Posterior's log deviation, [B, C, F]."""


class Speech(NamedTuple):
    """Spoken phonemes. Audio past an utterance's end (mask 0) is silence made by the decoder: cut it off."""

    audio: Tensor
    """Within -1 .. 1, [B, 1, F * hop_length]."""
    attention: Tensor
    """1 where frame f belongs to phoneme t, [B, 1, F, T]."""
    mask: Tensor
    """1 inside each utterance, [B, 1, F]."""


class Synthesizer(nn.Module):
    """Text encoder, posterior encoder, flow, duration predictor and decoder, named as in Piper's checkpoints."""

    def __init__(self, config: SynthesizerConfig) -> None:
        super().__init__()
        self.config = config
        self.enc_p = TextEncoder(
            config.num_symbols,
            config.inter_channels,
            config.hidden_channels,
            config.filter_channels,
            config.n_heads,
            config.n_layers,
            config.kernel_size,
            config.p_dropout,
        )
        self.dec = Decoder(
            config.inter_channels,
            config.resblock,
            config.resblock_kernel_sizes,
            config.resblock_dilation_sizes,
            config.upsample_rates,
            config.upsample_initial_channel,
            config.upsample_kernel_sizes,
            config.gin_channels,
        )
        hidden, latent, speaker = config.hidden_channels, config.inter_channels, config.gin_channels
        self.enc_q = PosteriorEncoder(config.spec_channels, latent, hidden, speaker)
        self.flow = ResidualCouplingFlow(latent, hidden, speaker)
        self.dp = StochasticDurationPredictor(hidden, gin_channels=speaker)
        if config.num_speakers > 1:
            self.emb_g = nn.Embedding(config.num_speakers, speaker)

    def forward(
        self,
        phoneme_ids: Tensor,
        phoneme_lengths: Tensor,
        spectrogram: Tensor,
        spectrogram_lengths: Tensor,
        speaker_ids: Tensor | None = None,
    ) -> SynthesizerOutput:
        """The training pass.

        Shape: phoneme_ids [B, T] int64, phoneme_lengths [B], spectrogram [B, spec_channels, F],
        spectrogram_lengths [B] in frames, speaker_ids [B] int64 where there are several speakers.
        """
        speaker = self._speaker(speaker_ids)
        text = self.enc_p(phoneme_ids, phoneme_lengths)
        posterior = self.enc_q(spectrogram, spectrogram_lengths, speaker)
        z_p = self.flow(posterior.z, posterior.mask, speaker)

        # The path decides which text each frame trains: single precision, also under autocast.
        with torch.no_grad(), torch.autocast(z_p.device.type, enabled=False):
            likelihoods = log_likelihoods(z_p.float(), text.mean.float(), text.log_deviation.float())
            path = maximum_path(likelihoods, posterior.mask.transpose(1, 2) * text.mask)

        durations = path.sum(dim=1, keepdim=True)
        duration_nll = self.dp(text.hidden, text.mask, durations, speaker) / text.mask.sum()

        start = random_segment_starts(spectrogram_lengths, self.config.segment_frames)
        audio = self.dec(cut_segments(posterior.z, start, self.config.segment_frames), speaker)
        return SynthesizerOutput(
            audio=audio,
            duration_nll=duration_nll,
            attention=path[:, None],
            segment_start=start,
            phoneme_mask=text.mask,
            spectrogram_mask=posterior.mask,
            z=posterior.z,
            z_p=z_p,
            m_p=_over_frames(text.mean, path),
            logs_p=_over_frames(text.log_deviation, path),
            m_q=posterior.mean,
            logs_q=posterior.log_deviation,
        )

    def infer(
        self,
        phoneme_ids: Tensor,
        phoneme_lengths: Tensor,
        speaker_ids: Tensor | None = None,
        noise_scale: float | Tensor = 0.667,
        length_scale: float | Tensor = 1.0,
        noise_w: float | Tensor = 0.8,
        max_frames: int | None = None,
    ) -> Speech:
        """Speak phonemes. Shapes as `forward`'s.

        Args:
            noise_scale: share of the prior's deviation that is drawn.
            length_scale: factor of every duration; above 1 is slower.
            noise_w: share of the duration predictor's deviation that is drawn.
            max_frames: decode no more than this.
        """
        speaker = self._speaker(speaker_ids)
        text = self.enc_p(phoneme_ids, phoneme_lengths)
        log_durations = self.dp.sample(text.hidden, text.mask, speaker, noise_w)
        durations = torch.ceil(torch.exp(log_durations) * text.mask * length_scale)
        lengths = durations.sum(dim=(1, 2)).clamp(min=1).long()
        mask = length_mask(lengths, lengths.max())
        path = path_from_durations(durations, mask.transpose(1, 2) * text.mask)

        mean = _over_frames(text.mean, path)
        deviation = torch.exp(_over_frames(text.log_deviation, path))
        z_p = mean + torch.randn_like(mean) * deviation * noise_scale
        z = self.flow.inverse(z_p, mask, speaker) * mask
        return Speech(self.dec(z[:, :, :max_frames], speaker), path[:, None], mask)

    def remove_weight_norm(self) -> None:
        """Fold all split weights into plain ones, for export; the state dict then no longer fits a checkpoint."""
        remove_weight_norms(self)

    def _speaker(self, speaker_ids: Tensor | None) -> Tensor | None:
        """Vectors [B, gin_channels, 1]; none for a voice of one speaker. Raises ValueError when ids are missing."""
        if self.config.num_speakers <= 1:
            return None
        if speaker_ids is None:
            raise ValueError(f"This voice has {self.config.num_speakers} speakers: give speaker_ids.")
        return self.emb_g(speaker_ids)[:, :, None]


def _over_frames(x: Tensor, path: Tensor) -> Tensor:
    """Lay columns a phoneme out over frames: [B, C, T], path [B, F, T] -> [B, C, F]."""
    return (path.to(x.dtype) @ x.transpose(1, 2)).transpose(1, 2)
