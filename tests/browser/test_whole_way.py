"""A newcomer's whole way in a real Chromium: demo dataset, findings, training, watching, a voice that speaks."""

from __future__ import annotations

import json
import re
import time
import urllib.request
import wave
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest

from piper_core.runs.run import open_run, read_json
from tests.app_server import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PAGES = {
    "setup": "Make the demo dataset",
    "train": "Choose, upload or make one",
    "monitor": "No run yet",
    "voices": "No voice yet",
}
TRAINED_S = 240_000


def nothing_is_wrong(page: Page, server: Server) -> None:
    """No exception and no error on the page, no traceback in the server's log."""
    assert page.get_by_test_id("stException").count() == 0
    assert page.get_by_test_id("stAlertContentError").all_inner_texts() == []
    assert "Traceback" not in server.log.read_text(encoding="utf-8")


def status(server: Server, run: str) -> dict:
    with urllib.request.urlopen(f"{server.url}/status?run={run}", timeout=30) as answer:
        return json.load(answer)


def wait_for_step(server: Server, run: str, step: int, *, not_of: int = 0, timeout_s: float = 240) -> dict:
    """The run's status once it trains at `step` or later, by another process than `not_of`."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        observed = status(server, run)
        if observed["pid"] != not_of:
            assert observed["state"] not in ("failed", "crashed"), observed
            if observed["state"] in ("training", "validating") and observed["progress"]["step"] >= step:
                return observed
        time.sleep(0.5)
    raise AssertionError(f"step {step} was not reached: {observed}")


def start_a_run(page: Page, server: Server, steps: int) -> str:
    """Demo dataset -> findings -> Train -> launch; returns the run's name."""
    page.goto(server.url)
    page.locator(".st-key-demo_defects label").click()
    page.get_by_role("button", name="Make the demo dataset").click()
    page.get_by_text("What was found").wait_for()
    page.get_by_test_id("stProgress").wait_for(state="detached")
    page.get_by_text("clipping").first.wait_for()
    page.get_by_text("Export and report").click()
    page.get_by_role("button", name="Save cleaned manifest").click()
    page.get_by_text("metadata.cleaned.csv").first.wait_for()
    nothing_is_wrong(page, server)

    page.get_by_role("link", name="Train with this dataset").first.click()
    page.get_by_text("What will happen").wait_for()
    page.get_by_role("spinbutton", name="Steps").fill(str(steps))
    page.keyboard.press("Enter")
    page.locator(".st-key-launch button").first.click()
    watch = page.get_by_role("link", name=re.compile("^Watch|Watch "))
    watch.wait_for(timeout=90_000)
    nothing_is_wrong(page, server)
    watch.click()
    page.get_by_role("heading", name="Monitor").wait_for()
    [run] = (server.workspace / "runs").iterdir()
    return run.name


@pytest.mark.browser
@pytest.mark.slow
def test_from_the_demo_dataset_to_a_spoken_voice(page: Page, server: Server) -> None:
    run = start_a_run(page, server, steps=400)

    # Steps rise on the page without a reload, and there is a time left.
    page.get_by_text(re.compile(r"tep [1-9]")).first.wait_for(timeout=TRAINED_S)
    first = wait_for_step(server, run, 4)["progress"]["step"]
    later = wait_for_step(server, run, first + 4)
    assert later["progress"]["total_steps"] == 400
    assert later["progress"]["eta_minutes"] > 0
    page.get_by_text(re.compile(rf"tep (?!{first}\b)\d")).first.wait_for()
    left = page.get_by_test_id("stMetric").filter(has_text="Time left")
    assert re.search(r"\d", left.first.inner_text()), "the page shows no time left"
    page.locator(".live-chart .main-svg").first.wait_for()
    # A chart changes and stays while the page polls: Streamlit's message cache once ended this in an error.
    page.get_by_text("Log axis", exact=True).click()
    page.wait_for_function("document.querySelector('.live-chart')._fullLayout.yaxis.type === 'log'")
    wait_for_step(server, run, status(server, run)["progress"]["step"] + 4)
    assert page.get_by_text("Connection error").count() == 0
    nothing_is_wrong(page, server)

    page.locator(".st-key-run_Stop button").first.click()
    page.get_by_text("Stopped at step").first.wait_for(timeout=TRAINED_S)
    assert status(server, run)["state"] == "stopped"
    assert open_run(server.workspace / "runs" / run).last_checkpoint.is_file()

    page.get_by_role("link", name="Voices").first.click()
    page.locator(".st-key-export button").first.click()
    page.get_by_text("has spoken in piper-tts").wait_for(timeout=120_000)
    page.get_by_label("Text", exact=True).fill("The whole way works, from recordings to a voice.")
    page.locator(".st-key-speak button").first.click()
    player = page.locator("audio").first
    player.wait_for(state="attached", timeout=120_000)
    nothing_is_wrong(page, server)
    source = page.evaluate("element => element.src", player.element_handle())
    with urllib.request.urlopen(source, timeout=30) as answer, wave.open(BytesIO(answer.read())) as spoken:
        rate = spoken.getframerate()
        samples = np.frombuffer(spoken.readframes(spoken.getnframes()), np.int16)
    assert len(samples) > rate * 0.5
    assert np.abs(samples).max() > 500, "the speech is silent"

    with page.expect_download() as download:
        page.locator(".st-key-download_voice button").first.click()
    assert download.value.suggested_filename.endswith(".zip")


@pytest.mark.browser
@pytest.mark.slow
def test_a_run_outlives_the_server_and_a_killed_trainer_resumes(page: Page, server: Server) -> None:
    run = start_a_run(page, server, steps=400)
    at_kill = wait_for_step(server, run, 3)
    server.kill()
    assert psutil.pid_exists(at_kill["pid"]), "the trainer died with the server"
    server.start()
    page.goto(f"{server.url}/monitor?run={run}")
    page.get_by_text(re.compile(r"tep [1-9]")).first.wait_for()
    went_on = wait_for_step(server, run, at_kill["progress"]["step"] + 3)
    assert went_on["pid"] == at_kill["pid"]

    released = urllib.request.Request(f"{server.url}/clear_gpu_memory", method="POST")
    with urllib.request.urlopen(released, timeout=60) as answer:
        assert json.load(answer)["runs"][run] is not None, "the live trainer did not answer"

    # A checkpoint to go on from, then SIGKILL: only who watches can tell that it crashed.
    page.locator(".st-key-run_Stop button").first.click()
    page.locator(".st-key-run_resume button").first.wait_for(timeout=TRAINED_S)
    saved = status(server, run)["checkpoint"]["step"]
    page.locator(".st-key-run_resume button").first.click()
    resumed = wait_for_step(server, run, saved + 2, not_of=at_kill["pid"])
    page.locator(".st-key-run_Stop button").first.wait_for(timeout=TRAINED_S)
    psutil.Process(resumed["pid"]).kill()
    page.get_by_text("The run has crashed").first.wait_for(timeout=60_000)
    assert read_json(open_run(server.workspace / "runs" / run).status_path)["state"] != "crashed", "only readers know"
    page.locator(".st-key-run_resume button").first.click()
    again = wait_for_step(server, run, saved + 1, not_of=resumed["pid"])
    assert again["progress"]["step"] <= resumed["progress"]["step"] + 3, "it began after its last checkpoint"
    assert "Traceback" not in server.log.read_text(encoding="utf-8")


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_each_page_opens_by_deep_link_on_a_fresh_server(name: str, chromium: Browser, server: Server) -> None:
    """A server's very first request is the one that went past the router in Streamlit's older layout."""
    page = chromium.new_page()
    try:
        page.goto(f"{server.url}/{name}")
        page.get_by_text(PAGES[name]).first.wait_for(timeout=60_000)
        assert page.get_by_role("link", name="Monitor").first.is_visible(), "the page runs without the router"
        nothing_is_wrong(page, server)
    finally:
        page.close()


@pytest.mark.browser
def test_a_page_opens_with_the_token_and_not_without(chromium: Browser, tmp_path: Path) -> None:
    guarded = Server(tmp_path / "workspace", environment={"STUDIO_TOKEN": "open-sesame"})
    guarded.start()
    page = chromium.new_page()
    try:
        page.goto(f"{guarded.url}/monitor")
        page.get_by_text("asks for its token").wait_for()
        page.goto(f"{guarded.url}/monitor?token=open-sesame")
        page.get_by_text(PAGES["monitor"]).first.wait_for(timeout=60_000)
        assert "open-sesame" not in page.url, "the token stays in the address"
    finally:
        page.close()
        guarded.kill()
