"""A configuration as the `hyper_parameters` of a Piper checkpoint, from which the networks are built."""

from __future__ import annotations

from typing import Any

from piper_core.training.config import NUM_SYMBOLS, PRESETS, TrainingConfig


def hyper_parameters(config: TrainingConfig, num_speakers: int = 1) -> dict[str, Any]:
    """The `hyper_parameters` of a Piper checkpoint (piper-tts 1.8.0), from which the networks are built."""
    preset = PRESETS[config.preset]
    return {
        "batch_size": config.batch_size,
        "sample_rate": preset.sample_rate,
        "num_symbols": NUM_SYMBOLS,
        "num_speakers": num_speakers,
        "resblock": preset.resblock,
        "resblock_kernel_sizes": preset.resblock_kernel_sizes,
        "resblock_dilation_sizes": preset.resblock_dilation_sizes,
        "upsample_rates": preset.upsample_rates,
        "upsample_initial_channel": preset.upsample_initial_channel,
        "upsample_kernel_sizes": preset.upsample_kernel_sizes,
        "filter_length": 1024,
        "hop_length": 256,
        "win_length": 1024,
        "mel_channels": 80,
        "mel_fmin": 0.0,
        "mel_fmax": None,
        "inter_channels": preset.inter_channels,
        "hidden_channels": preset.hidden_channels,
        "filter_channels": preset.filter_channels,
        "n_heads": preset.n_heads,
        "n_layers": preset.n_layers,
        "kernel_size": 3,
        "p_dropout": 0.1,
        "n_layers_q": 3,
        "use_spectral_norm": False,
        "gin_channels": 512 if num_speakers > 1 else 0,
        "use_sdp": True,
        "segment_size": 8192,
        "use_mrd": config.use_mrd,
        "learning_rate": config.learning_rate,
        "learning_rate_d": config.learning_rate_d,
        "betas": (0.8, 0.99),
        "betas_d": (0.5, 0.9),
        "eps": 1e-9,
        "lr_decay": config.lr_decay,
        "lr_decay_d": config.lr_decay_d,
        "init_lr_ratio": 1.0,
        "warmup_epochs": 0,
        "c_mel": 45,
        "c_kl": 1.0,
        "grad_clip": config.gradient_clip or None,  # stored by Piper, never used there
        "vocoder_warmstart_ckpt": None,
        "warmstart_ckpt": None,
        "mos_metric": None,
        "dataset": None,
    }
