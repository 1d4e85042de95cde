"""The command line: `python -m piper_core COMMAND`, over the same functions that the pages call.

Progress goes to stderr, results to stdout. Exit status: 0 done; 1 inspect found errors (with --strict, warnings
too), or clean could not apply all that was decided; 2 unusable arguments or input, with one line on stderr that says
what is wrong and what to do; 130 inspect or clean was stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path

from piper_core.commands import cache, cleaning, dataset, training, voices
from piper_core.dataset.printable import printable
from piper_core.documented import field_help
from piper_core.training.config import PRECISIONS, PRESETS, START_MODES, TrainingConfig


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = build_parser().parse_args(arguments)
    try:
        return options.command(options)
    except (ValueError, OSError) as error:
        # Every refusal of ours is a ValueError whose message is a sentence; OSError names the file itself.
        print(f"piper_core: {printable(str(error))}", file=sys.stderr)
        return 2


def build_parser() -> argparse.ArgumentParser:
    """The parser of every command; each has --help."""
    parser = argparse.ArgumentParser(prog="python -m piper_core", description="From recordings to a voice that speaks.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], summary: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=summary, description=summary)
        sub.set_defaults(command=run)
        return sub

    demo = command("demo", dataset.demo, "Write the embedded demo dataset.")
    demo.add_argument("folder", type=Path, metavar="DIR")
    demo.add_argument("--clips", type=int, default=60, metavar="N", help="how many (default 60)")
    demo.add_argument("--defects", action="store_true", help="plant known defects")

    inspect = command("inspect", dataset.inspect, "Check a dataset: its audio, its texts, its layout.")
    inspect.add_argument("dataset", type=Path, nargs="?", metavar="DATASET")
    _add_reading_arguments(inspect)
    inspect.add_argument("--dask", metavar="ADDRESS", help="let the workers of that dask scheduler (or file) measure")
    inspect.add_argument("--audit", action="store_true", help="ask of every clip whether its text belongs to its audio")
    inspect.add_argument("--no-pitch", action="store_true", help="leave out the pitch of the voice")
    inspect.add_argument(
        "--limit", action="append", default=[], metavar="LIMIT=VALUE",
        help="move a limit of docs/checks.md, as duration-long=12, or noise=off; may be repeated",
    )  # fmt: skip
    inspect.add_argument(
        "--default-limits", action="store_true", help="leave aside the limits that were moved on the Dataset page"
    )
    for form in dataset.REPORT_FORMS:
        told = f"write the report as {form.upper()} (no F, or -: to the standard output)"
        inspect.add_argument(f"--{form}", type=Path, nargs="?", const=dataset.STDOUT, metavar="F", help=told)
    inspect.add_argument("--piper", action="store_true", help="say what Piper's own trainer would make of the rows")
    inspect.add_argument(
        "--compare", type=Path, nargs=2, metavar=("A.json", "B.json"), help="two reports, before and after; no dataset"
    )
    inspect.add_argument("--no-cache", action="store_true", help="measure every clip again, and keep nothing")
    inspect.add_argument("--strict", action="store_true", help="exit 1 on warnings too")

    clean = command("clean", cleaning.clean, "Write a cleaned dataset elsewhere: clips left out, texts edited.")
    _add_cleaning_arguments(clean)

    train = command("train", training.train, "Train a voice; Ctrl-C stops it, saving first.")
    _add_training_arguments(train)

    status = command("status", training.status, "Say how a run stands.")
    status.add_argument("run", metavar="RUN")
    status.add_argument("--json", action="store_true", help="print status.json as it stands, reconciled")
    for name, summary in (
        ("stop", "Stop a run between two steps, saving first."),
        ("pause", "Pause a run; its place and memory are kept."),
        ("resume", "Let a paused run go on, or a stopped, failed or crashed one from its last checkpoint."),
    ):
        command(name, training.control, summary).set_defaults(action=name)
        commands.choices[name].add_argument("run", metavar="RUN")
    runs = command("runs", training.runs, "List all runs, newest first.")
    runs.add_argument("--json", action="store_true", help="print every status as JSON")

    doctor = command("doctor", voices.doctor, "Say what a checkpoint is, and how it can be used.")
    doctor.add_argument("checkpoint", type=Path, metavar="CKPT")
    doctor.add_argument("--json", action="store_true", help="print it as JSON")
    doctor.add_argument("--dataset", type=Path, metavar="DATASET", help="say how a run on it can start from it")
    doctor.add_argument("--metadata", metavar="FILE", help="the metadata file inside that dataset")
    doctor.add_argument("--language", default="en-us", help="of that dataset: espeak-ng voice (default en-us)")
    doctor.add_argument("--preset", choices=list(PRESETS), help="of that run (default: the checkpoint's)")
    export = command("export", voices.export, "Write a voice for Piper: .onnx and .onnx.json.")
    export.add_argument("source", metavar="RUN_OR_CKPT")
    export.add_argument("--out", type=Path, required=True, metavar="DIR")
    export.add_argument("--name", metavar="NAME", help="the voice's name (default: what the run says)")
    export.add_argument("--language", metavar="VOICE", help="espeak-ng voice, for a checkpoint that does not say")
    speak = command("speak", voices.speak, "Speak a text with an exported voice.")
    speak.add_argument("voice", type=Path, metavar="VOICE.onnx")
    speak.add_argument("text", metavar="TEXT")
    speak.add_argument("wav", type=Path, metavar="OUT.wav")

    features = command("cache", cache.cache, "Say how large the feature cache is; clean or clear it.")
    what = features.add_mutually_exclusive_group()
    what.add_argument("--clean", action="store_true", help="least recently used entries go, down to the threshold")
    what.add_argument("--clear", action="store_true", help="every entry goes that no live run uses")
    return parser


def _add_reading_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--metadata", metavar="FILE", help="the metadata file inside the dataset")
    command.add_argument("--language", default="en-us", help="espeak-ng voice (default en-us)")
    command.add_argument("--jobs", type=int, metavar="N", help="worker processes (default: one a core)")


def _add_cleaning_arguments(clean: argparse.ArgumentParser) -> None:
    clean.add_argument("dataset", type=Path, metavar="DATASET", help="its journal is applied; nothing in it is changed")
    clean.add_argument("--to", type=Path, required=True, metavar="DIR", help="a new or empty folder")
    clean.add_argument(
        "--layout",
        metavar="NAME",
        help="ljspeech, ljspeech-normalised, piper, vctk, mycroft, nemo, audiofolder, kaldi or folder"
        " (default: the dataset's own)",
    )
    clean.add_argument(
        "--audio", choices=("link", "copy", "none"), default="link",
        help="link the recordings (default), copy them, or write the metadata alone, to be put beside them",
    )  # fmt: skip
    clean.add_argument(
        "--leave-out", nargs="+", default=[], metavar="WHAT",
        help="beside errors, clips with these findings too: codes as noise or duration, or warning, or info",
    )  # fmt: skip
    clean.add_argument(
        "--journal-only", action="store_true", help="apply what was decided; don't look into the recordings"
    )
    _add_reading_arguments(clean)
    clean.add_argument("--json", action="store_true", help="print what was written and left out as JSON")


def _add_training_arguments(train: argparse.ArgumentParser) -> None:
    helps = field_help(TrainingConfig)
    default = {field.name: field.default for field in fields(TrainingConfig)}
    train.add_argument("dataset", type=Path, metavar="DATASET", help=helps["dataset"])
    train.add_argument("--run", required=True, metavar="RUN", help="the run's name, or its folder")
    train.add_argument("--name", dest="voice_name", metavar="NAME", help=helps["voice_name"].replace("%", "%%"))
    train.add_argument("--metadata", metavar="FILE", help=helps["metadata"])
    train.add_argument("--language", default=default["language"], help=helps["language"])
    train.add_argument("--preset", choices=list(PRESETS), default=default["preset"], help=helps["preset"])
    length = train.add_mutually_exclusive_group(required=True)
    length.add_argument("--max-steps", type=int, metavar="N", help=helps["max_steps"])
    length.add_argument("--max-epochs", type=int, metavar="N", help=helps["max_epochs"])
    train.add_argument(
        "--batch-size",
        type=_count_or_auto,
        metavar="N|auto",
        help=f"{helps['batch_size']} auto: by a dry run; default: what suits this machine",
    )
    train.add_argument("--devices", type=int, metavar="N", default=default["devices"], help=helps["devices"])
    train.add_argument("--num-nodes", type=int, metavar="N", default=default["num_nodes"], help=helps["num_nodes"])
    train.add_argument("--num-workers", type=int, metavar="N", help=helps["num_workers"])
    train.add_argument("--precision", choices=PRECISIONS, default="auto", help=helps["precision"])
    train.add_argument("--checkpoint", type=Path, metavar="CKPT", help=helps["checkpoint"])
    train.add_argument("--start", choices=START_MODES[1:], help=helps["start"])
    train.add_argument("--checkpoint-every", dest="checkpoint_every_steps", type=int, metavar="STEPS",
                       default=default["checkpoint_every_steps"], help=helps["checkpoint_every_steps"])  # fmt: skip
    for name in ("learning_rate", "learning_rate_d", "lr_decay", "lr_decay_d", "gradient_clip", "ema_decay"):
        flag = f"--{name.replace('_', '-')}"
        train.add_argument(flag, type=float, metavar="X", default=default[name], help=helps[name])
    train.add_argument("--warmup-steps", type=int, metavar="N", default=0, help=helps["warmup_steps"])
    train.add_argument("--use-mrd", action="store_true", help=helps["use_mrd"])
    train.add_argument("--seed", type=int, default=default["seed"], help=helps["seed"])
    train.add_argument("--detach", action="store_true", help="return as soon as the trainer runs")
    train.add_argument(
        "--dry-run",
        action="store_true",
        help="take real steps on the longest clips, say what the run would need, and start nothing",
    )
    train.add_argument("--json", action="store_true", help="print the dry run's report as JSON")


def _count_or_auto(text: str) -> int | str:
    return text if text == "auto" else int(text)


if __name__ == "__main__":
    sys.exit(main())
