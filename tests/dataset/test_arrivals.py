"""Files that come one request each: only with a ticket, only by safe names, whole or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from piper_core.dataset import arrivals
from piper_core.dataset.intake import IntakeError


async def chunks(*parts: bytes | Exception) -> AsyncIterator[bytes]:
    for part in parts:
        if isinstance(part, Exception):
            raise part
        yield part


def send(root: Path, ticket: str, name: str, *parts: bytes | Exception) -> int:
    return asyncio.run(arrivals.receive(root, ticket, name, chunks(*parts)))


def test_files_become_a_dataset(tmp_path: Path) -> None:
    root = tmp_path / "arrivals"
    ticket = arrivals.open_arrival(root)
    assert send(root, ticket, "voice/metadata.csv", b"a|Hel", b"lo.\n") == 9
    send(root, ticket, "voice/wavs/a.wav", b"first")
    send(root, ticket, f"voice/wavs/{'声' * 80}.wav", b"RIFF")
    send(root, ticket, "voice/wavs/a.wav", b"RIFF")
    folder = arrivals.take(root, ticket, tmp_path / "datasets" / "voice")
    assert (folder / "metadata.csv").read_text() == "a|Hello.\n"
    assert (folder / "wavs/a.wav").read_bytes() == b"RIFF", "a file that was sent again replaces itself"
    assert list(root.iterdir()) == []
    with pytest.raises(IntakeError, match="not known here"):
        arrivals.take(root, ticket, tmp_path / "again")


@pytest.mark.parametrize(
    "name", ["../a.wav", "/etc/a.wav", "wavs/../../a.wav", "C:\\a.wav", "a\0.wav", "run.sh", ".a.wav", ""]
)
def test_names_that_lead_outside_or_are_no_dataset_are_refused(tmp_path: Path, name: str) -> None:
    root = tmp_path / "arrivals"
    ticket = arrivals.open_arrival(root)
    with pytest.raises(IntakeError):
        send(root, ticket, name, b"x")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("ticket", ["", "..", "../../etc", "x" * 32, "."])
def test_nothing_is_taken_without_a_ticket_that_was_given(tmp_path: Path, ticket: str) -> None:
    root = tmp_path / "arrivals"
    arrivals.open_arrival(root)
    with pytest.raises(IntakeError, match="not known here"):
        send(root, ticket, "a.wav", b"x")


def test_a_file_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    root = tmp_path / "arrivals"
    ticket = arrivals.open_arrival(root)
    with pytest.raises(ConnectionError):
        send(root, ticket, "a.wav", b"half", ConnectionError("gone"))
    assert list((root / ticket).iterdir()) == []


def test_a_file_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "MAX_FILE_BYTES", 10)
    root = tmp_path / "arrivals"
    ticket = arrivals.open_arrival(root)
    with pytest.raises(IntakeError, match="cut it into clips"):
        send(root, ticket, "a.wav", b"12345", b"67890", b"1")
    assert list((root / ticket).iterdir()) == []


def test_an_upload_that_is_no_dataset_leaves_nothing(tmp_path: Path) -> None:
    root = tmp_path / "arrivals"
    ticket = arrivals.open_arrival(root)
    send(root, ticket, "metadata.csv", b"a|b\n")
    with pytest.raises(IntakeError, match="no recordings"):
        arrivals.take(root, ticket, tmp_path / "datasets" / "voice")
    assert not (tmp_path / "datasets" / "voice").exists()
    assert list(root.iterdir()) == []


def test_uploads_that_were_broken_off_go_after_a_day(tmp_path: Path) -> None:
    root = tmp_path / "arrivals"
    old = arrivals.open_arrival(root)
    now = (root / old).stat().st_mtime
    arrivals.open_arrival(root, now=now + arrivals.KEPT_S - 1)
    assert (root / old).is_dir()
    arrivals.open_arrival(root, now=now + arrivals.KEPT_S + 60)
    assert not (root / old).exists()
