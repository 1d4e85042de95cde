"""What the voice says at this step: WAV files in the run's samples/, each with its text beside it, and TensorBoard."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch

from cache_utils.atomic import write_atomically
from piper_core.runs.run import Run, write_json
from piper_core.training.events import Events
from piper_core.training.module import VitsModule
from piper_core.wav import wav_bytes

_LOGGER = logging.getLogger(__name__)

LONGEST_S = 20.0
SEED = 7
"""Of the noise in samples: the same at every step, so that they differ by the weights alone."""


@dataclass(frozen=True)
class Sentence:
    """What is spoken, and by whom."""

    text: str
    phoneme_ids: tuple[int, ...]
    speaker_id: int = 0


class SpeakSamples(pl.Callback):
    """Speaks the sentences every `every_steps` steps and at the end."""

    def __init__(self, run: Run, sentences: tuple[Sentence, ...], events: Events | None, *, every_steps: int) -> None:
        self._run = run
        self._sentences = sentences
        self._events = events
        self._every_steps = every_steps

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, VitsModule)
        step = pl_module.steps_done
        if not trainer.is_global_zero or not (step % self._every_steps == 0 or trainer.should_stop):
            return
        rate = int(pl_module.hparams["sample_rate"])
        for number, sentence in enumerate(self._sentences, start=1):
            try:
                audio = speak(pl_module, sentence)
                write_sample(self._run.samples_dir, step, number, sentence, audio, rate)
            except (RuntimeError, OSError) as error:
                # A young voice may draw absurd durations; a full disk is told with the checkpoint.
                _LOGGER.warning("Sample %d at step %d could not be spoken: %s", number, step, error)
                continue
            if self._events:
                self._events.audio(step, f"sample {number}", audio, rate)


def speak(module: VitsModule, sentence: Sentence) -> np.ndarray:
    """int16 [N] at the voice's rate, with Piper's usual scales, in float32; leaves the training's random numbers be."""
    hyper = module.hparams
    device = module.device
    ids = torch.tensor([sentence.phoneme_ids], device=device)
    speaker = torch.tensor([sentence.speaker_id], device=device) if hyper["num_speakers"] > 1 else None
    was_training = module.model_g.training
    module.model_g.eval()
    try:
        with (
            module.averaged(),
            torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
            torch.inference_mode(),
            torch.autocast(device.type, enabled=False),
        ):
            torch.manual_seed(SEED)
            speech = module.model_g.infer(
                ids,
                torch.tensor([ids.shape[1]], device=device),
                speaker,
                max_frames=int(LONGEST_S * hyper["sample_rate"] / hyper["hop_length"]),
            )
            audio = speech.audio[0, 0].float().cpu().numpy()
    finally:
        module.model_g.train(was_training)
    return np.clip(np.rint(np.nan_to_num(audio) * 32767.0), -32768, 32767).astype(np.int16)


def write_sample(folder: Path, step: int, number: int, sentence: Sentence, audio: np.ndarray, rate: int) -> Path:
    """Writes `step=000200-1.wav` and `step=000200-1.json` (step, number, text, speaker_id, sample_rate, duration_s)."""
    folder.mkdir(exist_ok=True)
    path = folder / f"step={step:06d}-{number}.wav"
    about = {
        "step": step,
        "number": number,
        "text": sentence.text,
        "speaker_id": sentence.speaker_id,
        "sample_rate": rate,
        "duration_s": round(len(audio) / rate, 3),
    }
    write_json(path.with_suffix(".json"), about)
    write_atomically(path, wav_bytes(audio, rate))
    return path
