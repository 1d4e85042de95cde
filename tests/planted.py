"""Known defects planted into real clips, every code at several strengths; and the table of where each is found.

    python -m tests.planted DATA docs/checks.md     writes the tables between the marks of that file

Each planting makes a dataset of its own from clips of one voice, spoils some, and inspects it as `inspect` would.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from piper_core.dataset.audio import resample
from piper_core.dataset.checks import LIMITS
from piper_core.dataset.inspection import inspect
from piper_core.dataset.layouts import DatasetError
from piper_core.dataset.report import DatasetReport

CLIPS = 40
SPOILED = (5, 17, 29)
"""Clips that a planting spoils."""
Wave = Callable[[np.ndarray, int], tuple[np.ndarray, int]]


@dataclass
class Bed:
    """A clean dataset to plant into."""

    folder: Path
    rows: list[list[str]]
    """Id and text of each clip, one list a row."""
    others: list[Path]
    """Clips of another voice."""
    encoding: str = "utf-8"
    delimiter: str = "|"

    def wav(self, index: int) -> Path:
        return self.folder / "wavs" / f"{self.rows[index][0]}.wav"

    def write(self) -> None:
        text = "".join(self.delimiter.join(row) + "\n" for row in self.rows)
        (self.folder / "metadata.csv").write_bytes(text.encode(self.encoding, "surrogateescape"))


@dataclass(frozen=True)
class Planting:
    """A defect of one strength."""

    code: str
    strength: str
    plant: Callable[[Bed, int], None]
    """Spoils one clip."""
    must: bool = True
    """Whether it is strong enough that it has to be found."""
    clips: tuple[int, ...] = SPOILED
    about_set: bool = False
    """Whether the finding is about the set, or a file, and no clip's."""
    audit: bool = False
    language: str = "en-us"


@dataclass(frozen=True)
class Found:
    """What an inspection said of a planting."""

    planting: Planting
    found: int
    severities: tuple[str, ...]
    values: tuple[float, ...]
    unit: str
    limits: tuple[str, ...] = ()
    """Keys of the limits that were crossed."""


def bed(data: Path, folder: Path, clips: int = CLIPS) -> Bed:
    """`clips` clips of kathleen as 16-bit WAV."""
    lines = (data / "kathleen/metadata.csv").read_text(encoding="utf-8").splitlines()[: 10 * clips : 10]
    (folder / "wavs").mkdir(parents=True)
    rows = []
    for line in lines:
        name, _, text = line.partition("|")
        audio, rate = soundfile.read(data / f"kathleen/wavs/{name}.flac", dtype="float32")
        soundfile.write(folder / f"wavs/{name}.wav", audio, rate, subtype="PCM_16")
        rows.append([name, text])
    others = sorted((data / "multispeaker/wavs").glob("lj_*"))
    return Bed(folder, rows, others)


def inspected(planting: Planting, data: Path, scratch: Path) -> tuple[DatasetReport, list[str]]:
    """The report of a clean dataset with `planting` in it, and the ids of the spoiled clips."""
    ground = bed(data, scratch / "set")
    names = [ground.rows[index][0] for index in planting.clips]
    for index in planting.clips:
        planting.plant(ground, index)
    ground.write()
    return inspect(ground.folder, audit=planting.audit, language=planting.language), names


def look(planting: Planting, data: Path) -> Found:
    """Plant, inspect, and count."""
    scratch = Path(tempfile.mkdtemp(prefix="planted-"))
    try:
        report, names = inspected(planting, data, scratch)
    except DatasetError:
        return Found(planting, 0, ("refused with a sentence",), (), "")
    finally:
        shutil.rmtree(scratch)
    own = [finding for finding in report.findings if finding.code == planting.code]
    if not planting.about_set:
        own = [finding for finding in own if finding.utterance_id in names]
        found = len({finding.utterance_id for finding in own})
    else:
        found = len(planting.clips) if own else 0
    units = dict.fromkeys(finding.unit for finding in own)
    values = tuple(finding.value for finding in own if finding.value is not None)
    severities = tuple(dict.fromkeys(one.severity for one in own))
    limits = tuple(dict.fromkeys(one.limit for one in own if one.limit is not None))
    return Found(planting, found, severities, values, ", ".join(units), limits)


def plantings() -> Iterator[Planting]:
    """Every code of the table, the weak strengths too."""
    yield from _of_sound()
    yield from _of_text()
    yield from _of_files()


def _of_sound() -> Iterator[Planting]:
    for gain in (4, 8, 16, 32):
        yield _wave("clipping", f"gain {gain}, cut at full scale", _scaled(gain), must=gain >= 8)
    for share in (2.0, 10.0):
        yield _wave("clipping", f"{share:g} % of the samples at full scale", _loudest_cut(share))
    for share in (0.2, 2.0):
        yield _wave("clipping", f"{share:g} % cut, then made 12 dB quieter", _quieter(_loudest_cut(share), 0.25))
    for snr_db in (40, 30, 25, 20, 15, 10, 5, 0):
        yield _wave("noise", f"white noise, SNR {snr_db} dB", _with_noise(snr_db), must=snr_db <= 15)
    for snr_db in (35, 25):
        name = f"white noise, SNR {snr_db} dB, where the other clips have next to none"
        yield Planting("noise", name, _noisy_among_quiet(snr_db), must=snr_db <= 25)
    for rate in (16000, 11025, 8000):
        yield _wave("bandwidth", f"{rate:,} Hz made 22,050 Hz", _through(rate))
    for rate in (44100, 16000, 8000):
        yield _wave("sample-rate", f"stored with {rate:,} Hz", _at(rate))
    for seconds in (0.3, 0.8, 1.5, 3.0, 5.0):
        yield _wave("edge-silence", f"{seconds:g} s at both ends", _padded(seconds), must=seconds >= 1.5)
    for seconds in (0.5, 1.0, 2.5, 5.0):
        yield _wave("internal-pause", f"{seconds:g} s in the middle", _paused(seconds), must=seconds > 2)
    for gain_db in (6, 12, 20, -12, -20):
        yield _wave("loudness", f"{gain_db:+d} dB", _scaled(10 ** (gain_db / 20)), must=abs(gain_db) >= 12)
    for gain_db in (5, -2, -10):
        change = _scaled(10 ** (gain_db / 20))
        yield _whole_set("loudness", f"the whole set {gain_db:+d} dB", change, must=gain_db < 0)
    for snr_db in (40, 20):
        yield _whole_set("noise", f"white noise in the whole set, SNR {snr_db} dB", _with_noise(snr_db))
    for offset in (0.002, 0.02, 0.05, 0.2):
        yield _wave("dc-offset", f"{100 * offset:g} % of full scale", _shifted(offset), must=offset >= 0.02)
    for seconds in (0.2, 0.35, 0.6):
        yield _wave("duration", f"cut to {seconds:g} s", _cut(seconds), must=seconds < 0.4)
    for seconds in (14, 16, 40, 610):
        yield _wave("duration", f"repeated to {seconds} s", _repeated(seconds), must=seconds > 15)
    for level_db in (-50, -66, -120):
        yield _wave("silent", f"{level_db} dB", _scaled(10 ** (level_db / 20)), must=level_db < -50)
    yield _wave("channels", "stereo", lambda audio, rate: (np.stack([audio, audio], axis=1), rate))
    for factor in (1.3, 1.6, 2.0):
        yield _wave("speaking-rate", f"{factor:g} x slower", _stretched(factor), must=factor >= 2)
    for semitones in (1, 2, 4, 6, 9, -6, -9):
        name = f"{semitones:+d} semitones, by resampling"
        yield _wave("pitch", name, _transposed(semitones), must=abs(semitones) >= 9)
    for count in (1, 100):
        yield _wave("non-finite", f"{count} NaN", _not_a_number(count), subtype="FLOAT")
    yield Planting("bit-depth", "8 bits", lambda ground, index: _resave(ground.wav(index), _same, "PCM_U8"))


def _of_text() -> Iterator[Planting]:
    for name, change in (
        ("digits", lambda text: f"{text} In 1999."),
        ("abbreviation", lambda text: f"Mr. Smith said, {text}"),
        ("symbols", lambda text: f"{text} 50 % & more"),
        ("markup", lambda text: f"<b>{text}</b>"),
        ("zero-width space", lambda text: f"{text[:5]}\u200b{text[5:]}"),
        ("control character", lambda text: f"{text[:5]}\u0007{text[5:]}"),
        ("Cyrillic letter", lambda text: f"{text} \u041f\u0440\u0438\u0432\u0435\u0442."),
        ("accents apart (NFD)", lambda text: f"{text} Cafe\u0301."),
    ):
        yield _text("text-symbols", name, change)
    yield _text("empty-text", "nothing", lambda _: "")
    yield _text("empty-text", "stops alone", lambda _: "...")
    yield Planting("unknown-phoneme", "a Japanese greeting, read as Japanese", _greeting, language="ja")
    yield Planting("duplicate-text", "the text of the clip before", _text_of_another(-1))
    for factor in (2, 3):
        yield _text("speaking-rate", f"text {factor} x", lambda text, times=factor: " ".join([text] * times))
    for share in (0.5, 0.25):
        name = f"{100 * share:g} % of the words left"
        yield _text("speaking-rate", name, lambda text, kept=share: _first_words(text, kept), must=share < 0.5)
    yield Planting("transcript-mismatch", "text of another clip", _text_of_another(1), audit=True)
    yield _text("transcript-mismatch", "half of the words left", lambda text: _first_words(text, 0.5), audit=True,
                must=False)  # fmt: skip


def _of_files() -> Iterator[Planting]:
    for share in (0.0, 0.3, 0.9):
        yield Planting("unreadable", f"file cut to {100 * share:.0f} %", _file_cut(share))
    yield Planting(
        "unreadable", "text in a file named .wav", lambda g, i: _overwrite(g.wav(i), b"version https://git-lfs")
    )
    yield Planting("missing-audio", "file gone", lambda ground, index: ground.wav(index).unlink())
    yield Planting("orphan-audio", "row gone", _orphan, about_set=True)
    yield Planting("duplicate-audio", "a copy of another clip", _copy_of_next)
    yield Planting("duplicate-id", "the id of another row", _id_of_next)
    yield Planting("path-escape", "../ before the id", _escape, about_set=True)
    yield Planting("columns", "a column too few", _one_column, about_set=True)
    yield Planting("quote", "a quote that is never closed", _open_quote)
    yield Planting("metadata-format", "Latin-1", _latin, about_set=True)
    yield Planting("metadata-format", "UTF-16", _encoded("utf-16"), about_set=True)
    yield Planting("metadata-format", "tabs", _tabs, about_set=True)
    yield Planting("metadata-format", "a line that is not in the encoding of the rest", _odd_line, about_set=True)
    yield Planting("dataset-size", "one clip", _alone, clips=(0,), about_set=True)
    yield Planting("dataset-size", f"{CLIPS} clips, two minutes", lambda *_: None, about_set=True)
    yield Planting("pitch", "a clip of another voice", _other_voice)


def _wave(code: str, strength: str, change: Wave, *, must: bool = True, subtype: str = "PCM_16") -> Planting:
    return Planting(code, strength, lambda ground, index: _resave(ground.wav(index), change, subtype), must)


def _whole_set(code: str, strength: str, change: Wave, *, must: bool = True) -> Planting:
    def plant(ground: Bed, index: int) -> None:
        _resave(ground.wav(index), change, "PCM_16")

    return Planting(code, strength, plant, must, clips=tuple(range(CLIPS)), about_set=True)


def _text(
    code: str, strength: str, change: Callable[[str], str], *, must: bool = True, audit: bool = False
) -> Planting:
    def plant(ground: Bed, index: int) -> None:
        ground.rows[index][1] = change(ground.rows[index][1])

    return Planting(code, strength, plant, must, audit=audit)


def _resave(path: Path, change: Wave, subtype: str) -> None:
    audio, rate = soundfile.read(path, dtype="float32")
    changed, new_rate = change(audio, rate)
    if subtype != "FLOAT":
        changed = np.clip(changed, -1, 1)
    soundfile.write(path, changed, new_rate, subtype=subtype)


def _overwrite(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _same(audio: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
    return audio, rate


def _scaled(gain: float) -> Wave:
    return lambda audio, rate: (audio * np.float32(gain), rate)


def _loudest_cut(percent: float) -> Wave:
    return lambda audio, rate: (audio / np.percentile(np.abs(audio), 100 - percent), rate)


def _quieter(change: Wave, gain: float) -> Wave:
    def both(audio: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
        changed, own = change(audio, rate)
        return np.clip(changed, -1, 1) * np.float32(gain), own

    return both


def _with_noise(snr_db: float) -> Wave:
    def change(audio: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
        level = np.sqrt(np.mean(audio**2)) * 10 ** (-snr_db / 20)
        return audio + np.random.default_rng(audio.size).normal(scale=level, size=audio.size).astype(np.float32), rate

    return change


def _noisy_among_quiet(snr_db: float) -> Callable[[Bed, int], None]:
    def plant(ground: Bed, index: int) -> None:
        _resave(ground.wav(index), _with_noise(snr_db), "PCM_16")
        if index == SPOILED[0]:
            for other in set(range(len(ground.rows))) - set(SPOILED):
                _resave(ground.wav(other), _gated, "PCM_16")

    return plant


def _gated(audio: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
    """The quietest third of the frames of 20 ms made 20 dB quieter, as a noise gate does."""
    frame = rate // 50
    frames = audio[: audio.size // frame * frame].reshape(-1, frame).copy()
    power = np.mean(frames**2, axis=1)
    frames[power < np.quantile(power, 1 / 3)] *= np.float32(0.1)
    return frames.ravel(), rate


def _through(rate: int) -> Wave:
    return lambda audio, own: (resample(resample(audio, own, rate), rate, own), own)


def _at(rate: int) -> Wave:
    return lambda audio, own: (resample(audio, own, rate), rate)


def _room(audio: np.ndarray, seconds: float, rate: int) -> np.ndarray:
    """Silence as a quiet room has it."""
    return (
        np.random.default_rng(audio.size).normal(scale=10 ** (-70 / 20), size=round(seconds * rate)).astype(np.float32)
    )


def _padded(seconds: float) -> Wave:
    return lambda audio, rate: (np.concatenate([_room(audio, seconds, rate), audio, _room(audio, seconds, rate)]), rate)


def _paused(seconds: float) -> Wave:
    def change(audio: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
        middle = audio.size // 2
        return np.concatenate([audio[:middle], _room(audio, seconds, rate), audio[middle:]]), rate

    return change


def _shifted(offset: float) -> Wave:
    return lambda audio, rate: (audio + np.float32(offset), rate)


def _cut(seconds: float) -> Wave:
    def change(audio: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
        start = int(np.argmax(np.abs(audio)))
        start = min(start, audio.size - round(seconds * rate))
        return audio[start : start + round(seconds * rate)], rate

    return change


def _repeated(seconds: float) -> Wave:
    return lambda audio, rate: (np.tile(audio, -(-round(seconds * rate) // audio.size))[: round(seconds * rate)], rate)


def _stretched(factor: float) -> Wave:
    def change(audio: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
        import librosa

        return librosa.effects.time_stretch(audio, rate=1 / factor), rate

    return change


def _transposed(semitones: float) -> Wave:
    """Faster and higher at once, as a tape that runs too fast."""
    return lambda audio, rate: (resample(audio, round(rate * 2 ** (semitones / 12)), rate), rate)


def _not_a_number(count: int) -> Wave:
    def change(audio: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
        audio[audio.size // 2 : audio.size // 2 + count] = np.nan
        return audio, rate

    return change


def _first_words(text: str, share: float) -> str:
    words = text.split()
    return " ".join(words[: max(1, round(share * len(words)))])


def _text_of_another(step: int) -> Callable[[Bed, int], None]:
    def plant(ground: Bed, index: int) -> None:
        ground.rows[index][1] = ground.rows[index + step][1]

    return plant


def _greeting(ground: Bed, index: int) -> None:
    ground.rows[index][1] = "\u3053\u3093\u306b\u3061\u306f"


def _file_cut(share: float) -> Callable[[Bed, int], None]:
    def plant(ground: Bed, index: int) -> None:
        content = ground.wav(index).read_bytes()
        _overwrite(ground.wav(index), content[: round(share * len(content))])

    return plant


def _orphan(ground: Bed, index: int) -> None:
    shutil.copy(ground.wav(index), ground.folder / "wavs" / f"orphan{index}.wav")


def _copy_of_next(ground: Bed, index: int) -> None:
    shutil.copy(ground.wav(index + 1), ground.wav(index))


def _id_of_next(ground: Bed, index: int) -> None:
    ground.rows.append([ground.rows[index][0], ground.rows[index + 1][1]])


def _escape(ground: Bed, index: int) -> None:
    ground.rows[index][0] = f"../../{ground.rows[index][0]}"


def _one_column(ground: Bed, index: int) -> None:
    ground.rows[index] = ground.rows[index][:1]


def _open_quote(ground: Bed, index: int) -> None:
    ground.rows[index][1] = f'"{ground.rows[index][1]}'


def _latin(ground: Bed, index: int) -> None:
    ground.rows[index][1] += " Un caf\u00e9."
    ground.encoding = "latin-1"


def _encoded(encoding: str) -> Callable[[Bed, int], None]:
    def plant(ground: Bed, _: int) -> None:
        ground.encoding = encoding

    return plant


def _odd_line(ground: Bed, index: int) -> None:
    """Accents throughout, so that the file is UTF-8, and a byte in this row that is none."""
    for row in ground.rows:
        row[1] = row[1].replace("e", "\u00e9")
    ground.rows[index][1] += "\udce9"


def _alone(ground: Bed, _: int) -> None:
    del ground.rows[1:]


def _tabs(ground: Bed, _: int) -> None:
    ground.delimiter = "\t"


def _other_voice(ground: Bed, index: int) -> None:
    audio, rate = soundfile.read(ground.others[index % len(ground.others)], dtype="float32")
    soundfile.write(ground.wav(index), audio, rate, subtype="PCM_16")


def table(found: list[Found]) -> str:
    """Markdown: a row a planting."""
    lines = ["| code | planted | found | as | value | by limit |", "|---|---|---|---|---|---|"]
    for one in found:
        planted = one.planting
        values = sorted({f"{value:.3g}" for value in one.values}, key=float)
        shown = f"{values[0]} to {values[-1]}" if len(values) > 1 else "".join(values)
        lines.append(
            f"| {planted.code} | {planted.strength}{'' if planted.must else ' (weak)'} |"
            f" {one.found} of {len(planted.clips)} | {', '.join(one.severities)} | {f'{shown} {one.unit}'.strip()} |"
            f" {', '.join(f'`{limit}`' for limit in one.limits)} |"
        )
    return "\n".join(lines)


def limits_table() -> str:
    """Markdown: a row a limit."""
    lines = ["| limit | code | measure | default | severity | source |", "|---|---|---|---|---|---|"]
    for limit in LIMITS.values():
        side = "below" if limit.side == "below" else "above"
        lines.append(
            f"| `{limit.key}` | {limit.code} | `{limit.measure}` | {side} {limit.value:g} {limit.unit}"
            f" | {limit.severity} | {limit.source} |"
        )
    return "\n".join(lines)


def alarms_table(data: Path) -> str:
    """Markdown: what is said of the real clips, untouched."""
    lines = ["| clip | finding | value | limit | what is said |", "|---|---|---|---|---|"]
    counts = []
    for name in ("kathleen", "multispeaker"):
        report = inspect(data / name)
        loud = [finding for finding in report.findings if finding.severity != "info"]
        named = len({finding.utterance_id for finding in loud if finding.utterance_id})
        counts.append(f"{name}: {named} of {report.summary.utterances} clips with an error or a warning.")
        for finding in report.findings:
            if finding.severity == "info" and finding.utterance_id:
                continue
            value = "" if finding.value is None else f"{finding.value:.3g} {finding.unit}"
            limit = "" if finding.threshold is None else f"{finding.threshold:.3g}"
            where = finding.utterance_id or f"the whole of {name}"
            lines.append(f"| {where} | {finding.code} ({finding.severity}) | {value} | {limit} | {finding.message} |")
    return " ".join(counts) + "\n\n" + "\n".join(lines)


def main(data: Path, page: Path) -> None:
    """Write the three tables between their marks in `page`."""
    found = []
    for planting in plantings():
        found.append(look(planting, data))
        print(planting.code, planting.strength, found[-1].found, found[-1].values, file=sys.stderr, flush=True)
    text = page.read_text(encoding="utf-8")
    for name, content in (("limits", limits_table()), ("alarms", alarms_table(data)), ("planted", table(found))):
        before, mark, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- end of {name} -->")
        if not mark or not end:
            raise SystemExit(f"{page} has no marks <!-- {name} --> and <!-- end of {name} -->.")
        text = f"{before}{mark}{content}\n{end}{after}"
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
