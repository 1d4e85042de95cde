"""The trainer's process: `python -m piper_core.training.trainer RUN_FOLDER`. Nobody has to be there while it works.

It says `preparing` before it imports anything heavy, prepares the features, fits, and says how it ended. What went
wrong is one sentence in status.json; the traceback goes to trainer.log.
"""

from __future__ import annotations

import argparse
import faulthandler
import logging
import os
import signal
import sys
import threading
from collections import Counter
from pathlib import Path
from types import FrameType

from cache_utils.store import CacheStore
from piper_core.runs.control import read_control
from piper_core.runs.run import Run, RunError, open_run, remove_leftovers
from piper_core.runs.status import TrainingStatus, read_status
from piper_core.settings import SettingError, Settings
from piper_core.training.company import Company, NotTogether
from piper_core.training.config import PRESETS, TrainingConfig
from piper_core.training.ranks import Place, say_last_words, started_by_others
from piper_core.training.reporter import Reporter, preparing_message

_LOGGER = logging.getLogger("piper_core.training")

LEAST_CLIPS = 2
SHOWN_SKIPPED = 50
SPIN_COUNT = "10000"


class NotTrainable(ValueError):
    """A dataset of which too little can be trained on. The message says how much, and why."""


class NotSaved(OSError):
    """A run whose last checkpoint could not be written. The message says why."""


def train(run: Run, settings: Settings) -> int:
    """Trains `run` to its end. Returns the exit status: 0 finished or stopped, 1 failed."""
    place = started_by_others(os.environ)
    if place is not None and place.rank > 0:
        return follow(run, settings, place)
    reporter = Reporter(run, _former(run))
    stop = threading.Event()
    _stop_on_signals(stop)
    _log_to(run.log_path)
    company: Company | None = None
    try:
        remove_leftovers(run)
        config = run.config()
        company = Company(run, config, place)
        _train(run, config, settings, reporter, stop, company)
    except Exception as error:  # whatever it is, the status has to say that the run failed
        sentence = (company.trouble(error) if company else None) or explain(error)
        if sentence is None:
            sentence = f"The trainer met an error that it does not know, {type(error).__name__}: {error}"
        _LOGGER.error("%s", sentence, exc_info=error)
        reporter.end("failed", f"Failed: {sentence}", sentence)
        print(sentence, file=sys.stderr)
        return 1
    finally:
        if company is not None:
            company.close()
    return 0


def follow(run: Run, settings: Settings, place: Place) -> int:
    """Trains with rank 0, which alone writes to the run folder. Returns the exit status."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # rank 0 decides when the run stops
    _log_to(run.log_path, logging.WARNING)
    from piper_core.training.together import Meeting, is_lost_peer

    try:
        meeting = Meeting(place)
        work = meeting.hear()
        if work is None:
            return 0
        meeting.join()
        from piper_core.training.fit import fit

        store = CacheStore(settings.cache_dir, settings.max_cache_bytes, settings.cache_cleanup_threshold)
        fit(run, work, settings, store, None, lambda: False, place)
    except Exception as error:  # whatever it is, rank 0 has to know why this process ends
        sentence = explain(error) or f"It met an error that it does not know, {type(error).__name__}: {error}"
        _LOGGER.error("Process %d: %s", place.rank, sentence, exc_info=error)
        if not is_lost_peer(error):
            say_last_words(run, place.rank, f"Process {place.rank}: {sentence}")
        return 1
    return 0


def explain(error: BaseException) -> str | None:
    """A sentence for errors that are known, with what to do; None for one that is not."""
    from piper_core.dataset.layouts import DatasetError
    from piper_core.dataset.text import TextError
    from piper_core.features import FeatureError

    sentences: tuple[type[BaseException], ...] = (
        RunError,
        NotTrainable,
        NotSaved,
        DatasetError,
        TextError,
        FeatureError,
        NotTogether,
    )
    torch = sys.modules.get("torch")
    if torch is not None and "piper_core.training.fit" in sys.modules:
        from piper_core.training.callbacks import TrainingDiverged
        from piper_core.training.fit import StartRefused
        from piper_core.training.memory import DoesNotFit
        from piper_core.voices.checkpoint import CheckpointError

        sentences = (*sentences, TrainingDiverged, StartRefused, CheckpointError, DoesNotFit)
        if isinstance(error, torch.OutOfMemoryError):
            return "The card's memory is full. Choose a smaller batch, or leave out the longest clips."
    if isinstance(error, sentences):
        # A loader's process hands its error over with its traceback as the text; the sentence is at the end.
        return str(error).strip().splitlines()[-1].removeprefix(f"{_full_name(error)}: ")
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error):
        return "The machine's memory is full. Choose a smaller batch, or leave out the longest clips."
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        return f"A file could not be read or written: {error.strerror or error}{where}."
    return None


def _full_name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _train(
    run: Run,
    config: TrainingConfig,
    settings: Settings,
    reporter: Reporter,
    stop: threading.Event,
    company: Company,
) -> None:
    # OpenMP's threads spin for milliseconds while they wait. Alone on two cores a step of tiny takes 0.5 s either way;
    # beside two other busy processes it took 1.5 to 15 s, and 1.2 to 2.7 s so. Read when torch is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)

    from piper_core.dataset.layouts import read_dataset
    from piper_core.features import FeatureSettings, PreparingProgress, best_trim, prepare, silero_problem, speaker_ids

    dataset = read_dataset(Path(config.dataset), config.metadata)
    speakers = speaker_ids(utterance.speaker for utterance in dataset.utterances)
    unusable = dataset.unusable
    if config.checkpoint is not None:
        from piper_core.training.fit import read_start

        reporter.update(force=True, message="Reading the checkpoint.")
        checkpoint = read_start(config, max(1, len(speakers)))
        if checkpoint is not None and config.start == "resume" and speakers.keys() <= checkpoint.speakers.keys():
            speakers = checkpoint.speakers or speakers  # rows left out of the manifest must not renumber the voices
    store = CacheStore(settings.cache_dir, settings.max_cache_bytes, settings.cache_cleanup_threshold)
    freed = store.clean()
    if freed.entries:
        _LOGGER.info("Cleaned the cache: %d entries, %.1f MB", freed.entries, freed.size_bytes / 1e6)
    total = len(dataset.usable)
    reporter.progress(prepared_clips=0, total_clips=total, force=True)

    def on_progress(progress: PreparingProgress) -> None:
        left = progress.remaining_s
        reporter.progress(
            prepared_clips=progress.done, total_clips=total, eta_minutes=None if left is None else left / 60
        )
        reporter.update(message=preparing_message(progress.done, total, left))

    def asked_to_stop() -> bool:
        return stop.is_set() or read_control(run).command == "stop"

    features = FeatureSettings(
        sample_rate=PRESETS[config.preset].sample_rate, language=config.language, trim=best_trim()
    )
    if features.trim == "silero":
        _LOGGER.info("Silence at the clips' edges is found by Silero's voice activity detector, as Piper does.")
    else:
        _LOGGER.warning("Silence at the clips' edges is found by loudness, not as Piper does: %s.", silero_problem())
    reporter.update(force=True, message=f"Reading {total} clips.")
    prepared = prepare(
        dataset.usable,
        features,
        store,
        speakers=speakers,
        owner=str(run.folder),
        on_progress=on_progress,
        should_stop=asked_to_stop,
    )
    try:
        if prepared.stopped:
            reporter.end("stopped", "Stopped while preparing; starting again goes on there.")
            return
        _check_usable(unusable + prepared.skipped, len(prepared.utterances), len(dataset.utterances), reporter)
        reporter.progress(eta_minutes=None)
        reporter.update(
            force=True, message=f"{len(prepared.utterances)} clips are prepared. The networks are being built."
        )
        from piper_core.training.fit import fit
        from piper_core.training.together import Work

        work = Work(config, prepared, features, speakers)
        company.gather(work, on_loss=lambda reason: reporter.end("failed", f"Failed: {reason}", reason))
        ended = fit(run, work, settings, store, reporter, lambda: stop.is_set(), company.place)
    finally:
        store.release(str(run.folder))
    reporter.progress(step=ended.step)
    if ended.trouble is not None:
        reporter.note("checkpoint", None)
        raise NotSaved(f"It ended at step {ended.step}, and that step is lost. {ended.trouble}")
    if ended.outcome == "finished":
        reporter.end("finished", f"Finished at step {ended.step}.")
    else:
        reporter.end("stopped", f"Stopped at step {ended.step}; resume goes on from there.")


def _check_usable(skipped: tuple[tuple[str, str], ...], usable: int, total: int, reporter: Reporter) -> None:
    """Tells what was left out. Raises NotTrainable when too little remains."""
    for utterance_id, reason in skipped[:SHOWN_SKIPPED]:
        _LOGGER.warning("%s is left out: %s", utterance_id, reason)
    if len(skipped) > SHOWN_SKIPPED:
        _LOGGER.warning("... and %d more are left out", len(skipped) - SHOWN_SKIPPED)
    if usable < LEAST_CLIPS:
        why = ""
        if skipped:
            reason, count = Counter(reason for _, reason in skipped).most_common(1)[0]
            why = f"; the reason most often ({count} times): {reason}"
        raise NotTrainable(f"Of {total} clips {usable} can be trained on{why}. Look at the findings on Setup.")
    if skipped:
        reporter.note("skipped", f"{len(skipped)} of {total} clips are left out; the log says which and why.")


def _former(run: Run) -> TrainingStatus | None:
    """What the run's former trainer said last, if it left a checkpoint to go on from."""
    try:
        return read_status(run) if run.last_checkpoint.is_file() else None
    except RunError:  # it is about to be replaced
        return None


def _stop_on_signals(stop: threading.Event) -> None:
    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)


def _log_to(path: Path, level: int = logging.INFO) -> None:
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("piper_core")
    logger.addHandler(handler)
    logger.setLevel(level)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m piper_core.training.trainer", description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN_FOLDER", help="a folder with the run's config.json")
    options = parser.parse_args()
    faulthandler.enable()
    try:
        return train(open_run(options.run.absolute()), Settings.load())
    except (RunError, SettingError) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
