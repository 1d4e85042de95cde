"""The same three clips of two speakers in every layout, written out by hand: what an exporter gets wrong can't hide."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import soundfile

RATE = 16000
CLIPS: Mapping[str, tuple[str, str]] = {
    "a1": ("anna", "Grüße aus Köln, schöne Straße."),
    "a2": ("anna", 'She said "hello", and left; = 3'),
    "b1": ("bert", "Une journée près de la mer."),
}
"""Id -> speaker and text."""


def sound(name: str) -> np.ndarray:
    """A tone of its own for each clip, float32 [N]."""
    frequency_hz, duration_s = {"a1": (200, 0.5), "a2": (300, 0.6), "b1": (400, 0.7)}[name]
    return (0.3 * np.sin(2 * np.pi * frequency_hz * np.arange(round(duration_s * RATE)) / RATE)).astype(np.float32)


def write_audio(path: Path, name: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound(name), RATE)


def _text(path: Path, content: str, encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode(encoding))


def _wavs(folder: Path) -> None:
    for name in CLIPS:
        write_audio(folder / f"wavs/{name}.wav", name)


def ljspeech(folder: Path, encoding: str = "utf-8", delimiter: str = "|") -> None:
    _wavs(folder)
    lines = []
    for name, (_, text) in CLIPS.items():
        quoted = '"' + text.replace('"', '""') + '"' if delimiter != "|" else text
        lines.append(f"{name}{delimiter}{quoted}\n")
    _text(folder / "metadata.csv", "".join(lines), encoding)


def ljspeech_normalised(folder: Path, encoding: str = "utf-8") -> None:
    _wavs(folder)
    rows = [f"{name}|{text.replace('3', 'three')}|{text}\n" for name, (_, text) in CLIPS.items()]
    _text(folder / "metadata.csv", "".join(rows), encoding)


def piper(folder: Path, encoding: str = "utf-8") -> None:
    _wavs(folder)
    rows = [f"{name}|{speaker}|{text}\n" for name, (speaker, text) in CLIPS.items()]
    _text(folder / "metadata.csv", "".join(rows), encoding)


def vctk(folder: Path, encoding: str = "utf-8") -> None:
    for name, (speaker, text) in CLIPS.items():
        write_audio(folder / f"wav48_silence_trimmed/{speaker}/{name}_mic1.flac", name)
        write_audio(folder / f"wav48_silence_trimmed/{speaker}/{name}_mic2.flac", name)
        _text(folder / f"txt/{speaker}/{name}.txt", text + "\n", encoding)


def mycroft(folder: Path, encoding: str = "utf-8") -> None:
    for speaker in ("anna", "bert"):
        mine = {name: text for name, (whose, text) in CLIPS.items() if whose == speaker}
        for name in mine:
            write_audio(folder / f"{speaker}/{name}.wav", name)
        rows = [f"{name}.wav|{text}|{len(text)}\n" for name, text in mine.items()]
        _text(folder / f"{speaker}/{speaker}-metadata.txt", "".join(rows), encoding)


def nemo(folder: Path, encoding: str = "utf-8") -> None:
    _wavs(folder)
    rows = [
        json.dumps(
            {"audio_filepath": f"wavs/{name}.wav", "duration": len(sound(name)) / RATE, "text": text,
             "speaker": speaker},
            ensure_ascii=False,
        )
        for name, (speaker, text) in CLIPS.items()
    ]  # fmt: skip
    _text(folder / "manifest.json", "\n".join(rows) + "\n", encoding)


def nemo_spans(folder: Path, encoding: str = "utf-8") -> None:
    """All clips in one file, half a second of nothing between them."""
    gap = np.zeros(RATE // 2, np.float32)
    rows, parts, at_s = [], [], 0.0
    for name, (speaker, text) in CLIPS.items():
        duration_s = len(sound(name)) / RATE
        rows.append(
            {"audio_filepath": "wavs/all.wav", "offset": at_s, "duration": duration_s, "text": text,
             "speaker": speaker, "utterance_id": name}
        )  # fmt: skip
        parts += [sound(name), gap]
        at_s += duration_s + 0.5
    (folder / "wavs").mkdir(parents=True)
    soundfile.write(folder / "wavs/all.wav", np.concatenate(parts), RATE)
    _text(folder / "manifest.jsonl", "\n".join(map(json.dumps, rows)), encoding)


def audiofolder_csv(folder: Path, encoding: str = "utf-8") -> None:
    rows = ["file_name,transcription,speaker_id\n"]
    for name, (speaker, text) in CLIPS.items():
        write_audio(folder / f"data/{name}.wav", name)
        quoted = text.replace('"', '""')
        rows.append(f'data/{name}.wav,"{quoted}",{speaker}\n')
    _text(folder / "metadata.csv", "".join(rows), encoding)


def audiofolder_splits(folder: Path, encoding: str = "utf-8") -> None:
    for split, names in {"test": ("b1",), "train": ("a1", "a2")}.items():
        rows = []
        for name in names:
            write_audio(folder / split / f"{name}.wav", name)
            rows.append({"file_name": f"{name}.wav", "text": CLIPS[name][1], "speaker_id": CLIPS[name][0]})
        _text(folder / split / "metadata.jsonl", "\n".join(map(json.dumps, rows)), encoding)


def kaldi(folder: Path, encoding: str = "utf-8") -> None:
    _wavs(folder)
    _text(folder / "wav.scp", "".join(f"{name} wavs/{name}.wav\n" for name in CLIPS), encoding)
    _text(folder / "text", "".join(f"{name} {text}\n" for name, (_, text) in CLIPS.items()), encoding)
    _text(folder / "utt2spk", "".join(f"{name} {speaker}\n" for name, (speaker, _) in CLIPS.items()), encoding)


def kaldi_segments(folder: Path, encoding: str = "utf-8") -> None:
    nemo_spans(folder)
    (folder / "manifest.jsonl").unlink()
    _text(folder / "wav.scp", f"all {folder}/wavs/all.wav\n", encoding)
    _text(folder / "segments", "a1 all 0.0 0.5\na2 all 1.0 1.6\nb1 all 2.1 2.8\n", encoding)
    _text(folder / "text", "".join(f"{name}\t{text}\n" for name, (_, text) in CLIPS.items()), encoding)
    _text(folder / "utt2spk", "".join(f"{name} {speaker}\n" for name, (speaker, _) in CLIPS.items()), encoding)


def text_beside(folder: Path, encoding: str = "utf-8", suffix: str = ".txt") -> None:
    for name, (speaker, text) in CLIPS.items():
        write_audio(folder / f"{speaker}/{name}.wav", name)
        _text(folder / f"{speaker}/{name}{suffix}", text + "\n", encoding)


def text_beside_lab(folder: Path, encoding: str = "utf-8") -> None:
    text_beside(folder, encoding, ".lab")


LAYOUTS: Mapping[str, tuple[Callable[..., None], str]] = {
    "ljspeech": (ljspeech, "ljspeech"),
    "ljspeech-normalised": (ljspeech_normalised, "ljspeech-normalised"),
    "piper": (piper, "piper"),
    "vctk": (vctk, "vctk"),
    "mycroft": (mycroft, "mycroft"),
    "nemo": (nemo, "nemo"),
    "nemo-spans": (nemo_spans, "nemo"),
    "audiofolder": (audiofolder_csv, "audiofolder"),
    "audiofolder-splits": (audiofolder_splits, "audiofolder"),
    "kaldi": (kaldi, "kaldi"),
    "kaldi-segments": (kaldi_segments, "kaldi"),
    "folder-txt": (text_beside, "folder"),
    "folder-lab": (text_beside_lab, "folder"),
}
"""Name -> what writes it, and the code that it is read as."""
