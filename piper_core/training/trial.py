"""The dry run's process, `python -m piper_core.training.trial`: a configuration on stdin, a report on stdout, in JSON.

Real steps of both optimizers on a throwaway model: on the longest clips for the memory, in batches that double as far
as time and memory allow; on clips of usual length for the speed. Nothing is written but the features of those clips.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from piper_core.training.config import PRESETS, TrainingConfig
from piper_core.training.dry_run import Measured, TrialReport, too_long_clips

if TYPE_CHECKING:
    import torch

    from piper_core.dataset.layouts import Utterance
    from piper_core.training.data import Batch
    from piper_core.training.module import VitsModule

BUDGET_S = 45.0
"""Since the process began. No longer measurement is begun than fits into it."""
PREPARING_S = 15.0
"""For the clips of the trial; those that are ready by then have to do."""
SAFE_SHARE = {"cpu": 0.85, "cuda": 0.9}
"""Of the room, that a safe batch may take: the rest is for fragmentation, and in memory for other programs."""
SHARE_FOR_SPEED = 0.4
"""Of the time left, kept for the clips of usual length."""


class Trial:
    """One throwaway model, its optimizers, and what its steps take."""

    def __init__(self, module: VitsModule, device: torch.device, autocast: torch.dtype | None) -> None:
        self._module = module.to(device)
        self._device = device
        self._autocast = autocast
        self._optimizers, _ = module.configure_optimizers()

    def measure(self, batch: Batch, steps: int = 2) -> Measured:
        """`steps` steps; the peak over all, the time of the quickest. Raises when memory runs out."""
        import torch

        from piper_core.training.data import Batch
        from piper_core.training.memory import release_memory

        here = Batch(*(values.to(self._device) for values in batch))
        release_memory(self._device)
        forget_peak(self._device)
        took = []
        for _ in range(steps):
            started = time.perf_counter()
            with torch.autocast(self._device.type, self._autocast, enabled=self._autocast is not None):
                self._module.gradients(here)
            self._module.update(self._optimizers)
            if self._device.type == "cuda":
                torch.cuda.synchronize(self._device)
            took.append(time.perf_counter() - started)
        return Measured(len(batch.audio), peak_bytes(self._device), min(took))


def forget_peak(device: torch.device) -> None:
    """Lets `peak_bytes` begin anew, where the system can."""
    import torch

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak of the resident memory
    except OSError:
        return  # the peak so far stands, and batches only grow


def peak_bytes(device: torch.device) -> int:
    """What this process has held at most since `forget_peak`: on a card what torch reserved, else resident memory."""
    import torch

    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def peak_at(batch_size: int, measured: Sequence[Measured]) -> int:
    """The peak of a batch: as measured, else on the line through the two largest batches measured."""
    for step in measured:
        if step.batch_size == batch_size:
            return step.peak_bytes
    return round(_line(batch_size, [(step.batch_size, step.peak_bytes) for step in measured]))


def seconds_at(batch_size: int, measured: Sequence[Measured]) -> float:
    """A step's time for a batch of the longest clips, likewise."""
    for step in measured:
        if step.batch_size == batch_size:
            return step.seconds
    return max(_line(batch_size, [(step.batch_size, step.seconds) for step in measured]), measured[-1].seconds)


def _line(at: int, points: Sequence[tuple[int, float]]) -> float:
    last_x, last_y = points[-1]
    before_x, before_y = points[-2] if len(points) > 1 else (0, 0.0)
    return last_y + (at - last_x) * max(0.0, last_y - before_y) / (last_x - before_x)


def safe_batch(measured: Sequence[Measured], room_bytes: float, most: int, failed: int | None) -> int:
    """The largest power of two up to `most` whose peak fits, below `failed`, where memory ran out; 0 if none does."""
    safe, size = 0, 1
    while measured and size <= most and (failed is None or size < failed):
        if peak_at(size, measured) <= room_bytes:
            safe = size
        size *= 2
    return safe


def try_out(config: TrainingConfig, choose_batch: bool, say: Callable[[str], None]) -> TrialReport:
    """Measures, and says what it does. Raises what `trainer.explain` has sentences for."""
    began = psutil.Process().create_time()

    def left_s() -> float:
        return BUDGET_S - (time.time() - began)

    from cache_utils.store import CacheStore
    from piper_core.dataset.audio import Unreadable, read_header
    from piper_core.dataset.layouts import read_dataset
    from piper_core.features import FeatureSettings, best_trim, prepare, speaker_ids
    from piper_core.settings import Settings
    from piper_core.system.machine import MOST_BATCH, power_of_two, read_machine, useful_batch

    say("Reading how long the clips are.")
    dataset = read_dataset(Path(config.dataset), config.metadata)
    headers = {said.utterance_id: read_header(said.path, said.offset_s, said.length_s) for said in dataset.usable}
    lengths_s = {name: found.duration_s for name, found in headers.items() if not isinstance(found, Unreadable)}
    features = FeatureSettings(PRESETS[config.preset].sample_rate, config.language, trim=best_trim())
    too_long = too_long_clips(lengths_s, features.longest_s)
    usable = [u for u in dataset.usable if lengths_s.get(u.utterance_id, features.longest_s + 1) <= features.longest_s]
    usable.sort(key=lambda utterance: -lengths_s[utterance.utterance_id])
    mean_s = sum(lengths_s[u.utterance_id] for u in usable) / max(1, len(usable))
    usual = sorted(usable, key=lambda utterance: abs(lengths_s[utterance.utterance_id] - mean_s))

    import torch

    from piper_core.features import load_features
    from piper_core.training.batching import batch_count
    from piper_core.training.data import collate
    from piper_core.training.fit import build_module, prepare_torch, quiet
    from piper_core.training.memory import DoesNotFit, does_not_fit, is_out_of_memory
    from piper_core.training.precision import Choice, choose_precision

    quiet()
    device = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    prepare_torch(device, config.devices)
    world = config.devices * config.num_nodes
    useful = power_of_two(min(MOST_BATCH[device.type], useful_batch(len(usable)) // world or 1))
    most = useful if choose_batch else config.batch_size
    settings = Settings.load()
    store = CacheStore(settings.cache_dir, settings.max_cache_bytes, settings.cache_cleanup_threshold)
    speakers = speaker_ids(utterance.speaker for utterance in dataset.utterances)
    owner = f"dry-run-{psutil.Process().pid}"

    def batch_of(clips: Sequence[Utterance], count: int) -> list[tuple]:
        prepared = prepare(
            clips[: count + 4],  # some may turn out to be of no use
            features, store, speakers=speakers, owner=owner, should_stop=lambda: time.time() > preparing_until
        )  # fmt: skip
        found = sorted(prepared.utterances, key=lambda utterance: -utterance.sample_count)
        return [(*load_features(store, utterance.key), utterance.speaker_id) for utterance in found[:count]]

    say(f"Preparing the {min(most, len(usable))} longest clips, up to {lengths_s[usable[0].utterance_id]:.1f} s."
        if usable else "There are no clips.")  # fmt: skip
    preparing_until = time.time() + PREPARING_S
    try:
        longest, usual_clips = batch_of(usable, most), batch_of(usual, min(most, 8))
    finally:
        store.release(owner)
    if not longest:
        from piper_core.training.trainer import NotTrainable

        raise NotTrainable(
            f"Of {len(dataset.utterances)} clips none of the longest can be trained on. Look at the findings on Setup."
        )

    say("Building the networks.")
    if device.type == "cuda":
        room_bytes = torch.cuda.mem_get_info(device)[0]
    else:
        room_bytes = read_machine().available_bytes + psutil.Process().memory_info().rss
    module = build_module(config, features, speakers)
    choice = Choice(config.precision, "As configured.")
    if config.precision == "auto":
        say("Trying float32 and bfloat16.")
        choice = choose_precision(module, collate(longest[-2:]), config.max_steps or 1000, device)
    formats = {"32": None, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
    trial = Trial(module, device, formats[choice.precision])

    measured: list[Measured] = []
    failed: int | None = None
    size = 1
    while size <= len(longest):
        say(f"Steps on the {size} longest clips." if size > 1 else "Steps on the longest clip.")
        try:
            measured.append(trial.measure(collate(longest[:size])))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            failed = size
        if failed is not None or size == len(longest):
            break
        size = min(2 * size, len(longest))
        time_needed = 2.2 * seconds_at(size, measured)
        too_much = peak_at(size, measured) > room_bytes * SAFE_SHARE[device.type]
        too_slow = time_needed > left_s() * (1 - SHARE_FOR_SPEED)
        if too_much or (too_slow and len(measured) > 1):  # a line needs two points
            break
    if not measured:
        raise DoesNotFit(does_not_fit(lengths_s[usable[0].utterance_id], device))

    room_share = room_bytes * SAFE_SHARE[device.type]
    safe = safe_batch(measured, room_share, max(useful, power_of_two(most)), failed)
    batch_size = max(1, min(safe, useful)) if choose_batch else config.batch_size
    tried = min(batch_size, measured[-1].batch_size, len(usual_clips))
    while tried > 1 and 2 * seconds_at(tried, measured) > left_s():
        tried //= 2
    say(f"Steps on {tried} clips of usual length." if tried > 1 else "Steps on a clip of usual length.")
    quick = trial.measure(collate(usual_clips[:tried]), steps=3 if 4 * seconds_at(tried, measured) < left_s() else 2)
    seconds = quick.seconds * seconds_at(batch_size, measured) / seconds_at(tried, measured)

    trained_on = max(1, round(len(usable) * (1 - config.validation_share)))
    steps_an_epoch = batch_count(trained_on, batch_size * world, min(world, trained_on))
    limits = [config.max_steps] if config.max_steps else []
    limits += [config.max_epochs * steps_an_epoch] if config.max_epochs else []
    return TrialReport(
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "the processor",
        precision={"32": "float32", "bf16-mixed": "bfloat16", "16-mixed": "float16"}[choice.precision],
        clips=len(usable),
        longest_s=lengths_s[usable[0].utterance_id],
        too_long=too_long,
        limit_s=features.longest_s,
        batch_size=batch_size,
        peak_bytes=peak_at(batch_size, measured),
        peak_is_measured=any(step.batch_size == batch_size for step in measured),
        room_bytes=int(room_bytes),
        steps_per_second=1 / seconds,
        speed_is_measured=tried == batch_size,
        steps_an_epoch=steps_an_epoch,
        total_steps=min(limits),
        safe_batch_size=safe,
        useful_batch_size=useful,
        measured=tuple(measured),
        took_s=time.time() - began,
    )


def main() -> int:
    """The command line: 0 and a report, or 1 and a sentence at the end of stderr."""
    from piper_core.training.trainer import explain

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    asked = json.load(sys.stdin)
    try:
        report = try_out(TrainingConfig.from_dict(asked["config"]), asked["choose_batch"], say)
    except Exception as error:
        sentence = explain(error)
        if sentence is None:
            raise
        say(sentence)
        return 1
    print(json.dumps(report.to_dict()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
