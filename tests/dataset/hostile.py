"""Folders that somebody made to break what reads them: each is written by a function of its own.

Each holds the sound clips `a1`, `a2` and `b1` of `layouts_by_hand` beside what is hostile, so that what is still read
can be held against what is there.
"""

from __future__ import annotations

import io
import os
import socket
import struct
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import soundfile

from tests.dataset import layouts_by_hand as by_hand

MARKUP = '<script>alert(1)</script><img src=x onerror="alert(2)">'
FORMULAS = ("=HYPERLINK(1)", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "=cmd|' /C calc'!A0")
GIGABYTE = 1 << 30


def rows(folder: Path, *more: str, encoding: str = "utf-8") -> None:
    """The three clips, and `more` rows behind them."""
    by_hand.ljspeech(folder)
    text = (folder / "metadata.csv").read_text(encoding="utf-8") + "".join(f"{row}\n" for row in more)
    (folder / "metadata.csv").write_bytes(text.encode(encoding, "surrogateescape"))


def wav(samples: np.ndarray, subtype: str = "PCM_16", rate: int = 16000) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="WAV", subtype=subtype)
    return buffer.getvalue()


def bad_file(folder: Path, content: bytes, name: str = "x.wav") -> None:
    rows(folder, f"{name.rpartition('.')[0]}|A clip of four words.")
    (folder / "wavs" / name).write_bytes(content)


def paths_that_leave(folder: Path) -> None:
    secret = folder.parent / "secret.wav"
    by_hand.write_audio(secret, "a1")
    names = (
        "../secret", "../../../../etc/passwd", "/etc/passwd", str(secret), "wavs/../../secret", "..\\secret", "C:\\x",
        "~/x", "file:///etc/passwd", "wavs/./../../secret.wav", "$HOME/x", "a\0b", "http://127.0.0.1/x.wav",
    )  # fmt: skip
    rows(folder, *(f"{name}|One {number}." for number, name in enumerate(names)))


def links_that_leave(folder: Path) -> None:
    rows(folder, "x|One.", "y|Two.", "z|Three.")
    (folder / "wavs/x.wav").symlink_to("/etc/passwd")
    (folder / "wavs/y.wav").symlink_to("/proc/self/environ")
    (folder / "wavs/z.wav").symlink_to(folder.parent / "nowhere.wav")


def links_in_a_circle(folder: Path) -> None:
    rows(folder, "x|One.", "loop/a1|Two.", "loop/loop/loop/a2|Three.")
    (folder / "wavs/x.wav").symlink_to("x.wav")
    (folder / "wavs/loop").symlink_to(folder / "wavs")
    (folder / "again").symlink_to(folder)
    for name in ("self", "self.csv", "self.json"):
        (folder / name).symlink_to(name)


def pipes_and_devices(folder: Path) -> None:
    rows(folder, "pipe|One.", "zero|Two.", "random|Three.", "socket|Four.", "folder|Five.", "tty|Six.")
    os.mkfifo(folder / "wavs/pipe.wav")
    (folder / "wavs/zero.wav").symlink_to("/dev/zero")
    (folder / "wavs/random.flac").symlink_to("/dev/urandom")
    (folder / "wavs/tty.mp3").symlink_to("/dev/tty")
    here = Path.cwd()
    os.chdir(folder / "wavs")  # a socket's name may have 107 bytes only
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("socket.wav")
    finally:
        os.chdir(here)
    (folder / "wavs/folder.wav").mkdir()


def metadata_is_a_folder(folder: Path) -> None:
    rows(folder)
    (folder / "metadata.csv").unlink()
    (folder / "metadata.csv").mkdir()


def metadata_is_a_pipe(folder: Path) -> None:
    rows(folder)
    (folder / "metadata.csv").unlink()
    os.mkfifo(folder / "metadata.csv")


def metadata_is_a_device(folder: Path) -> None:
    rows(folder)
    (folder / "metadata.csv").unlink()
    (folder / "metadata.csv").symlink_to("/dev/zero")


def metadata_is_a_secret(folder: Path) -> None:
    """A link out of the folder: its lines must not come back in findings."""
    rows(folder)
    (folder / "metadata.csv").unlink()
    (folder.parent / "secret.txt").write_text("a1|the password is swordfish\n")
    (folder / "metadata.csv").symlink_to(folder.parent / "secret.txt")


def metadata_is_binary(folder: Path) -> None:
    rows(folder)
    (folder / "metadata.csv").write_bytes(by_hand.sound("a1").tobytes())


def metadata_is_zeros(folder: Path) -> None:
    rows(folder)
    (folder / "metadata.csv").write_bytes(bytes(5_000_000))


def metadata_is_a_gigabyte(folder: Path) -> None:
    rows(folder)
    with (folder / "metadata.csv").open("r+b") as file:
        file.truncate(GIGABYTE)


def manifests_are_pipes(folder: Path) -> None:
    """Pipes under every name that a layout looks for, beside a text for each clip."""
    by_hand.text_beside(folder)
    for name in ("manifest.json", "train.jsonl", "wav.scp", "text", "utt2spk", "list.csv", "a-metadata.txt", "x.lab"):
        os.mkfifo(folder / name)


def texts_are_pipes(folder: Path) -> None:
    by_hand.text_beside(folder)
    for text in sorted(folder.rglob("*.txt"))[:2]:
        text.unlink()
        os.mkfifo(text)


def a_million_columns(folder: Path) -> None:
    rows(folder, "x" + "|y" * 999_999, "z|Three.")


def many_broken_rows(folder: Path) -> None:
    rows(folder, *("|" * (number % 7) for number in range(20_000)))


def names_with_anything(folder: Path) -> None:
    """Names that are no Unicode, hold line ends, or turn the direction of reading."""
    rows(folder)
    names = (
        b"x\nnew.wav", b"x\r.wav", b"x\t.wav", b"x\xff\xfe.wav", b"x\x1b[31m.wav", "x\u202egpj.wav".encode(),
        b"-rf.wav", b" x .wav", b"=1+1.wav", b"<b>.wav", b"x'\"`$(reboot).wav", "x\u200b.wav".encode(), b"CON.wav",
        b"x%00.wav", b".hidden.wav", b"..wav",
    )  # fmt: skip
    content = (folder / "wavs/a1.wav").read_bytes()
    for name in names:
        Path(os.fsdecode(os.fsencode(folder / "wavs") + b"/" + name)).write_bytes(content)
    lines = [os.fsdecode(name).removesuffix(".wav") for name in names]
    with (folder / "metadata.csv").open("ab") as file:
        for name in lines:
            file.write(os.fsencode(name) + b"|The text of a clip.\n")


def names_alike(folder: Path) -> None:
    """One name in both forms of Unicode: two files."""
    rows(folder, "caf\u00e9|One.", "cafe\u0301|Two.")
    for form in ("NFC", "NFD"):
        name = unicodedata.normalize(form, "caf\u00e9")
        by_hand.write_audio(folder / f"wavs/{name}.wav", "a1")


def texts_with_anything(folder: Path) -> None:
    odd = (
        MARKUP, *FORMULAS, "\x1b[2J\x07bell", "\u202eright to left\u202c", "\u200b\u200b", "a\u0000b", "x" * 100_000,
        "long " * 20_000, "\ufeff", "\u0301" * 1000, "\U0001f600" * 50, "{{7*7}} ${7*7} %s %n %d {0.__class__}",
        "[x](javascript:alert(1)) ![](http://127.0.0.1/x)", "'; DROP TABLE clips; --", "no UTF-8 \udcff",
    )  # fmt: skip
    for number in range(len(odd)):
        by_hand.write_audio(folder / f"wavs/t{number}.wav", "b1")
    rows(folder, *(f"t{number}|{text}" for number, text in enumerate(odd)))


def ids_with_anything(folder: Path) -> None:
    odd = (MARKUP.replace("/", ""), *FORMULAS[:4], "x" * 5000, "\u202ex", "a b", "a\x1bb", "%2e%2e%2fx")
    rows(folder, *(f"{name}|Words." for name in odd))
    for name in odd:
        if len(name) < 200:
            by_hand.write_audio(folder / f"wavs/{name}.wav", "a1")


def speakers_with_anything(folder: Path) -> None:
    by_hand.piper(folder)
    odd = (MARKUP.replace("/", ""), *FORMULAS[:4], "../../x", "\u202e", "x" * 3000, "")
    with (folder / "metadata.csv").open("a") as file:
        for number, speaker in enumerate(odd):
            for clip in range(3):
                by_hand.write_audio(folder / f"wavs/s{number}{clip}.wav", "a1")
                file.write(f"s{number}{clip}|{speaker}|Words of speaker {number}, {clip}.\n")


def absurd_lengths(folder: Path) -> None:
    sound = bytearray(wav(by_hand.sound("a1")))
    rows(folder, "riff|One.", "data|Two.", "rate|Three.", "channels|Four.", "zero|Five.", "span|Six.")
    claims = (("riff", 4, 0xFFFFFFFF), ("data", 40, 0xFFFFFFF0), ("rate", 24, 0x7FFFFFFF), ("zero", 24, 0))
    for name, at, value in claims:
        changed = bytearray(sound)
        struct.pack_into("<I", changed, at, value)
        (folder / f"wavs/{name}.wav").write_bytes(changed)
    changed = bytearray(sound)
    struct.pack_into("<H", changed, 22, 65535)
    (folder / "wavs/channels.wav").write_bytes(changed)


def samples_that_are_no_numbers(folder: Path) -> None:
    rows(folder, "nan|One.", "inf|Two.", "huge|Three.", "tiny|Four.")
    sound = by_hand.sound("a1")
    for name, value in (("nan", np.nan), ("inf", np.inf), ("huge", 3e38), ("tiny", 1e-45)):
        (folder / f"wavs/{name}.wav").write_bytes(wav(np.full_like(sound, value), "FLOAT"))


def empty_and_half_files(folder: Path) -> None:
    rows(folder, "empty|One.", "half|Two.", "header|Three.", "text|Four.", "zip|Five.", "zeros|Six.", "flac|Seven.")
    sound = wav(by_hand.sound("a1"))
    compressed = io.BytesIO()
    soundfile.write(compressed, by_hand.sound("a1"), 16000, format="FLAC")
    flac = compressed.getvalue()
    contents = {
        "empty": b"", "half": sound[: len(sound) // 2], "header": sound[:44], "text": b"hello",
        "zip": b"PK\x03\x04" + bytes(100), "zeros": bytes(100_000),
    }  # fmt: skip
    for name, content in contents.items():
        (folder / f"wavs/{name}.wav").write_bytes(content)
    (folder / "wavs/flac.flac").write_bytes(flac[: len(flac) // 2])


def sparse_files(folder: Path) -> None:
    """Holes under the names of recordings."""
    rows(folder, "x|One.", "y|Two.")
    (folder / "wavs/x.wav").write_bytes(wav(by_hand.sound("a1")))
    for name in ("x.wav", "y.flac"):
        with (folder / "wavs" / name).open("ab") as file:
            file.truncate(GIGABYTE // 8)


def spans_of_anything(folder: Path) -> None:
    by_hand.nemo(folder)
    line = '{{"audio_filepath": "wavs/a1.wav", "text": "x", "offset": {0}, "duration": {1}}}\n'
    odd = (
        ("-1", "1"), ("1e308", "1e308"), ("NaN", "1"), ("0", "Infinity"), ("0", "-0.0"), ("0", "1e-320"),
        ("1e999", "1"), ("true", "1"), ('"0.1"', '"0.2"'), ("[]", "{}"), ("null", "null"), ("0", "1" + "0" * 400),
    )  # fmt: skip
    with (folder / "manifest.json").open("a") as file:
        for offset, duration in odd:
            file.write(line.format(offset, duration))


def kaldi_commands(folder: Path) -> None:
    by_hand.kaldi(folder)
    with (folder / "wav.scp").open("a") as file:
        file.write(f"c1 touch {folder.parent}/ran |\nc2 cat /etc/passwd |\nc3 /etc/passwd\nc4 x.ark:5\nc5\n")
    with (folder / "text").open("a") as file:
        file.write("c1 One.\nc2 Two.\nc3 Three.\nc4 Four.\nc5 Five.\n")


def no_permission(folder: Path) -> None:
    rows(folder, "x|One.")
    by_hand.write_audio(folder / "wavs/x.wav", "a1")
    (folder / "wavs/x.wav").chmod(0)


def no_permission_for_metadata(folder: Path) -> None:
    rows(folder)
    (folder / "metadata.csv").chmod(0)


def no_permission_for_the_folder(folder: Path) -> None:
    rows(folder)
    (folder / "wavs").chmod(0)


FOLDERS: Mapping[str, Callable[[Path], None]] = {
    made.__name__: made
    for made in (
        paths_that_leave, links_that_leave, links_in_a_circle, pipes_and_devices, metadata_is_a_folder,
        metadata_is_a_pipe, metadata_is_a_device, metadata_is_a_secret, metadata_is_binary, metadata_is_zeros,
        metadata_is_a_gigabyte, manifests_are_pipes, texts_are_pipes, a_million_columns, many_broken_rows,
        names_with_anything, names_alike, texts_with_anything, ids_with_anything, speakers_with_anything,
        absurd_lengths, samples_that_are_no_numbers, empty_and_half_files, sparse_files, spans_of_anything,
        kaldi_commands,
    )
}  # fmt: skip
