"""VITS (Kim, Kong, Son 2021) as Piper trains it; torch alone, nothing of ours outside this package.

Shapes: B utterances, T phonemes, F spectrogram frames, N samples, C channels; masks are float [B, 1, T or F].

- `synthesizer`: `Synthesizer`, the whole generator: training pass and speech from phonemes
- `text_encoder`: phoneme ids -> prior mean and log deviation (Transformer with relative attention)
- `posterior_encoder`: linear spectrogram -> latent z (WaveNet)
- `flow`: z <-> the prior's space (residual coupling)
- `alignment`: which phoneme each frame belongs to (monotonic alignment search; durations -> path)
- `duration`: the stochastic duration predictor; `spline`: the rational-quadratic spline of its flows
- `decoder`: z -> audio (HiFi-GAN)
- `discriminators`: multi-period with multi-scale's first, and multi-resolution
- `judging`: one pass through them for both players of the game
- `losses`: adversarial, feature matching, KL
- `spectrogram`: linear and mel spectrograms
- `convolution`: every network's convolutions; `products`: as matrix products, for processors
- `wavenet`, `normalization`, `sequences`: shared layers, norms, masks and segments
"""
