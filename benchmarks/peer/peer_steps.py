"""The peer's steps as shipped: `python -m benchmarks.peer.peer_steps BATCHES CKPT PRECISION [FOLDER MARK_S ...]`.

Runs in the peer's environment. BATCHES is a file of `benchmarks.training.save_batches`, CKPT a checkpoint whose
hyper-parameters and weights are taken. Each clip's spectrogram is made before the steps, as the peer's cache has it.
Steps come on request (stepping.Served), or, with a FOLDER, until the last mark (stepping.Marked).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch

from benchmarks.peer import alignment
from benchmarks.peer.process import Requests
from benchmarks.peer.stepping import Marked, Over, Served


def main(batches: str, checkpoint: str, precision: str, folder: str = "", *marks_s: str) -> None:
    requests = Requests()
    alignment.install()
    import lightning as pl
    from piper.train.vits.lightning import VitsModel

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True  # as its __main__ does
    content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    hyper = content["hyper_parameters"]
    model = VitsModel(**hyper)
    model.load_state_dict(content["state_dict"])
    del content
    trainer = pl.Trainer(
        precision="32-true" if precision == "32" else precision,
        max_epochs=-1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    made = [peer_batch(values, hyper) for values in torch.load(batches, weights_only=True)]
    if not folder:
        trainer.fit(model, Served(made, requests, lambda: told(trainer)))
        return
    marked = Marked(made, model.model_g, Path(folder), [float(mark) for mark in marks_s])
    try:
        trainer.fit(model, marked)
    except Over:
        requests.answer(steps=marked.steps, precision=precision)


def peer_batch(values: dict[str, torch.Tensor], hyper: dict[str, Any]) -> Any:
    """The same clips as a Batch of the peer's: longest first, float32 audio and spectrograms, a segment or more."""
    from piper.train.vits.dataset import UtteranceCollate, UtteranceTensors
    from piper.train.vits.mel_processing import spectrogram_torch

    utterances: list[Any] = []
    for row in range(len(values["audio"])):
        audio = values["audio"][row, : values["audio_lengths"][row]].float() / 32768
        spectrogram = spectrogram_torch(
            audio[None],
            hyper["filter_length"],
            hyper["sample_rate"],
            hyper["hop_length"],
            hyper["win_length"],
        )[0]
        ids = values["phoneme_ids"][row, : values["phoneme_lengths"][row]]
        speaker = values["speaker_ids"][row : row + 1] if hyper["num_speakers"] > 1 else None
        utterances.append(UtteranceTensors(ids, spectrogram, audio, speaker))  # type: ignore[arg-type]
    return UtteranceCollate(hyper["num_speakers"] > 1, hyper["segment_size"])(utterances)


def told(trainer: Any) -> dict[str, Any]:
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


if __name__ == "__main__":
    main(*sys.argv[1:])
