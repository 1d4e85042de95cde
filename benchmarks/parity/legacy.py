"""A checkpoint shaped like those of the Piper before piper-tts 1.3, made out of a new one.

Their hyper-parameters were the whole command line: dataset paths as objects, the trainer's arguments, `sample_bytes`;
their phoneme table had 130 rows.
"""

from __future__ import annotations

from pathlib import Path, PosixPath
from typing import Any

import torch

SYMBOLS = 130
_TABLE = "model_g.enc_p.emb.weight"


def write_legacy(path: Path, content: dict[str, Any]) -> None:
    """Writes `content`, a checkpoint of piper-tts of one speaker, in the older shape."""
    weights = {name: tensor[:SYMBOLS].clone() if name == _TABLE else tensor for name, tensor in
               content["state_dict"].items()}  # fmt: skip
    hyper = {name: value for name, value in content["hyper_parameters"].items() if name not in _NEWER}
    hyper |= {
        "num_symbols": SYMBOLS, "sample_bytes": 2, "channels": 1, "quality": "x-low",
        "dataset": [PosixPath("/home/someone/train/dataset.jsonl")], "dataset_dir": PosixPath("/home/someone/train"),
        "default_root_dir": PosixPath("/home/someone/train"), "resblock_kernel_sizes": "(3, 5, 7)",
        "num_test_examples": 5, "validation_split": 0.0, "max_phoneme_ids": None, "seed": 1234,
        "accelerator": "gpu", "devices": "1", "precision": "32", "max_epochs": 10000, "gpus": None,
        "resume_from_checkpoint": None, "resume_from_single_speaker_checkpoint": None, "auto_lr_find": False,
        "logger": True, "enable_checkpointing": True, "num_workers": 1, "lr_reduce_enabled": False,
    }  # fmt: skip
    torch.save(content | {"state_dict": weights, "hyper_parameters": hyper}, path)


_NEWER = ("use_mrd", "warmstart_ckpt", "vocoder_warmstart_ckpt", "mos_metric", "learning_rate_d", "betas_d",
          "lr_decay_d")  # fmt: skip
"""Hyper-parameters that piper-tts brought."""
