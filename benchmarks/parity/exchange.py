"""Checkpoints handed from one trainer to the other, each run by its own command line on the same few clips.

Each check does it, looks at what came out, and returns a line; it raises Differs where the two don't understand each
other. The peer's default callbacks end its run at the first validation where its judge of speech (UTMOS) can't be
downloaded, so its validation is left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.parity.cases import short_clips
from benchmarks.parity.legacy import write_legacy
from benchmarks.peer.environment import PROJECT_ROOT
from piper_core.voices.checkpoint import describe, load_content, read_checkpoint

PRESET = "x_low"
BATCH_SIZE = 2
CLIPS = 6
STEPS = 2
"""Of each run."""
_OPTIMIZERS = 2
"""Each steps once a batch, and Lightning counts both."""


class Differs(Exception):
    """The trainers don't agree. The message says in what."""


@dataclass(frozen=True)
class Exchange:
    """A folder in which both trainers work."""

    folder: Path
    peer_python: Path

    @property
    def dataset(self) -> Path:
        """A few clips in LJSpeech's layout."""
        return self.folder / "dataset"

    @property
    def ours(self) -> Path:
        """The checkpoint of our run."""
        return self._run("ours") / "checkpoints" / "last.ckpt"

    @property
    def theirs(self) -> Path:
        """The checkpoint of the peer's run from nothing."""
        return self.folder / "peer-scratch" / "checkpoints" / "last.ckpt"

    def prepare(self) -> str:
        """The dataset, and a run of either trainer from random weights."""
        (self.dataset / "wavs").mkdir(parents=True)
        rows = []
        for utterance in short_clips(CLIPS):
            (self.dataset / "wavs" / f"{utterance.path.stem}.wav").symlink_to(utterance.path)
            rows.append(f"{utterance.path.stem}|{utterance.text}")
        (self.dataset / "metadata.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        self._train("ours")
        self._peer("peer-scratch", steps=STEPS, model=True)
        for path in (self.ours, self.theirs):
            _expect(path.is_file(), f"no checkpoint at {path.name}")
        return f"both trained {STEPS} steps of {PRESET} on {CLIPS} clips and wrote a checkpoint"

    def peer_resumes_ours(self) -> str:
        """The peer goes on from our last.ckpt, by its --ckpt_path."""
        out = self._peer("peer-resumed", f"--ckpt_path={self.ours}", steps=2 * STEPS)
        before, after = load_content(self.ours), load_content(out)
        _expect(
            after["global_step"] == before["global_step"] + STEPS * _OPTIMIZERS, "it did not count on from our step"
        )
        _same_names(before, after)
        return f"goes on at step {before['global_step'] // _OPTIMIZERS}, {_moved(before, after)}, {_moments(after, 4)}"

    def peer_warmstarts_from_ours(self) -> str:
        """The peer starts from our weights, by its --model.warmstart_ckpt, with a rate at which they hardly move."""
        still = ("--model.learning_rate=1e-12", "--model.learning_rate_d=1e-12")
        out = self._peer("peer-warm", f"--model.warmstart_ckpt={self.ours}", *still, steps=1, model=True)
        _same_weights(load_content(self.ours), load_content(out))
        return "its first step begins at our weights, every one"

    def we_resume_theirs(self) -> str:
        """We go on from the peer's checkpoint."""
        out = self._train("resumed", "--checkpoint", str(self.theirs), "--start", "resume", steps=2 * STEPS)
        before, after = load_content(self.theirs), load_content(out)
        found = read_checkpoint(out)
        _expect(found.step == 2 * STEPS, f"step {found.step} where {2 * STEPS} were due")
        _same_names(before, after)
        return f"goes on at step {STEPS}, {_moved(before, after)}, {_moments(after, 4)}"

    def we_warmstart_from_theirs(self) -> str:
        """Our warmstart says that it took every weight of the peer's."""
        self._train("warm", "--checkpoint", str(self.theirs), "--start", "warmstart", steps=1)
        count = len(load_content(self.theirs)["state_dict"])
        told = (self._run("warm") / "trainer.log").read_text(encoding="utf-8")
        _expect(f"{count} of {count} weights were copied" in told, "not every weight was copied")
        return f"{count} of {count} weights were copied"

    def legacy_is_read(self) -> str:
        """A checkpoint of the Piper before piper-tts: described, warmstart and vocoder work, resume says why not."""
        path = self.folder / "legacy.ckpt"
        write_legacy(path, load_content(self.theirs))
        report = describe(read_checkpoint(path))
        _expect((report["preset"], report["num_symbols"]) == (PRESET, 130), f"read as {report}")
        _expect("before piper-tts" in report["made_by"], f"made by {report['made_by']}")
        for start, said in (("warmstart", "in part (the phoneme table)"), ("vocoder", "new: text encoder")):
            self._train(f"legacy-{start}", "--checkpoint", str(path), "--start", start, steps=1)
            told = (self._run(f"legacy-{start}") / "trainer.log").read_text(encoding="utf-8")
            _expect(said in told, f"the {start} did not say: {said}")
        refused = self._train("legacy-resume", "--checkpoint", str(path), "--start", "resume", fails=True)
        status = json.loads((refused.parent.parent / "status.json").read_text(encoding="utf-8"))
        _expect("130 phoneme symbols" in str(status["error"]), f"resume said: {status['error']}")
        return f"{report['made_by']}: warmstart and vocoder train; resume: {status['error']}"

    def _run(self, name: str) -> Path:
        return self.folder / "runs" / name

    def _train(self, name: str, *options: str, steps: int = STEPS, fails: bool = False) -> Path:
        """Our trainer; returns its last.ckpt."""
        command = [
            sys.executable, "-m", "piper_core", "train", self.dataset, "--run", self._run(name), "--preset", PRESET,
            "--batch-size", BATCH_SIZE, "--max-steps", steps, "--precision", "32", *options,
        ]  # fmt: skip
        _call(command, self.folder / f"{name}.log", fails, WORKSPACE_DIR=str(self.folder / "workspace"))
        return self._run(name) / "checkpoints" / "last.ckpt"

    def _peer(self, name: str, *options: str, steps: int, model: bool = False) -> Path:
        """The peer's trainer; returns its last.ckpt. `model`: the network is told, as no checkpoint tells it."""
        place = self.folder / name
        network: dict[str, Any] = {"inter_channels": 96, "hidden_channels": 96, "filter_channels": 384}
        settings: dict[str, Any] = {
            "data.csv_path": self.dataset / "metadata.csv", "data.audio_dir": self.dataset / "wavs",
            "data.cache_dir": self.folder / "peer-cache", "data.config_path": place / "config.json",
            "data.voice_name": "parity", "data.espeak_voice": "en-us", "data.batch_size": BATCH_SIZE,
            "data.num_workers": 0, "data.num_test_examples": 0, "data.validation_split": 0.0,
            "model.sample_rate": 16000, "model.mos_metric": "none",
            "trainer.default_root_dir": place, "trainer.max_steps": steps * _OPTIMIZERS, "trainer.logger": "false",
            "trainer.limit_val_batches": 0, "trainer.num_sanity_val_steps": 0, "trainer.accelerator": "cpu",
            "trainer.enable_progress_bar": "false",
        }  # fmt: skip
        if model:
            settings |= {f"model.{key}": value for key, value in network.items()}
        command = [
            self.peer_python, "-m", "benchmarks.peer.alignment", "piper.train", "fit",
            *(f"--{key}={value}" for key, value in settings.items()), *options,
        ]  # fmt: skip
        _call(command, self.folder / f"{name}.log", PYTHONPATH=str(PROJECT_ROOT))
        return place / "checkpoints" / "last.ckpt"


def _call(command: list[Any], log: Path, fails: bool = False, **environment: str) -> None:
    with log.open("w", encoding="utf-8") as file:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=PROJECT_ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    if (done.returncode != 0) != fails:
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-12:]
        raise Differs(f"exit status {done.returncode}:\n    " + "\n    ".join(last))


def _same_names(one: dict[str, Any], other: dict[str, Any]) -> None:
    unlike = one["state_dict"].keys() ^ other["state_dict"].keys()
    _expect(not unlike, f"weights of other names: {sorted(unlike)[:3]}")


def _same_weights(one: dict[str, Any], other: dict[str, Any]) -> None:
    _same_names(one, other)
    for name, tensor in one["state_dict"].items():
        _expect(torch.allclose(tensor, other["state_dict"][name], rtol=0, atol=1e-9), f"{name} is another")


def _moved(before: dict[str, Any], after: dict[str, Any]) -> str:
    """What training on did: from the stored weights, by no more than Adam's steps are long."""
    furthest = max(
        float((after["state_dict"][name] - tensor).abs().max()) for name, tensor in before["state_dict"].items()
    )
    # A step of Adam is seldom longer than a few learning rates; from other weights they would be apart by their size.
    _expect(0 < furthest < 0.01, f"the weights are {furthest:g} from the stored ones")
    return f"weights within {furthest:.1e} of the stored ones"


def _moments(after: dict[str, Any], steps: int) -> str:
    """Whether AdamW's state was taken up: it counts the steps."""
    for state in after["optimizer_states"]:
        counts = {int(entry["step"]) for entry in state["state"].values()}
        _expect(counts == {steps}, f"an optimizer counts {counts} steps where {steps} were due")
    return f"both optimizers count {steps} steps"


def _expect(truth: bool, otherwise: str) -> None:
    if not truth:
        raise Differs(otherwise)
