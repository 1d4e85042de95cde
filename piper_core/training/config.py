"""What a run is asked to do: the presets of Piper's voices and the `TrainingConfig`, torch-free.

The web process fills a `TrainingConfig`, writes it once as the run's config.json, and the trainer reads it.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

StartMode = Literal["scratch", "resume", "warmstart", "vocoder"]
Precision = Literal["auto", "32", "bf16-mixed", "16-mixed"]

PRECISIONS: tuple[Precision, ...] = ("auto", "32", "bf16-mixed", "16-mixed")
START_MODES: tuple[StartMode, ...] = ("scratch", "resume", "warmstart", "vocoder")
NUM_SYMBOLS = 256
"""Size of the phoneme table in Piper's voices since piper-tts 1.3; older checkpoints have 130."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class ConfigError(ValueError):
    """A training configuration that can't be used. The message says why and what to choose instead."""


@dataclass(frozen=True)
class Preset:
    """A size of voice: the sample rate and the widths of the VITS networks (Kim et al. 2021, appendix B)."""

    name: str
    sample_rate: int
    """Hertz."""
    summary: str
    """A line for people who choose."""
    quality: str
    """The word in the voice's file name: Piper's x_low, low, medium or high."""
    inter_channels: int = 192
    hidden_channels: int = 192
    filter_channels: int = 768
    n_heads: int = 2
    n_layers: int = 6
    resblock: str = "2"
    resblock_kernel_sizes: tuple[int, ...] = (3, 5, 7)
    resblock_dilation_sizes: tuple[tuple[int, ...], ...] = ((1, 2), (2, 6), (3, 12))
    upsample_rates: tuple[int, ...] = (8, 8, 4)
    upsample_initial_channel: int = 256
    upsample_kernel_sizes: tuple[int, ...] = (16, 16, 8)
    discriminator_width: float = 1.0
    """Share of the HiFi-GAN discriminators' channels; 1 is Piper's, smaller only in `tiny`."""


_HIGH_DECODER: dict[str, Any] = {
    "resblock": "1",
    "resblock_kernel_sizes": (3, 7, 11),
    "resblock_dilation_sizes": ((1, 3, 5), (1, 3, 5), (1, 3, 5)),
    "upsample_rates": (8, 8, 2, 2),
    "upsample_initial_channel": 512,
    "upsample_kernel_sizes": (16, 16, 4, 4),
}

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            "tiny", 16000, "to try the whole way on a processor in minutes; not for a voice to keep", "x_low",
            inter_channels=64, hidden_channels=64, filter_channels=128, n_layers=3,
            resblock_kernel_sizes=(3, 5), resblock_dilation_sizes=((1, 2), (2, 6)),
            upsample_initial_channel=128, discriminator_width=0.0625,
        ),
        Preset("x_low", 16000, "smallest and quickest to speak, 7 M parameters",
               "x_low", inter_channels=96, hidden_channels=96, filter_channels=384),
        Preset("low", 16000, "16 kHz, as large as medium", "low"),
        Preset("medium", 22050, "the usual choice, 24 M parameters", "medium"),
        Preset("high", 22050, "best sound, slowest to train and speak, 36 M parameters", "high", **_HIGH_DECODER),
    )
}  # fmt: skip


@dataclass(frozen=True)
class TrainingConfig:
    """All that is needed to run again. Each field's docstring is its help text on the Train page."""

    name: str
    """The run's name: letters, digits, `_`, `-` and `.`."""
    dataset: str
    """The dataset's folder, absolute."""
    voice_name: str | None = None
    """The voice's name in its file, `<lang_REGION>-<name>-<quality>`; none: the run's name."""
    metadata: str | None = None
    """The metadata file inside the dataset; none: the one that is found there."""
    language: str = "en-us"
    """The espeak-ng voice that turns text into phonemes."""
    preset: str = "medium"
    """The size of the voice."""
    checkpoint: str | None = None
    """A checkpoint to start from; none: random weights."""
    start: StartMode = "scratch"
    """resume: weights, optimizers and step; warmstart: every weight that fits, from step 0;
    vocoder: decoder, posterior encoder and flow only (another language or voice)."""
    max_steps: int | None = None
    """Stop after this many batches in all."""
    max_epochs: int | None = None
    """Stop after this many passes over the dataset."""
    batch_size: int = 8
    """Utterances in a step, on each device."""
    devices: int = 1
    """Cards of each machine that train together; on a processor, processes."""
    num_nodes: int = 1
    """Machines that train together; more than one are started by torchrun or Slurm."""
    num_workers: int = 1
    """Processes that load batches beside the trainer."""
    precision: Precision = "auto"
    """Number format of the networks' arithmetic; auto: bf16 where a short trial shows it faster."""
    seed: int = 1234
    """Start of every random choice."""
    validation_share: float = 0.05
    """Share of utterances held out for validation."""
    checkpoint_every_steps: int = 200
    """Batches between two writings of last.ckpt, which a resume goes on from."""
    keep_best: int = 3
    """Checkpoints kept beside the last, by validation mel loss."""
    sample_every_steps: int = 200
    """Batches between two spoken samples."""
    sample_texts: tuple[str, ...] = ()
    """Sentences spoken at each sampling; empty: transcripts of held-out utterances."""
    learning_rate: float = 2e-4
    """Of the generator (AdamW)."""
    learning_rate_d: float = 1e-4
    """Of the discriminators (AdamW)."""
    lr_decay: float = 0.999875
    """Factor of the generator's learning rate an epoch; 1 keeps it, as Piper's trainer does."""
    lr_decay_d: float = 0.9999
    """Factor of the discriminators' learning rate an epoch; 1 keeps it."""
    warmup_steps: int = 0
    """Batches over which the learning rates rise from 0 to their full value; 0: full from the first, as Piper's."""
    gradient_clip: float = 0.0
    """Largest norm of all of a side's gradients in a step; larger ones are scaled down to it. 0: as they are."""
    ema_decay: float = 0.0
    """Keeps a moving average of the generator's weights with this decay, as 0.999, and validates, speaks and exports
    with it; 0: none."""
    use_mrd: bool = False
    """Adds discriminators on spectrograms of three resolutions (UnivNet): finer detail, slower steps."""
    schema_version: int = field(default=1)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"{self.name!r} can't name a run: use 1 to 64 letters, digits, '_', '-', '.'; a letter or digit first."
            )
        if self.preset not in PRESETS:
            raise ConfigError(f"There is no preset {self.preset!r}; choose one of {', '.join(PRESETS)}.")
        if self.precision not in PRECISIONS:
            raise ConfigError(f"There is no precision {self.precision!r}; choose one of {', '.join(PRECISIONS)}.")
        if self.start not in START_MODES:
            raise ConfigError(f"There is no start {self.start!r}; choose one of {', '.join(START_MODES)}.")
        if (self.start == "scratch") != (self.checkpoint is None):
            raise ConfigError(
                "A checkpoint and its start (resume, warmstart or vocoder) go together: give both or none."
            )
        if self.max_steps is None and self.max_epochs is None:
            raise ConfigError("Say when to stop: a number of steps or of epochs.")
        for name in ("max_steps", "max_epochs", "batch_size", "devices", "num_nodes", "checkpoint_every_steps",
                     "sample_every_steps"):  # fmt: skip
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} is {value}; it has to be 1 or more.")
        for name in ("num_workers", "keep_best", "seed", "warmup_steps", "gradient_clip"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it has to be 0 or more.")
        for name in ("learning_rate", "learning_rate_d", "lr_decay", "lr_decay_d"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name):g}; it has to be above 0 and at most 1.")
        for name in ("validation_share", "ema_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name):g}; it has to be at least 0 and below 1.")

    @property
    def spoken_name(self) -> str:
        """What the voice is called: its own name, else the run's."""
        return self.voice_name or self.name

    def to_dict(self) -> dict[str, Any]:
        """As config.json holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainingConfig:
        """From config.json's content; names that this version does not know are left out.

        Raises ConfigError when a needed name is missing or a value can't be used.
        """
        known = {field.name for field in fields(cls)}
        given = {name: value for name, value in values.items() if name in known}
        if "sample_texts" in given:
            given["sample_texts"] = tuple(given["sample_texts"])
        missing = {"name", "dataset"} - given.keys()
        if missing:
            raise ConfigError(f"The configuration lacks {' and '.join(sorted(missing))}.")
        return cls(**given)
