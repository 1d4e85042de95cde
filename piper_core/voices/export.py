"""A checkpoint as a Piper voice: ONNX of opset 15 and its JSON, which piper-tts has loaded and spoken with.

Ours and Piper's own checkpoints alike. `python -m piper_core.voices.export RUN_OR_CKPT --out DIR` does it in a
process of its own, so that the web server never imports torch; it prints one JSON line `{"onnx", "json", "name"}`,
or one line on stderr that says what is wrong, with exit status 2.

The ONNX exporter that traces (`dynamo=False`) is used: the newer one fails on VITS.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from piper_core.dataset.text import TextError
from piper_core.runs.run import RunError, open_run
from piper_core.training.config import TrainingConfig
from piper_core.vits.synthesizer import Synthesizer
from piper_core.voices.checkpoint import Checkpoint, CheckpointError, load_weights, read_checkpoint, synthesizer_config
from piper_core.voices.origin import Origin, origin_of
from piper_core.voices.synthesis import SpeechError, load_voice, onnx_errors
from piper_core.voices.voice import LENGTH_SCALE, NOISE_SCALE, NOISE_W, Exported, voice_config, voice_name

OPSET = 15
SPOKEN_CHECK = "1, 2, 3."
"""What the new voice says to prove itself: numbers are words in every language."""


class ExportError(ValueError):
    """No voice can be written here. The message says why and what to do."""


class _Speaking(nn.Module):
    """The generator with the inputs and output of a Piper voice."""

    def __init__(self, synthesizer: Synthesizer) -> None:
        super().__init__()
        self.synthesizer = synthesizer

    def forward(
        self, phoneme_ids: Tensor, lengths: Tensor, scales: Tensor, speaker_ids: Tensor | None = None
    ) -> Tensor:
        speech = self.synthesizer.infer(
            phoneme_ids, lengths, speaker_ids, noise_scale=scales[0], length_scale=scales[1], noise_w=scales[2]
        )
        return speech.audio.unsqueeze(1)  # [B, 1, 1, time]


def export(
    source: Path,
    out_dir: Path,
    config: TrainingConfig | None = None,
    *,
    name: str | None = None,
    language: str | None = None,
) -> Exported:
    """Writes the voice of a run (its last checkpoint) or of a checkpoint into `out_dir`, both files whole or none.

    `name` and `language` (espeak-ng's) count before `config`, that before what the checkpoint and its folder say.
    Raises CheckpointError, RunError, TextError (a language that piper-tts has not), ExportError (a package is missing)
    or SpeechError (the exported voice did not speak); an older voice of the same name is then as it was.
    """
    try:
        import onnx  # noqa: F401 - torch's exporter imports it at its very end
    except ImportError as error:
        raise ExportError("A voice is written with the package onnx, which is missing: pip install onnx") from error
    path = _checkpoint_of(source)
    checkpoint = read_checkpoint(path)
    asked = Origin(name, language)
    configured = Origin(config.name, config.language) if config else Origin()
    origin = asked.or_else(configured).or_else(origin_of(path, checkpoint.studio))
    if origin.language is None:
        raise CheckpointError(f"{path.name} does not say which language it speaks. Name it: --language en-us.")
    stem = voice_name(origin.language, origin.name or path.stem, checkpoint.quality)
    described = voice_config(
        name=stem,
        language=origin.language,
        quality=checkpoint.quality,
        sample_rate=checkpoint.sample_rate,
        num_symbols=checkpoint.num_symbols,
        num_speakers=checkpoint.num_speakers,
        speakers=origin.speakers,
        hop_length=int(checkpoint.hyper_parameters.get("hop_length", 256)),
        phonemes=origin.phonemes,
    )
    synthesizer = build_synthesizer(checkpoint)
    out_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=out_dir) as folder:
        file = Path(folder) / f"{stem}.onnx"
        write_onnx(synthesizer, file)
        _described(file).write_text(json.dumps(described, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        _check_speaks(file)
        final = out_dir / file.name
        for written, place in ((_described(file), _described(final)), (file, final)):
            with written.open("rb") as flushed:
                os.fsync(flushed.fileno())
            written.replace(place)
    return Exported(final, _described(final), stem)


def build_synthesizer(checkpoint: Checkpoint) -> Synthesizer:
    """The checkpoint's generator, ready to speak: weights loaded strictly, weight norm folded in, eval mode.

    Raises CheckpointError when weights are not numbers: a training that diverged.
    """
    weights = {
        name.removeprefix("model_g."): tensor
        for name, tensor in load_weights(checkpoint.path, averaged=True).items()
        if name.startswith("model_g.")
    }
    broken = [name for name, tensor in weights.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise CheckpointError(
            f"{checkpoint.path.name} holds weights that are not numbers ({len(broken)} of {len(weights)}, as"
            f" {broken[0]}): its training diverged. Take an earlier checkpoint."
        )
    synthesizer = Synthesizer(synthesizer_config(checkpoint.hyper_parameters))
    synthesizer.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    synthesizer.remove_weight_norm()
    return synthesizer.eval()


def write_onnx(synthesizer: Synthesizer, path: Path) -> None:
    """The voice's ONNX file: `input` int64 [B, T], `input_lengths` int64 [B], `scales` float32 [3] (noise, length,
    noise_w), with several speakers `sid` int64 [B]; `output` float32 [B, 1, 1, time].
    """
    phonemes = torch.randint(0, synthesizer.config.num_symbols, (1, 50), generator=torch.Generator().manual_seed(0))
    inputs = [phonemes, torch.tensor([50]), torch.tensor([NOISE_SCALE, LENGTH_SCALE, NOISE_W])]
    names = ["input", "input_lengths", "scales"]
    axes: dict[str, dict[int, str]] = {
        "input": {0: "batch_size", 1: "phonemes"},
        "input_lengths": {0: "batch_size"},
        "output": {0: "batch_size", 3: "time"},
    }
    if synthesizer.config.num_speakers > 1:
        inputs.append(torch.tensor([0]))
        names.append("sid")
        axes["sid"] = {0: "batch_size"}
    with warnings.catch_warnings(), torch.no_grad():
        # The tracer warns of every value that it takes for constant, and of its own age; the exported voice is
        # compared with the networks in the tests instead.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Speaking(synthesizer).eval(),
            tuple(inputs),
            str(path),
            opset_version=OPSET,
            dynamo=False,
            input_names=names,
            output_names=["output"],
            dynamic_axes=axes,
        )


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m piper_core.voices.export", description=__doc__)
    parser.add_argument("source", type=Path, help="a run's folder or a .ckpt file")
    parser.add_argument("--out", type=Path, required=True, help="folder for the two files")
    parser.add_argument("--name", help="the voice's name, instead of the run's")
    parser.add_argument("--language", help="the espeak-ng voice, where the checkpoint does not say it")
    options = parser.parse_args(arguments)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        exported = export(options.source, options.out, name=options.name, language=options.language)
    except (CheckpointError, RunError, TextError, ExportError, SpeechError) as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"The voice can't be written to {options.out}: {error.strerror or error}.", file=sys.stderr)
        return 2
    print(json.dumps({"onnx": str(exported.onnx), "json": str(exported.json), "name": exported.name}))
    return 0


def _checkpoint_of(source: Path) -> Path:
    if not source.is_dir():
        return source
    run = open_run(source)
    if not run.last_checkpoint.is_file():
        raise CheckpointError(f"The run {run.name} has no checkpoint yet. Let it train until it has saved one.")
    return run.last_checkpoint


def _described(onnx: Path) -> Path:
    return onnx.with_name(f"{onnx.name}.json")


def _check_speaks(onnx: Path) -> None:
    """Raises SpeechError unless piper-tts loads the voice and its networks give sound that is not silence."""
    voice = load_voice(onnx)
    try:
        audio = [voice.phoneme_ids_to_audio(voice.phonemes_to_ids(ids)) for ids in voice.phonemize(SPOKEN_CHECK)]
    except onnx_errors() as error:
        raise SpeechError(f"piper-tts can't speak with the exported voice ({error}); it was not kept.") from error
    peak = max((float(np.abs(part).max(initial=0)) for part in audio), default=0.0)
    if not math.isfinite(peak) or peak == 0:
        raise SpeechError(
            "The exported voice gives no sound in piper-tts and was not kept. Train longer, or take another checkpoint."
        )


if __name__ == "__main__":
    sys.exit(main())
