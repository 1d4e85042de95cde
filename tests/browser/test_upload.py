"""A metadata file with 3,000 recordings goes through a real browser: Streamlit's own uploader breaks off at this."""

from __future__ import annotations

import http.client
import wave
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.app_server import Server

if TYPE_CHECKING:
    from playwright.sync_api import Page

CLIPS = 3000
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """metadata.csv and 3,000 very short WAV files."""
    folder = tmp_path_factory.mktemp("recordings") / "my-voice"
    (folder / "wavs").mkdir(parents=True)
    for number in range(CLIPS):
        with wave.open(str(folder / "wavs" / f"clip-{number:05d}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes(number.to_bytes(2, "little") * 800)
    lines = (f"clip-{number:05d}|This is sentence {number}." for number in range(CLIPS))
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.mark.slow
def test_thousands_of_files_become_a_dataset(server: Server, page: Page, recordings: Path) -> None:
    page.goto(f"{server.url}/setup")
    files = [recordings / "metadata.csv", *sorted((recordings / "wavs").iterdir())]
    page.get_by_label("Metadata and recordings").set_input_files(files)
    page.get_by_text(f"of {CLIPS + 1:,} files").wait_for()
    page.get_by_text("What was found", exact=True).wait_for(timeout=240_000)
    folder = server.workspace / "datasets" / "uploaded"
    assert len(list((folder / "wavs").iterdir())) == CLIPS
    assert (folder / "metadata.csv").read_bytes() == (recordings / "metadata.csv").read_bytes()


def test_a_folder_that_is_no_dataset_gets_a_sentence_and_another_try(
    server: Server, page: Page, tmp_path: Path
) -> None:
    folder = tmp_path / "voice"
    folder.mkdir()
    (folder / "metadata.csv").write_text("a|Hello.\n", encoding="utf-8")
    page.goto(f"{server.url}/setup")
    page.get_by_label("Folder of the dataset").set_input_files(folder)
    page.get_by_text("The upload holds no recordings").wait_for()
    page.get_by_role("button", name="Choose a folder").wait_for()


def test_files_are_taken_from_our_pages_alone(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    foreign = {"Origin": "http://elsewhere.example", "Host": f"localhost:{server.port}"}
    for ticket, headers, status in (("", {}, 400), ("../../etc", {}, 400), ("x" * 32, {}, 400), ("", foreign, 403)):
        connection.request("PUT", f"/dataset_files?ticket={ticket}&name=a.wav", b"RIFF", headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
    assert not list(server.workspace.rglob("a.wav"))
