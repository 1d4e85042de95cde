"""Uploads become datasets; hostile and broken ones become sentences, and leave nothing behind."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from piper_core.dataset import intake
from piper_core.dataset.intake import IntakeError, save_files, unpack_zip
from piper_core.dataset.layouts import read_dataset
from tests.dataset import layouts_by_hand as by_hand

METADATA = b"a|Hello.\nb|Bye.\n"


def zipped(files: dict[str, bytes]) -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    buffer.seek(0)
    return buffer


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


GOOD = {"metadata.csv": METADATA, "wavs/a.wav": b"1", "wavs/b.flac": b"2"}


@pytest.mark.parametrize("wrapping", ["", "my-voice/", "outer/my-voice/"])
def test_a_zip_with_or_without_a_folder_around_it(tmp_path: Path, wrapping: str) -> None:
    content = {wrapping + name: data for name, data in GOOD.items()}
    content |= {"__MACOSX/._a.wav": b"x", wrapping + ".DS_Store": b"x", wrapping + "install.sh": b"x"}
    folder = unpack_zip(zipped(content), tmp_path / "voice")
    assert folder == tmp_path / "voice"
    assert files_in(folder) == ["metadata.csv", "wavs/a.wav", "wavs/b.flac"]
    assert read_dataset(folder).findings == ()
    assert [path.name for path in tmp_path.iterdir()] == ["voice"]


def test_recordings_beside_the_metadata_go_to_wavs(tmp_path: Path) -> None:
    folder = unpack_zip(zipped({"metadata.csv": METADATA, "a.wav": b"1", "b.flac": b"2"}), tmp_path / "voice")
    assert files_in(folder) == ["metadata.csv", "wavs/a.wav", "wavs/b.flac"]


@pytest.mark.parametrize(
    "name", ["../evil.wav", "wavs/../../evil.wav", "/etc/evil.wav", "C:\\evil.wav", "..\\evil.wav"]
)
def test_names_that_lead_outside_refuse_the_whole_upload(tmp_path: Path, name: str) -> None:
    """Zip slip (CWE-22)."""
    inside = tmp_path / "inside"
    with pytest.raises(IntakeError, match="outside its own folder"):
        unpack_zip(zipped({**GOOD, name: b"evil"}), inside / "voice")
    with pytest.raises(IntakeError, match="outside its own folder"):
        save_files([(name, io.BytesIO(b"evil"))], inside / "voice")
    assert files_in(tmp_path) == []


def test_links_in_a_zip_are_not_followed(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("wavs/b.flac")
    link.external_attr = 0o120777 << 16
    buffer = zipped({"metadata.csv": METADATA, "wavs/a.wav": b"1"})
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    buffer.seek(0)
    assert files_in(unpack_zip(buffer, tmp_path / "voice")) == ["metadata.csv", "wavs/a.wav"]


def test_a_bomb_is_refused_before_it_bursts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = zipped({**GOOD, "wavs/bomb.wav": bytes(30 * 1024**2)})
    assert bomb.getbuffer().nbytes < 100_000
    with pytest.raises(IntakeError, match="times in unpacking"):
        unpack_zip(bomb, tmp_path / "voice")
    monkeypatch.setattr(intake, "MAX_TOTAL_BYTES", 10)
    with pytest.raises(IntakeError, match="at most"):
        unpack_zip(zipped(GOOD), tmp_path / "voice")
    with pytest.raises(IntakeError, match="more than"):
        save_files([("a.wav", io.BytesIO(bytes(11)))], tmp_path / "voice")
    monkeypatch.setattr(intake, "MAX_FILES", 2)
    with pytest.raises(IntakeError, match="files"):
        save_files([(name, io.BytesIO(b"")) for name in GOOD], tmp_path / "voice")
    assert files_in(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"metadata.csv": METADATA}, "holds no recordings"),
        ({"wavs/a.wav": b"1"}, r"holds no metadata\.csv"),
        ({}, "holds no recordings"),
        ({"readme.md": b"hi"}, "holds no recordings"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, content: dict[str, bytes], sentence: str) -> None:
    with pytest.raises(IntakeError, match=sentence):
        unpack_zip(zipped(content), tmp_path / "voice")
    assert list(tmp_path.iterdir()) == []


def test_broken_and_locked_zips(tmp_path: Path) -> None:
    with pytest.raises(IntakeError, match="no zip"):
        unpack_zip(io.BytesIO(b"not a zip"), tmp_path / "voice")
    whole = zipped({"metadata.csv": METADATA, "wavs/a.wav": bytes(range(256)) * 50}).getvalue()
    with pytest.raises(IntakeError, match="no zip"):
        unpack_zip(io.BytesIO(whole[: len(whole) // 2]), tmp_path / "voice")
    spoiled = bytearray(whole)
    spoiled[200:240] = bytes(40)
    with pytest.raises(IntakeError, match="can't be unpacked"):
        unpack_zip(io.BytesIO(bytes(spoiled)), tmp_path / "voice")
    locked = bytearray(whole)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = -1
        while (start := locked.find(mark, start + 1)) >= 0:
            locked[start + offset] |= 1
    with pytest.raises(IntakeError, match="password"):
        unpack_zip(io.BytesIO(bytes(locked)), tmp_path / "voice")
    assert list(tmp_path.iterdir()) == []


def test_thousands_of_uploaded_files_one_at_a_time(tmp_path: Path) -> None:
    """Streamlit hands over flat names; nothing but the file at hand may be held."""

    def uploads() -> Iterator[tuple[str, IO[bytes]]]:
        yield "metadata.csv", io.BytesIO("".join(f"c{i}|Number {i}.\n" for i in range(3000)).encode())
        for i in range(3000):
            yield f"c{i}.wav", io.BytesIO(bytes([i % 256]))

    folder = save_files(uploads(), tmp_path / "voice")
    dataset = read_dataset(folder)
    assert len(dataset.utterances) == 3000
    assert dataset.findings == ()
    assert dataset.utterances[77].path == folder / "wavs/c77.wav"


def test_an_uploaded_folder_with_relative_paths(tmp_path: Path) -> None:
    files = [(f"my voice/{name}", io.BytesIO(content)) for name, content in GOOD.items()]
    assert files_in(save_files(files, tmp_path / "voice")) == sorted(GOOD)


def test_names_that_collide(tmp_path: Path) -> None:
    with pytest.raises(IntakeError, match="own name"):
        save_files([("a.wav", io.BytesIO(b"1")), ("a.wav", io.BytesIO(b"2"))], tmp_path / "voice")
    with pytest.raises(IntakeError, match="own name"):
        save_files([("a.wav", io.BytesIO(b"1")), ("a.wav/b.wav", io.BytesIO(b"2"))], tmp_path / "voice")
    with pytest.raises(IntakeError, match="too long"):
        save_files([("x" * 300 + ".wav", io.BytesIO(b"1"))], tmp_path / "voice")
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "voice").mkdir()
    (tmp_path / "voice/mine.txt").touch()
    with pytest.raises(IntakeError, match="already"):
        unpack_zip(zipped(GOOD), tmp_path / "voice")
    assert files_in(tmp_path) == ["voice/mine.txt"]


@pytest.mark.parametrize("layout", by_hand.LAYOUTS)
def test_every_layout_can_be_uploaded(tmp_path: Path, layout: str) -> None:
    by_hand.LAYOUTS[layout][0](tmp_path / "set")
    scp = tmp_path / "set/wav.scp"
    if scp.exists():  # absolute paths are another machine's here
        scp.write_text(scp.read_text().replace(f"{tmp_path}/set/", "/home/somebody/"))
    files = {f"my set/{name}": (tmp_path / "set" / name).read_bytes() for name in files_in(tmp_path / "set")}
    folder = unpack_zip(zipped(files), tmp_path / "voice")
    assert files_in(folder) == files_in(tmp_path / "set")
    assert {said.utterance_id for said in read_dataset(folder).usable} == by_hand.CLIPS.keys()
