"""Cores and memory of this machine, and the training settings that suit them, each with its reason."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import psutil

from piper_core.settings import GIGABYTE
from piper_core.system import gpu
from piper_core.system.cores import cores
from piper_core.system.disk import PARAMETERS
from piper_core.training.config import Precision

MEGABYTE = 1024**2
STATE_BYTES_A_PARAMETER = 16
"""While training: weight, gradient and AdamW's two moments, float32."""
CONTEXT_BYTES = GIGABYTE
"""What CUDA and torch themselves take on a card, or torch and Lightning in memory."""
SAFETY_FACTOR = 1.5
"""Over the measured need: convolution workspaces, fragmentation, attention that grows with the square of a text."""
USUAL_CLIP_S = 10.0
"""Assumed for the longest clip while the dataset's is not known."""
MOST_BATCH = {"cuda": 32, "cpu": 8}
"""Piper's voices are trained with 32; a processor's step takes as many times longer as the batch is larger."""
LONGEST_CLIP_S = 30
"""No longer clips are promised to fit: the costs below were measured up to 12 s, and attention grows faster."""
LEAST_STEPS_AN_EPOCH = 4
BFLOAT16_CAPABILITY = (8, 0)
"""From NVIDIA's Ampere cards on bfloat16 is multiplied in hardware."""


@dataclass(frozen=True)
class ClipCost:
    """Activations of one clip in a step, float32: of the segment that is decoded, and of each second of its length."""

    segment_bytes: int
    second_bytes: int


CLIP_COSTS: dict[str, ClipCost] = {
    "tiny": ClipCost(16 * MEGABYTE, 6 * MEGABYTE),
    "x_low": ClipCost(68 * MEGABYTE, 12 * MEGABYTE),
    "low": ClipCost(80 * MEGABYTE, 24 * MEGABYTE),
    "medium": ClipCost(80 * MEGABYTE, 24 * MEGABYTE),
    "high": ClipCost(200 * MEGABYTE, 24 * MEGABYTE),
}
"""Measured: growth of the resident memory over one step of our trainer on a processor, batches of 1 to 8 clips of
4 and 12 s, torch 2.13."""


@dataclass(frozen=True)
class Machine:
    """What training can use. `device` is None where there is no CUDA card."""

    cores: int
    memory_bytes: int
    """In all, or what the container may use."""
    available_bytes: int
    """Of it, not in use."""
    device: gpu.GpuDevice | None = None
    """The card with the most free memory."""


@dataclass(frozen=True)
class Suggestion:
    """Settings for a TrainingConfig, and why."""

    batch_size: int
    num_workers: int
    precision: Precision
    max_clip_s: float
    """Clips longer than this may not fit into memory with this batch size; seconds."""
    reasons: dict[str, str]
    """A line for people by the name of each field above."""


def read_machine() -> Machine:
    """This machine, within the limits of the container that we may run in."""
    found = gpu.devices()
    device = max(found, key=_free_bytes) if isinstance(found, list) else None
    memory = psutil.virtual_memory()
    limit = _container_memory_bytes()
    total = min(memory.total, limit) if limit else memory.total
    return Machine(cores(), total, min(memory.available, total), device)


def suggest_training(machine: Machine, preset: str, utterances: int, longest_clip_s: float | None = None) -> Suggestion:
    """Settings for `preset` on `machine` with a dataset of `utterances` clips, the longest of `longest_clip_s`."""
    kind = "cuda" if machine.device is not None else "cpu"
    memory = "the card's" if machine.device is not None else "the machine's"
    # A card is the trainer's alone; the machine's memory is shared with the pages and the system.
    room = 0.9 * _free_bytes(machine.device) if machine.device is not None else 0.6 * machine.available_bytes
    clip_s = longest_clip_s or USUAL_CLIP_S
    room_for_clips = (room - CONTEXT_BYTES - PARAMETERS[preset] * STATE_BYTES_A_PARAMETER) / SAFETY_FACTOR
    fitting = int(room_for_clips // _clip_bytes(preset, clip_s))
    useful = useful_batch(utterances)
    batch = power_of_two(min(fitting, useful, MOST_BATCH[kind]))
    workers, workers_reason = _workers(machine, kind)
    precision, precision_reason = _precision(machine)
    cost = CLIP_COSTS[preset]
    fitting_s = math.floor((room_for_clips / batch - cost.segment_bytes) / cost.second_bytes)
    max_clip_s = float(min(max(0, fitting_s), LONGEST_CLIP_S))
    reasons = {
        "batch_size": _batch_reason(batch, fitting, useful, kind, memory, room, clip_s),
        "num_workers": workers_reason,
        "precision": precision_reason,
        "max_clip_s": _clip_reason(max_clip_s, batch, longest_clip_s),
    }
    return Suggestion(batch, workers, precision, max_clip_s, reasons)


def useful_batch(utterances: int) -> int:
    """The largest batch that leaves an epoch of `utterances` clips a few steps."""
    return max(1, utterances // LEAST_STEPS_AN_EPOCH)


def _batch_reason(batch: int, fitting: int, useful: int, kind: str, memory: str, room: float, clip_s: float) -> str:
    most = MOST_BATCH[kind]
    if fitting < 1:
        free = f"{room / GIGABYTE:.1f} GB of {memory} memory"
        return f"1: not even that is sure to fit, with clips of {clip_s:.0f} s and {free} to use."
    if fitting < min(most, useful):
        return f"{batch}: what fits into {room / GIGABYTE:.1f} GB of {memory} memory with clips of {clip_s:.0f} s."
    if useful < most:
        return f"{batch}: the dataset is small, and an epoch should hold {LEAST_STEPS_AN_EPOCH} steps or more."
    if kind == "cuda":
        return f"{batch}: as Piper's own voices were trained, and it fits into {memory} memory."
    return f"{batch}: on a processor a larger batch only makes each step longer."


def _workers(machine: Machine, kind: str) -> tuple[int, str]:
    if kind == "cpu":
        # Measured: 1.3 ms of processor time for a batch of 8 read here, as much to take it over from a worker.
        return 0, "0: reading a batch is as quick as taking it over from another process."
    if machine.cores == 1:
        return 0, "0: there is one core, and the trainer needs it."
    workers = min(4, machine.cores - 1)
    return workers, f"{workers}: keeps the card fed; {machine.cores} cores are there."


def _precision(machine: Machine) -> tuple[Precision, str]:
    if machine.device is None:
        return "auto", "auto: a short trial tells whether bfloat16 is faster on this processor."
    capability = machine.device.compute_capability
    if capability is not None and capability >= BFLOAT16_CAPABILITY:
        return "bf16-mixed", f"bf16-mixed: the {machine.device.name} multiplies bfloat16 in hardware."
    return "auto", f"auto: a short trial tells what is fastest on the {machine.device.name}."


def _clip_reason(max_clip_s: float, batch: int, longest_clip_s: float | None) -> str:
    if longest_clip_s is not None and longest_clip_s > max_clip_s:
        return (
            f"The longest clip has {longest_clip_s:.0f} s, and with a batch of {batch} about {max_clip_s:.0f} s fit:"
            " leave out or cut the longest clips."
        )
    return f"Clips up to about {max_clip_s:.0f} s fit into memory with a batch of {batch}."


def _clip_bytes(preset: str, clip_s: float) -> float:
    return CLIP_COSTS[preset].segment_bytes + clip_s * CLIP_COSTS[preset].second_bytes


def power_of_two(most: int) -> int:
    """The largest power of two up to `most`, at least 1."""
    return 1 << (max(1, most).bit_length() - 1)


def _free_bytes(device: gpu.GpuDevice) -> int:
    return device.total_bytes - device.used_bytes


def _container_memory_bytes() -> int | None:
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):  # cgroup v2, v1
        words = _words(Path(file))
        if words and words[0].isdigit():
            return int(words[0])
    return None


def _words(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii").split()
    except OSError:  # no cgroups here
        return []
