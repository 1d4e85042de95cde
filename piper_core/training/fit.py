"""The heavy half of the trainer: networks, loaders and Lightning's Trainer, from prepared features to the last step."""

from __future__ import annotations

import gc
import logging
import math
import os
import platform
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.environments import LightningEnvironment

from cache_utils.store import CacheStore
from piper_core.dataset.text import phoneme_ids
from piper_core.features import FEATURE_VERSION, FeatureSettings, PreparedUtterance, load_features
from piper_core.runs.run import Run
from piper_core.settings import Settings
from piper_core.system.cores import cores
from piper_core.training.callbacks import LastStep, RunStopped, SaveCheckpoints, Watch
from piper_core.training.checkpoints import AtomicCheckpointIO, remove_leftovers
from piper_core.training.config import PRESETS, TrainingConfig
from piper_core.training.data import VitsDataModule, collate, split
from piper_core.training.events import Events
from piper_core.training.hyper_parameters import hyper_parameters
from piper_core.training.module import VitsModule
from piper_core.training.obedience import Follow, Obey
from piper_core.training.precision import Choice, choose_precision, former_choice, processor
from piper_core.training.randomness import SeedSteps
from piper_core.training.ranks import Place
from piper_core.training.reporter import Reporter
from piper_core.training.samples import Sentence, SpeakSamples
from piper_core.training.together import AddedUp, Work, decided
from piper_core.voices.checkpoint import Checkpoint, apply_start, load_weights, possible_starts, read_checkpoint

_LOGGER = logging.getLogger(__name__)

VALIDATION_CLIPS = 64
"""Held-out clips listened to at each validation, at most: enough for a steady figure."""
SPOKEN_SAMPLES = 3


class StartRefused(ValueError):
    """A checkpoint that this run can't start from. The message says why and what to do."""


@dataclass(frozen=True)
class Ended:
    """How the fit ended, and at which step."""

    outcome: Literal["finished", "stopped"]
    step: int
    trouble: str | None = None
    """Why its last step could not be saved."""


def read_start(config: TrainingConfig, num_speakers: int) -> Checkpoint | None:
    """The checkpoint to start from, None for scratch. Raises StartRefused or CheckpointError with a sentence."""
    if config.checkpoint is None:
        return None
    checkpoint = read_checkpoint(Path(config.checkpoint))
    reason = possible_starts(checkpoint, config, num_speakers)[config.start]
    if reason is not None:
        raise StartRefused(f"{checkpoint.path.name} can't be used for {config.start}: {reason}")
    return checkpoint


def fit(
    run: Run,
    work: Work,
    settings: Settings,
    store: CacheStore,
    reporter: Reporter | None,
    stop_signalled: Callable[[], bool],
    place: Place,
) -> Ended:
    """Trains until the configured end or a request to stop, whichever comes first.

    Several processes call it together; those other than rank 0 have no `reporter`, and write nothing.
    """
    config = work.config
    quiet()
    device = torch.device("cuda", place.local_rank) if torch.cuda.is_available() else torch.device("cpu")
    prepare_torch(device, place.local_world)
    pl.seed_everything(config.seed, workers=True, verbose=False)
    module = build_module(config, work.features, work.speakers)
    training, held_out = split(work.prepared.utterances, config.validation_share, config.seed)
    data = VitsDataModule(
        training,
        held_out[:VALIDATION_CLIPS],
        store,
        batch_size=config.batch_size,
        num_workers=config.num_workers,
        seed=config.seed,
        pin_memory=device.type == "cuda",
        processes=place.world,
    )
    start_step, note = _start(module, config)
    total_steps = _total_steps(config, data.batches_per_epoch)
    if start_step >= total_steps:
        return Ended("finished", start_step)
    choice = decided(lambda: _precision(module, config, data, total_steps - start_step, device, note))
    _LOGGER.info("Precision %s. %s", choice.precision, choice.reason)
    module.studio |= {"precision": choice.precision, "processor": processor(device)}
    _LOGGER.info(
        "To run again: %s.", ", ".join(f"{name} {value}" for name, value in module.studio["made_with"].items())
    )
    callbacks: list[pl.Callback] = [SeedSteps(config.seed), LastStep(config.max_steps)]
    saver: SaveCheckpoints | None = None
    if reporter is None:
        callbacks.append(Follow())
    else:
        remove_leftovers(run.checkpoints_dir)
        events = _events(settings.tensorboard_log_dir / run.name, start_step, reporter)
        watch = Watch(run, reporter, events, total_steps=total_steps)
        saver = SaveCheckpoints(run, reporter, watch, every_steps=config.checkpoint_every_steps, keep=config.keep_best)
        sentences = _sentences(config, held_out or training, store)
        callbacks += [
            watch,
            saver,
            SpeakSamples(run, sentences, events, every_steps=config.sample_every_steps),
            Obey(run, reporter, watch, saver, stop_signalled),
        ]
    trainer = pl.Trainer(
        accelerator="cuda" if device.type == "cuda" else "cpu",
        devices=config.devices,
        num_nodes=config.num_nodes,
        strategy=AddedUp() if place.world > 1 else "auto",
        use_distributed_sampler=False,  # the loader's batches are shared out already
        precision=choice.lightning,
        max_steps=-1,
        max_epochs=-1 if config.max_epochs is None else config.max_epochs,
        val_check_interval=config.checkpoint_every_steps,
        check_val_every_n_epoch=None,
        limit_val_batches=1.0 if held_out else 0,
        num_sanity_val_steps=0,
        callbacks=callbacks,
        # Alone in a batch script of Slurm, Lightning must not take the script's tasks for processes of the run.
        plugins=[AtomicCheckpointIO(), *([] if place.world > 1 else [LightningEnvironment()])],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=run.folder,
    )
    resumed = config.checkpoint if config.start == "resume" else None
    try:
        trainer.fit(module, datamodule=data, ckpt_path=resumed)
        outcome: Literal["finished", "stopped"] = "finished"
    except RunStopped:
        outcome = "stopped"
    finally:
        step = module.steps_done
        if device.type == "cuda":
            module.to("cpu")
            gc.collect()
            torch.cuda.empty_cache()
    return Ended(outcome, step, saver.trouble if saver else None)


def _events(folder: Path, start_step: int, reporter: Reporter) -> Events | None:
    events = Events.open(folder, start_step)
    if events is None:
        _LOGGER.info("tensorboard is not installed: the run goes on without its event files.")
        reporter.note("tensorboard", "TensorBoard is not installed, so no event files are written.")
    return events


def build_module(config: TrainingConfig, feature_settings: FeatureSettings, speakers: dict[str, int]) -> VitsModule:
    studio = {
        "name": config.spoken_name,
        "preset": config.preset,
        "language": config.language,
        "speakers": dict(speakers),
        "features": asdict(feature_settings),
        "feature_version": FEATURE_VERSION,
        "phoneme_map": "piper-tts default",
        "made_with": {
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "pytorch_lightning": pl.__version__,
            "threads": torch.get_num_threads(),
            "seed": config.seed,
        },
    }
    width = PRESETS[config.preset].discriminator_width
    return VitsModule(
        hyper_parameters(config, max(1, len(speakers))),
        discriminator_width=width,
        studio=studio,
        warmup_steps=config.warmup_steps,
        ema_decay=config.ema_decay,
    )


def _start(module: VitsModule, config: TrainingConfig) -> tuple[int, dict[str, Any]]:
    """Copies the weights of a warmstart or vocoder start; returns the step that the run goes on from.

    And what our trainer noted in the checkpoint of a resume; nothing for the other starts.
    """
    if config.checkpoint is None:
        return 0, {}
    path = Path(config.checkpoint)
    if config.start == "resume":
        checkpoint = read_checkpoint(path)
        return checkpoint.step, checkpoint.studio  # Lightning loads it
    with torch.no_grad():
        applied = apply_start(module, load_weights(path), config.start)
    _LOGGER.info("%s from %s: %s", config.start, path.name, applied.message)
    return 0, {}


def _total_steps(config: TrainingConfig, batches_per_epoch: int) -> int:
    limits = [config.max_steps or math.inf]
    if config.max_epochs is not None:
        limits.append(config.max_epochs * batches_per_epoch)
    return int(min(limits))


def _precision(
    module: VitsModule,
    config: TrainingConfig,
    data: VitsDataModule,
    steps: int,
    device: torch.device,
    note: dict[str, Any],
) -> Choice:
    if config.precision != "auto":
        return Choice(config.precision, "As configured.")
    if (former := former_choice(note, device)) is not None:
        return former
    clips = [data.training[index] for index in range(min(config.batch_size, len(data.training)))]
    return choose_precision(module, collate(clips), steps, device)


def _sentences(
    config: TrainingConfig, spoken: tuple[PreparedUtterance, ...], store: CacheStore
) -> tuple[Sentence, ...]:
    if config.sample_texts:
        return tuple(Sentence(text, tuple(phoneme_ids(text, config.language))) for text in config.sample_texts)
    return tuple(
        Sentence(utterance.text, tuple(load_features(store, utterance.key)[0].tolist()), utterance.speaker_id)
        for utterance in spoken[:SPOKEN_SAMPLES]
    )


def prepare_torch(device: torch.device, processes: int = 1) -> None:
    """Sets up torch for `device`; on a processor, for `processes` that share its cores."""
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
    else:
        if "OMP_NUM_THREADS" not in os.environ:
            torch.set_num_threads(max(1, cores() // processes))
        torch.set_flush_denormal(True)  # a processor is many times slower on numbers next to nothing


def quiet() -> None:
    """Lightning's tips and notices are for people who write training scripts; errors still come through."""
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric|lightning_utilities")
    warnings.filterwarnings("ignore", message=".*weight_norm.*", category=FutureWarning)
    warnings.filterwarnings("ignore", message=".*lr_scheduler.step.*")
