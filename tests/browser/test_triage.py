"""Triage in a real Chromium, by keyboard: hear, keep, leave out, edit, undo, after a restart too; then the export."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.app_server import Server

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def open_triage(page: Page, server: Server, dataset: Path) -> None:
    page.goto(f"{server.url}/setup?dataset={dataset}&view=triage")
    page.locator(".st-key-triage_text textarea").first.wait_for(timeout=120_000)
    page.get_by_test_id("stProgress").get_by_text("clips:").wait_for(state="detached")
    page.locator("audio").first.wait_for(state="attached")
    page.wait_for_timeout(1500)  # until the player listens to keys


def no_exception(page: Page, server: Server) -> None:
    assert page.get_by_test_id("stException").count() == 0
    assert "Traceback" not in server.log.read_text(encoding="utf-8")


def clip(page: Page) -> tuple[str, str]:
    """Name and text of the clip in sight: two rows of the demo share a name."""
    return page.locator("h3").first.inner_text(), page.locator(".st-key-triage_text textarea").first.input_value()


def left_out(page: Page, count: int) -> None:
    """The totals above say so, without anything else being clicked."""
    told = page.get_by_test_id("stMetric").filter(has_text="Left out").get_by_test_id("stMetricValue")
    told.get_by_text(str(count), exact=True).wait_for(timeout=3000)


def another(page: Page, before: tuple[str, str]) -> tuple[str, str]:
    """The clip that follows `before`, once it is in sight and listens to keys."""
    until = time.monotonic() + 30
    while clip(page) == before:
        assert time.monotonic() < until, f"still {before}"
        page.wait_for_timeout(50)
    page.wait_for_timeout(700)
    return clip(page)


def press(page: Page, key: str) -> tuple[str, str]:
    """Press `key`, which leads to another clip: that clip."""
    before = clip(page)
    page.keyboard.press(key)
    return another(page, before)


def test_triage_by_keyboard_restart_export_and_the_errors_are_gone(
    page: Page, server: Server, demo_with_defects: Path
) -> None:
    dataset = Path(shutil.copytree(demo_with_defects, server.workspace / "datasets" / "defects"))
    original = (dataset / "metadata.csv").read_bytes()
    open_triage(page, server, dataset)
    first = clip(page)
    second = press(page, "n")
    assert press(page, "b") == first
    third = press(page, "x")
    assert third == second, "the next in the queue comes up when one is left out"
    left_out(page, 1)
    assert press(page, "u") == first, "undo brings it back"
    left_out(page, 0)
    press(page, "x")

    # Letters that are typed into the text are no shortcuts.
    edited = clip(page)
    page.keyboard.press("e")
    page.keyboard.type(" knx pub")
    typed = (edited[0], f"{edited[1]} knx pub")
    assert clip(page) == typed
    page.keyboard.press("Control+Enter")
    kept = another(page, typed)
    # Pressed again before the next clip is in sight, a key decides nothing about that one.
    page.keyboard.press("k")
    press(page, "k")
    no_exception(page, server)
    journal = (dataset / "metadata.journal.jsonl").read_text(encoding="utf-8")
    assert journal.count('"do": "keep"') == 1
    assert [name in journal for name, _ in (first, edited, kept)] == [True, True, True]

    # A restart forgets nothing, and undo goes on from there.
    page.goto("about:blank")
    server.kill()
    server.start()
    open_triage(page, server, dataset)
    assert press(page, "u") == kept

    # A moved threshold tells at once what it costs; a warning leaves nothing out.
    page.goto(f"{server.url}/setup?dataset={dataset}&view=thresholds")
    beyond = page.get_by_test_id("stMetric").filter(has_text="Clips beyond").get_by_test_id("stMetricValue")
    beyond.wait_for(timeout=120_000)
    before_moving = beyond.inner_text()
    page.get_by_role("combobox", name="Limit").click()
    page.get_by_role("option").filter(has_text="duration-long").click()
    number = page.get_by_label("Clips above this are beyond it (s)")
    number.fill("0.5")
    number.press("Enter")
    page.get_by_role("button", name=re.compile("Leave out the .* beyond")).and_(page.locator(":enabled")).wait_for()
    assert beyond.inner_text() != before_moving
    # It holds from then on, and would leave every clip out, until it is put back.
    page.get_by_role("button", name="Back to defaults").click()
    page.get_by_text("Moved limits hold").wait_for(state="detached")

    # The export: without what was left out and without errors, the original untouched.
    page.goto(f"{server.url}/setup?dataset={dataset}&view=export")
    page.get_by_role("button", name="Export", exact=True).click(timeout=120_000)
    page.get_by_role("button", name="Inspect the export").click(timeout=120_000)
    page.get_by_role("heading", name="defects-cleaned").wait_for()
    page.get_by_test_id("stRadio").or_(page.get_by_text("Overview")).first.click()
    page.get_by_text("What was found").first.wait_for(timeout=120_000)
    page.get_by_text("Stop inspecting").wait_for(state="detached")
    no_exception(page, server)
    assert (dataset / "metadata.csv").read_bytes() == original

    from piper_core.dataset.inspection import inspect

    before, after = inspect(dataset), inspect(server.workspace / "datasets" / "defects-cleaned")
    assert before.summary.errors > 0
    assert after.summary.errors == 0
    assert first not in {(row.utterance_id, row.text) for row in after.utterances}
