"""VITS as a LightningModule: five losses, two optimizers by hand, and learning-rate schedules that step each epoch.

Kim, Kong, Son 2021, "Conditional Variational Autoencoder with Adversarial Learning for End-to-End Text-to-Speech",
section 2.4: L = L_mel + L_kl + L_dur + L_adv(G) + L_fm(G) for the generator, L_adv(D) for the discriminators.

One pass through the discriminators serves both sides. The generator's pull is the gradient of its adversarial and
feature-matching losses at its own output, taken without touching the discriminators' weight gradients; the rest of
its backward pass starts from there. tests/training/test_module.py holds this equal to the way with two passes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from piper_core.training import reduction
from piper_core.training.averaging import WeightAverage
from piper_core.training.data import Batch
from piper_core.training.memory import MicroBatches, is_out_of_memory, release_memory
from piper_core.training.position import loops_at, position_of
from piper_core.training.schedules import scaled_rates, warmup_factor
from piper_core.vits.discriminators import (
    Discriminators,
    MultiPeriodDiscriminator,
    MultiResolutionDiscriminator,
)
from piper_core.vits.judging import judge
from piper_core.vits.losses import kl_loss
from piper_core.vits.sequences import cut_segments
from piper_core.vits.spectrogram import clip_spectrograms, mel_filterbank, mel_spectrogram, spectrogram_to_mel
from piper_core.vits.synthesizer import Synthesizer
from piper_core.voices.checkpoint import AVERAGE_KEY, STUDIO_KEY, synthesizer_config

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class GeneratorPass:
    """What one pass through the generator gives: its cut-out audio beside the recorded, and three of the losses."""

    generated: Tensor
    """float [B, 1, segment]"""
    recorded: Tensor
    """float [B, 1, segment]"""
    mel: Tensor
    """L1 distance of log-mel spectrograms, unweighted, scalar"""
    kl: Tensor
    dur: Tensor


@dataclass(frozen=True)
class Share:
    """What part a batch is of a whole step: 1 where it is all of it, less where a step is made of several.

    Micro-batches of one process and batches of several processes are such parts. Their losses and gradients, summed,
    are those of the whole step: each loss is a mean over clips, frames or phonemes, so each part counts by its number.
    """

    clips: float | Tensor = 1.0
    frames: float | Tensor = 1.0
    phonemes: float | Tensor = 1.0


WHOLE = Share()


class VitsModule(pl.LightningModule):
    """`model_g` and `model_d` under the names of Piper's checkpoints.

    `hyper` is what `hyper_parameters` gives; `studio` is what a checkpoint keeps of ours under STUDIO_KEY
    (preset, language, speakers, feature settings); `discriminator_width` is below 1 in the preset tiny only.
    `warmup_steps` and `ema_decay` are as in TrainingConfig: Piper's hyper-parameters have no place for them.
    """

    def __init__(
        self,
        hyper: dict[str, Any],
        *,
        discriminator_width: float = 1.0,
        studio: dict[str, Any] | None = None,
        warmup_steps: int = 0,
        ema_decay: float = 0.0,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.save_hyperparameters(dict(hyper))
        self.studio = dict(studio or {})
        self.model_g = Synthesizer(synthesizer_config(hyper))
        self.model_d = MultiPeriodDiscriminator(width=discriminator_width)
        if hyper.get("use_mrd"):
            self.model_mrd = MultiResolutionDiscriminator(width=discriminator_width)
        self.mel_filters: Tensor
        filters = mel_filterbank(
            hyper["sample_rate"], hyper["filter_length"], hyper["mel_channels"], hyper["mel_fmin"], hyper["mel_fmax"]
        )
        self.register_buffer("mel_filters", filters, persistent=False)  # Piper's checkpoints hold none
        self.steps_done = 0
        """Batches trained on since step 0, over all resumes. (Lightning's global_step counts each optimizer's.)"""
        self.batches_done_in_epoch = 0
        self.epoch_at_hand = 0
        """That of `batches_done_in_epoch` and of the learning rates."""
        self._warmup_steps, self._ema_decay = warmup_steps, ema_decay
        self._average: WeightAverage | None = None
        self._stored_average: dict[str, Tensor] | None = None
        self.micro_batches = MicroBatches()
        self.latest: dict[str, Tensor] = {}
        """The latest step's losses, detached, on the device."""

    # Losses

    def generator_pass(self, batch: Batch) -> GeneratorPass:
        """Runs the generator on `batch`: reconstruction of a random segment of each utterance, with its losses."""
        hyper = self.hparams
        spectrogram, frames, audio = self.spectrogram(batch)
        speakers = batch.speaker_ids if hyper["num_speakers"] > 1 else None
        out = self.model_g(batch.phoneme_ids, batch.phoneme_lengths, spectrogram, frames, speakers)
        segment_frames = hyper["segment_size"] // hyper["hop_length"]
        recorded = cut_segments(audio[:, None], out.segment_start * hyper["hop_length"], hyper["segment_size"])
        with torch.autocast(self.device.type, enabled=False):
            # In float32: cuFFT knows no bfloat16, and a log of small powers wants the precision.
            mel_recorded = spectrogram_to_mel(
                cut_segments(spectrogram, out.segment_start, segment_frames), self.mel_filters
            )
            mel_generated = mel_spectrogram(
                out.audio.squeeze(1).float(),
                self.mel_filters,
                hyper["filter_length"],
                hyper["hop_length"],
                hyper["win_length"],
            )
            mel = F.l1_loss(mel_generated, mel_recorded)
            kl = kl_loss(out.z_p, out.logs_q, out.m_p, out.logs_p, out.spectrogram_mask)
            dur = out.duration_nll.float().sum()
        return GeneratorPass(out.audio, recorded, mel, kl, dur)

    def spectrogram(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Linear spectrogram float32 [B, 513, F], its lengths int64 [B] in frames, and audio float32 [B, N]."""
        audio = batch.audio.float() / 32768.0
        hyper = self.hparams
        with torch.autocast(self.device.type, enabled=False):
            spectrogram, frames = clip_spectrograms(
                audio, batch.audio_lengths, hyper["filter_length"], hyper["hop_length"], hyper["win_length"]
            )
        return spectrogram, frames, audio

    def discriminators(self) -> list[tuple[str, Discriminators]]:
        """Those that judge, each with the prefix of its losses' names."""
        resolution = [("mrd_", self.model_mrd)] if self.hparams.get("use_mrd") else []
        return [("", self.model_d), *resolution]

    def gradients(
        self,
        batch: Batch,
        loss_scale: float = 1.0,
        backward: Callable[[Tensor], None] = Tensor.backward,
        share: Share = WHOLE,
    ) -> dict[str, Tensor]:
        """Adds the gradients of both sides' losses on `batch` to the parameters, and returns the losses, detached.

        Gradients and losses are `share` of a step's: those of its parts add up to the step's.
        `loss_scale` keeps 16-bit gradients inside the discriminators from vanishing (float16 mixed precision).
        """
        hyper = self.hparams
        out = self.generator_pass(batch)
        mel, kl, dur = out.mel * share.clips, out.kl * share.frames, out.dur * share.phonemes
        judged: dict[str, Tensor] = {}
        pull = torch.zeros((), device=self.device)
        for prefix, discriminators in self.discriminators():
            verdict = judge(
                discriminators.parts, out.recorded, out.generated, weight=share.clips, loss_scale=loss_scale
            )
            judged |= {f"{prefix}{name}": getattr(verdict, name) for name in ("fm", "gen", "disc")}
            pull = pull + verdict.pull
        with torch.autocast(self.device.type, enabled=False):
            own = mel * hyper["c_mel"] + kl * hyper["c_kl"] + dur
            # d(own + <generated, pull>) is the gradient of the whole loss: pull is d(adversarial)/d(generated).
            surrogate = own + (out.generated.float() * pull).sum()
        backward(surrogate)
        disc = torch.stack([value for name, value in judged.items() if name.endswith("disc")]).sum()
        adversarial = torch.stack([value for name, value in judged.items() if not name.endswith("disc")]).sum()
        losses = {"loss_g": own + adversarial, "loss_d": disc, "mel": mel, "kl": kl, "dur": dur, **judged}
        return {name: value.detach().float() for name, value in losses.items()}

    # Lightning

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """One step of both optimizers, over the batches of all processes together."""
        optimizers = self.optimizers()
        assert isinstance(optimizers, list)
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        scale = scaler.get_scale() if scaler is not None else 1.0
        self.latest = self.step_gradients(batch, scale, self.manual_backward)
        self.update(optimizers, scaler)
        self.micro_batches.step_done()
        self.batches_done_in_epoch += 1

    def step_gradients(
        self, batch: Batch, loss_scale: float = 1.0, backward: Callable[[Tensor], None] = Tensor.backward
    ) -> dict[str, Tensor]:
        """The gradients of a whole step, left in the parameters, and its losses: `gradients` of all its parts added up.

        The parts are the batches of all processes, and their micro-batches where memory is short. Where it runs out,
        this process does its part again in smaller ones; the others wait for it where gradients are added up.
        Raises DoesNotFit when a single clip is too much.
        """
        whole = reduction.add_up(self._counts(batch))
        losses = self._in_parts(batch, whole, lambda part, share: self.gradients(part, loss_scale, backward, share))
        reduction.add_up_gradients(self.parameters())
        totals = reduction.add_up(torch.stack(list(losses.values())))
        return dict(zip(losses, totals.unbind(), strict=True))

    def _in_parts(
        self, batch: Batch, whole: Tensor, losses_of: Callable[[Batch, Share], dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        """The losses of `batch`, the sum over its micro-batches, which get smaller until memory suffices."""
        while True:
            losses: dict[str, Tensor] = {}
            try:
                for part in self.micro_batches.parts(batch):
                    for name, value in losses_of(part, self._share(part, batch, whole)).items():
                        losses[name] = losses[name] + value if name in losses else value
                return losses
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                _LOGGER.warning("Memory ran out with %d clips: %s", len(part.audio), str(error).partition("\n")[0])
            # Past the except clause, whose traceback kept the activations alive.
            self.zero_grad(set_to_none=True)
            release_memory(self.device)
            self.micro_batches.halve(batch, int(self.hparams["sample_rate"]))

    def _counts(self, batch: Batch) -> Tensor:
        """float64 [3]: the clips, frames and phonemes that the losses are means over."""
        frames = (batch.audio_lengths // self.hparams["hop_length"]).sum()
        clips = torch.full_like(frames, len(batch.audio))
        return torch.stack([clips, frames, batch.phoneme_lengths.sum()]).double()

    def _share(self, part: Batch, batch: Batch, whole: Tensor) -> Share:
        if part is batch and reduction.world_size() == 1:
            return WHOLE
        clips, frames, phonemes = (self._counts(part) / whole).float().unbind()
        return Share(clips, frames, phonemes)

    def update(self, optimizers: Sequence[Any], scaler: torch.amp.GradScaler | None = None) -> None:
        """A step of every optimizer on the gradients that are there, as the run's settings say; clears them."""
        clip = self.hparams["grad_clip"]
        with scaled_rates(optimizers, self.rate_factor(self.steps_done)):
            for optimizer in optimizers:
                if clip:
                    if scaler is not None:
                        scaler.unscale_(getattr(optimizer, "optimizer", optimizer))
                    parameters = [p for group in optimizer.param_groups for p in group["params"]]
                    nn.utils.clip_grad_norm_(parameters, clip)
                optimizer.step()
                optimizer.zero_grad()
        self.steps_done += 1
        if self._average is not None:
            self._average.update(self.steps_done)

    def rate_factor(self, steps_done: int) -> float:
        """What the optimizers' learning rates are multiplied by in the step after `steps_done`."""
        return warmup_factor(steps_done, self._warmup_steps)

    def averaged(self) -> AbstractContextManager[None]:
        """Inside it the generator has the averaged weights, where the run keeps an average."""
        return self._average.applied() if self._average is not None else nullcontext()

    def on_fit_start(self) -> None:
        """Begins the average of the weights, or takes up that of the checkpoint, now that the device is known."""
        if self._ema_decay > 0:
            self._average = WeightAverage(self.model_g, self._ema_decay)
            if self._stored_average is not None:
                self._average.load_state_dict(self._stored_average)
                self._stored_average = None

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Losses on held-out utterances with the same noise and segments each time, so that checkpoints compare.

        Every process listens to all of them, which takes no longer than if one did, and none has to wait.
        """

        def listen(part: Batch, share: Share) -> dict[str, Tensor]:
            out = self.generator_pass(part)
            return {
                "val_mel": out.mel * share.clips, "val_kl": out.kl * share.frames, "val_dur": out.dur * share.phonemes,
            }  # fmt: skip

        cards = [self.device] if self.device.type == "cuda" else []
        with self.averaged(), torch.random.fork_rng(devices=cards):
            torch.manual_seed(batch_idx)
            losses = self._in_parts(batch, self._counts(batch), listen)
        self.log_dict(losses, batch_size=len(batch.audio), on_epoch=True)

    def configure_optimizers(self) -> tuple[list[torch.optim.Optimizer], list[torch.optim.lr_scheduler.LRScheduler]]:
        """AdamW for generator and discriminators, each with its exponential decay an epoch."""
        hyper = self.hparams
        # One optimizer for all discriminators, in Piper's order: its checkpoints hold the state so.
        judges = [parameter for _, network in self.discriminators() for parameter in network.parameters()]
        optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(parameters, lr=hyper[rate], betas=tuple(hyper[betas]), eps=hyper["eps"], fused=True)
            for parameters, rate, betas in (
                (list(self.model_g.parameters()), "learning_rate", "betas"),
                (judges, "learning_rate_d", "betas_d"),
            )
        ]
        schedules: list[torch.optim.lr_scheduler.LRScheduler] = [
            torch.optim.lr_scheduler.ExponentialLR(optimizer, hyper[decay])
            for optimizer, decay in zip(optimizers, ("lr_decay", "lr_decay_d"), strict=True)
        ]
        return optimizers, schedules

    def on_train_epoch_start(self) -> None:
        """Decays the learning rates: by hand, as Lightning leaves schedules alone under manual optimization.

        At the start rather than the end of an epoch, so that a run resumed from an epoch's last step decays too; once
        an epoch, however often it is begun.
        """
        if self.current_epoch <= self.epoch_at_hand:
            return
        self.epoch_at_hand, self.batches_done_in_epoch = self.current_epoch, 0
        schedules = self.lr_schedulers()
        assert isinstance(schedules, list)
        for schedule in schedules:
            assert isinstance(schedule, torch.optim.lr_scheduler.ExponentialLR)
            schedule.step()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds our own key."""
        progress = {
            "step": self.steps_done,
            "epoch": self.epoch_at_hand,
            "batches_done_in_epoch": self.batches_done_in_epoch,
            "batches_per_epoch": self._batches_per_epoch(),
        }
        checkpoint[STUDIO_KEY] = {**self.studio, **progress}
        if self._average is not None:
            checkpoint[AVERAGE_KEY] = self._average.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes up the count of steps and the place in the epoch, and tells Lightning's loops of it."""
        self._stored_average = checkpoint.get(AVERAGE_KEY)
        position = position_of(checkpoint, self._batches_per_epoch())
        self.steps_done, self.batches_done_in_epoch = position.step, position.batch
        # Not that of the next batch: where it begins a new epoch, the rates have yet to decay.
        self.epoch_at_hand = int(checkpoint.get(STUDIO_KEY, {}).get("epoch", position.epoch))
        if self._trainer is not None:
            checkpoint["loops"] = loops_at(position, self.trainer.fit_loop.state_dict())

    def _batches_per_epoch(self) -> int:
        data = self._trainer.datamodule if self._trainer is not None else None  # type: ignore[attr-defined]
        return int(data.batches_per_epoch) if data is not None else 0
