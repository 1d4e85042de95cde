"""Files as disks, networks and people leave them: 2,000 seeded mutations, inspected under a limit of memory.

    python -m tests.dataset.mutations SPEECH_FOLDER [--files 2000] [--seed 4] [--memory-gib 2]

Prints a JSON line: how many files of each kind were found unreadable, how many were still read, what crashed, the
longest time. The limit is of this process's address space, so that it holds for libsndfile too.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import resource
import struct
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import soundfile

from piper_core.dataset.inspection import inspect
from piper_core.dataset.metadata_file import DatasetError

FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "wav24": ("WAV", "PCM_24"),
    "wavf": ("WAV", "FLOAT"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "aiff": ("AIFF", "PCM_16"),
    "au": ("AU", "PCM_16"),
    "caf": ("CAF", "PCM_16"),
    "w64": ("W64", "PCM_16"),
}
SUFFIXES = {"wav24": "wav", "wavf": "wav"}
TEXTS = (
    'c0|"An open quote.\nc1|Two.\n', "c0|=HYPERLINK(1)\nc1|<script>alert(1)</script>\n", "c0|One.\n\n\nc1|Two.\n",
    "c0;One.\nc1;Two.\n", "c0,One.\nc1,Two.\n", "c0\tOne.\nc1\tTwo.\n", "../c0|One.\n/etc/passwd|Two.\nc1|Three.\n",
    "id|text\nc0|One.\nc1|Two.\n", "c0|One.|a|b|c\nc1|Two.\n", "c0\0|One\0.\nc1|Two.\n", "|\n|\n|\n", "c0\nc1\n", "",
    "c0|One.\rc1|Two.\r", "c0|\u200b\u202eOne.\nc1|Two.\n", "c0|One.\nc0|Another.\nc1|Two.\n", "[" * 5000 + "\n",
    '{"audio_filepath": "wavs/c0.wav", "duration": 1e999, "text": "One."}\n', '{"audio_filepath": "/etc/passwd"}\n',
    "c0|Zwo\u0308lf.\nc1|Zw\u00f6lf.\n", "c" * 5000 + "|One.\nc1|Two.\n", f"c0|{'long ' * 20_000}\nc1|Two.\n",
)  # fmt: skip


@dataclass
class Outcome:
    """What became of the mutated files."""

    files: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)
    """Kind of mutation -> files with an error-level finding, or datasets refused with a sentence."""
    read: Counter[str] = field(default_factory=Counter)
    """Kind of mutation -> files that are still read, by what is left of them."""
    crashes: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    slowest: str = ""


def encoded(samples: object, rate: int) -> dict[str, bytes]:
    """The same speech in every format of `FORMATS`; Opus knows few rates, so it calls it 24 kHz."""
    found = {}
    for name, (container, subtype) in FORMATS.items():
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, 24_000 if name == "opus" else rate, format=container, subtype=subtype)
        found[name] = buffer.getvalue()
    return found


def mutate(data: bytes, chance: random.Random) -> tuple[str, bytes]:
    """One mutation: its kind, and the bytes it leaves."""
    damaged = bytearray(data)

    def cut() -> bytes:
        return bytes(damaged[: chance.randrange(len(damaged))])

    def head() -> bytes:
        for _ in range(chance.randint(1, 8)):
            damaged[chance.randrange(min(64, len(damaged)))] = chance.randrange(256)
        return bytes(damaged)

    def claim() -> bytes:
        """An absurd 32-bit number somewhere in the header: lengths, rates and channel counts are such."""
        at = chance.randrange(4, min(80, len(damaged) - 4))
        number = chance.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 1024, 0x03FF_0001))
        damaged[at : at + 4] = struct.pack(chance.choice("<>") + "I", number)
        return bytes(damaged)

    def flips() -> bytes:
        for _ in range(chance.randint(1, 40)):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        return bytes(damaged)

    def hole() -> bytes:
        at = chance.randrange(len(damaged))
        length = chance.randrange(1, 20_000)
        damaged[at : at + length] = bytes(min(length, len(damaged) - at))
        return bytes(damaged)

    def splice() -> bytes:
        at, end = sorted(chance.sample(range(len(damaged)), 2))
        return bytes(damaged[:at] + damaged[end:])

    def twice() -> bytes:
        return bytes(damaged + damaged)

    def noise() -> bytes:
        return chance.randbytes(chance.randrange(1, 5000))

    kinds: tuple[Callable[[], bytes], ...] = (cut, head, claim, flips, hole, splice, twice, noise)
    kind = chance.choice(kinds)
    return kind.__name__, kind()


def mutated_metadata(chance: random.Random) -> tuple[str, str, bytes]:
    """A metadata file: kind, name, content."""
    name = chance.choice(("metadata.csv", "metadata.csv", "metadata.csv", "manifest.json", "metadata.jsonl", "wav.scp"))
    text = chance.choice(TEXTS)
    content = text.encode(chance.choice(("utf-8", "utf-8-sig", "utf-16", "latin-1", "utf-16-be")), errors="replace")
    if chance.random() < 0.5:
        kind, content = mutate(content + b"c1|Two more words.\n", chance)
        return f"metadata {kind}", name, content
    return "metadata", name, content


def run(speech: Path, files: int, seed: int) -> Outcome:
    """Inspect every mutated file in a dataset of its own, beside a sound clip."""
    chance, outcome = random.Random(seed), Outcome()
    sources = sorted(path for path in speech.rglob("*.flac"))[:4]
    whole = []
    for source in sources:
        samples, rate = soundfile.read(source, frames=22_050, dtype="float32")
        whole.append(encoded(samples, rate))
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(files):
            folder = Path(scratch) / str(number)
            (folder / "wavs").mkdir(parents=True)
            (folder / "wavs/sound.wav").write_bytes(whole[0]["wav"])
            kind = _plant(folder, whole[number % len(whole)], chance)
            _look(folder, kind, outcome)
    return outcome


def _plant(folder: Path, speech: dict[str, bytes], chance: random.Random) -> str:
    if chance.random() < 0.2:
        for name in ("c0", "c1"):
            (folder / f"wavs/{name}.wav").write_bytes(speech["wav"])
        kind, name, content = mutated_metadata(chance)
        (folder / name).write_bytes(content)
        return kind
    form = chance.choice(list(speech))
    kind, content = mutate(speech[form], chance)
    (folder / f"wavs/c0.{SUFFIXES.get(form, form)}").write_bytes(content)
    (folder / "metadata.csv").write_text("sound|A sound clip.\nc0|A clip that was damaged.\n")
    return f"{form} {kind}"


def _look(folder: Path, kind: str, outcome: Outcome) -> None:
    started = time.monotonic()
    try:
        report = inspect(folder, jobs=1)
        json.dumps(report.to_dict(), allow_nan=False)
        wrong = any(finding.severity == "error" and "set" not in finding.code for finding in report.findings)
    except DatasetError:
        wrong = True
    except Exception:  # noqa: BLE001 - what else comes out is what is looked for
        outcome.crashes.append(f"{kind}: {traceback.format_exc(limit=-3)}")
        wrong = False
    took_s = time.monotonic() - started
    outcome.files += 1
    (outcome.unreadable if wrong else outcome.read)[kind] += 1
    if took_s > outcome.slowest_s:
        outcome.slowest_s, outcome.slowest = took_s, kind


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("speech", type=Path)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--memory-gib", type=float, default=2.0)
    options = parser.parse_args()
    limit = int(options.memory_gib * 1024**3)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    run(options.speech, 2, 0)  # what is imported and compiled the first time is not a file's time
    outcome = run(options.speech, options.files, options.seed)
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps(vars(outcome) | {"peak_mib": peak_kib // 1024}))


if __name__ == "__main__":
    main()
