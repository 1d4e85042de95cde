"""Checkpoints and voices: what a checkpoint is, export, speak."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from piper_core.commands.training import find_run
from piper_core.training.config import TrainingConfig


def doctor(options: Namespace) -> int:
    from piper_core.voices.checkpoint import describe, read_checkpoint

    checkpoint = read_checkpoint(options.checkpoint)
    described = describe(checkpoint)
    for_dataset = _starts_for_dataset(checkpoint, options) if options.dataset else None
    if options.json:
        print(json.dumps(described | ({"for_dataset": for_dataset} if for_dataset else {}), indent=2))
        return 0
    print("\n".join(f"{name}: {value}" for name, value in described.items()))
    if for_dataset:
        preset = options.preset or checkpoint.preset or TrainingConfig.preset
        voices = "1 speaker" if for_dataset["speakers"] == 1 else f"{for_dataset['speakers']} speakers"
        print(f"\na {preset} voice of {options.dataset.name} ({voices}, {for_dataset['language']}):")
        for start, reason in for_dataset["starts"][preset].items():
            print(f"  {start}: {reason or 'possible'}")
    return 0


def _starts_for_dataset(checkpoint: Any, options: Namespace) -> dict[str, Any]:
    from piper_core.dataset.layouts import read_dataset
    from piper_core.features import speaker_ids
    from piper_core.voices.description import starts_by_preset

    utterances = read_dataset(options.dataset, options.metadata).utterances
    speakers = max(1, len(speaker_ids(utterance.speaker for utterance in utterances)))
    return {
        "dataset": str(options.dataset),
        "language": options.language,
        "speakers": speakers,
        "starts": starts_by_preset(checkpoint, options.language, speakers),
    }


def export(options: Namespace) -> int:
    from piper_core.voices.export import export as export_voice

    source = Path(options.source)
    if not source.is_file():
        source = find_run(options.source).folder
    exported = export_voice(source, options.out, name=options.name, language=options.language)
    print(exported.onnx)
    print(exported.json)
    return 0


def speak(options: Namespace) -> int:
    from piper_core.voices.synthesis import speak as speak_text
    from piper_core.voices.synthesis import write_wav

    speech = speak_text(options.voice, options.text)
    write_wav(options.wav, speech)
    print(f"{options.wav}: {speech.seconds:.2f} s")
    return 0
