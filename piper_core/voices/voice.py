"""A Piper voice as files: its name, its JSON, where it lies, and exporting one in a process of its own.

Nothing here imports torch: the page asks for an export, and `python -m piper_core.voices.export` does it.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import unicodedata
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from piper_core.dataset.text import check_language, phoneme_id_map
from piper_core.voices.languages import language_of

NOISE_SCALE, LENGTH_SCALE, NOISE_W = 0.667, 1.0, 0.8
"""How a voice speaks unless asked otherwise: variation of sound, duration (1 = as trained), variation of duration."""
_PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Exported:
    """A voice was written and has spoken in piper-tts."""

    onnx: Path
    json: Path
    name: str
    """As `en_US-kathleen-medium`: the files' stem."""


@dataclass(frozen=True)
class ExportFailed:
    """No voice was written; an older one of that name is as it was."""

    reason: str


@dataclass(frozen=True)
class VoiceFile:
    """An exported voice on disk."""

    onnx: Path
    json: Path
    name: str
    language: str
    """The espeak-ng voice."""
    quality: str
    sample_rate: int
    """Hertz."""
    speakers: dict[str, int]
    """Names and ids; empty for a voice of one speaker."""
    num_speakers: int
    size_bytes: int
    """Of both files."""
    exported_at: float
    """Unix time, seconds."""


def plain_name(name: str) -> str:
    """`name` as Piper's voices have it: lower-case letters, digits and underscores, never a hyphen."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", letters).strip("_") or "voice"


def voice_name(language: str, name: str, quality: str) -> str:
    """`en_US-kathleen-medium` from an espeak-ng voice, the voice's name and its quality."""
    return f"{language_of(language).code}-{plain_name(name)}-{quality}"


def voice_config(
    *,
    name: str,
    language: str,
    quality: str,
    sample_rate: int,
    num_symbols: int,
    num_speakers: int = 1,
    speakers: Mapping[str, int] | None = None,
    hop_length: int = 256,
    phonemes: Mapping[str, list[int]] | None = None,
) -> dict[str, Any]:
    """The voice's JSON, with what Home Assistant needs to offer it: `language`, `dataset` and `audio.quality`.

    `name` is the file's stem; `language` an espeak-ng voice (TextError for one that piper-tts has not); `speakers`
    maps names to ids, numbered when they are not said. `phonemes` is the id map, piper-tts' by default; symbols
    beyond `num_symbols` are left out, since the networks have no row for them.
    """
    table = phoneme_id_map() if phonemes is None else phonemes
    named = dict(speakers or {}) if num_speakers > 1 else {}
    for speaker_id in sorted(set(range(num_speakers if num_speakers > 1 else 0)) - set(named.values())):
        named[f"speaker_{speaker_id}"] = speaker_id
    return {
        "dataset": name,
        "audio": {"sample_rate": sample_rate, "quality": quality},
        "espeak": {"voice": check_language(language)},
        "language": language_of(language).to_dict(),
        "inference": {"noise_scale": NOISE_SCALE, "length_scale": LENGTH_SCALE, "noise_w": NOISE_W},
        "phoneme_type": "espeak",
        "phoneme_map": {},
        "phoneme_id_map": {symbol: list(ids) for symbol, ids in table.items() if max(ids) < num_symbols},
        "num_symbols": num_symbols,
        "num_speakers": num_speakers,
        "speaker_id_map": named,
        "hop_length": hop_length,
        "piper_version": _piper_version(),
    }


def run_export(
    source: Path, out_dir: Path, *, name: str | None = None, language: str | None = None, timeout_s: float = 900
) -> Exported | ExportFailed:
    """Exports a run's or checkpoint's voice into `out_dir` by a process of its own, and waits for it.

    `name` and `language` replace what the run or checkpoint says.
    """
    command = [sys.executable, "-m", "piper_core.voices.export", str(source), "--out", str(out_dir)]
    command += ["--name", name] if name else []
    command += ["--language", language] if language else []
    paths = [str(_PROJECT), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s
        )
    except subprocess.TimeoutExpired:
        return ExportFailed(
            f"The export took longer than {timeout_s:.0f} s and was ended. Try it when less is running."
        )
    last_line = (done.stdout.strip().splitlines() or [""])[-1]
    if done.returncode == 0 and last_line.startswith("{"):
        files = json.loads(last_line)
        return Exported(Path(files["onnx"]), Path(files["json"]), files["name"])
    errors = done.stderr.strip().splitlines()
    return ExportFailed(errors[-1] if errors else f"The export's process ended with status {done.returncode}.")


def zip_voice(onnx: Path, json: Path) -> bytes:
    """Both files of a voice as a zip; stored, since weights hardly shrink."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.write(onnx, onnx.name)
        archive.write(json, json.name)
    return buffer.getvalue()


def list_voices(folder: Path) -> list[VoiceFile]:
    """The voices in `folder`, newest first; files that are no voice are passed over."""
    found = [voice for onnx in folder.glob("*.onnx") if (voice := read_voice(onnx)) is not None]
    return sorted(found, key=lambda voice: (-voice.exported_at, voice.name))


def read_voice(onnx: Path) -> VoiceFile | None:
    """The voice of an .onnx file and its .onnx.json; None when they are no voice."""
    config_path = onnx.with_name(f"{onnx.name}.json")
    try:
        config = json.loads(config_path.read_bytes())
        audio = config["audio"]
        return VoiceFile(
            onnx=onnx,
            json=config_path,
            name=onnx.name.removesuffix(".onnx"),
            language=str(config["espeak"]["voice"]),
            quality=str(audio.get("quality") or ""),
            sample_rate=int(audio["sample_rate"]),
            speakers=dict(config.get("speaker_id_map") or {}),
            num_speakers=int(config["num_speakers"]),
            size_bytes=onnx.stat().st_size + config_path.stat().st_size,
            exported_at=onnx.stat().st_mtime,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _piper_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("piper-tts")
    except PackageNotFoundError:
        return ""
