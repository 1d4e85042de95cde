"""A threshold moved by the slider in a real Chromium: totals follow, a restart forgets nothing, undo is there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.app_server import Server

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def usable(page: Page) -> int:
    metric = page.get_by_test_id("stMetric").filter(has_text="Usable clips").get_by_test_id("stMetricValue")
    metric.wait_for(timeout=120_000)
    return int(metric.inner_text())


def test_a_moved_threshold_holds_on_the_overview_and_after_a_restart(
    page: Page, server: Server, demo_dataset: Path
) -> None:
    dataset = Path(shutil.copytree(demo_dataset, server.workspace / "datasets" / "voice"))
    page.goto(f"{server.url}/setup?dataset={dataset}&view=thresholds")
    page.get_by_text("Nearest to the limit").wait_for(timeout=120_000)
    page.get_by_text("Stop inspecting").wait_for(state="detached")
    before = usable(page)
    assert before == 12
    page.get_by_role("combobox", name="Limit").click()
    page.get_by_role("option").filter(has_text="duration-short").click()
    page.get_by_label("Clips below this are beyond it (s)").wait_for()
    slider = page.get_by_role("slider").first
    slider.focus()
    page.keyboard.press("End")
    page.get_by_text("Moved limits hold").wait_for()
    none = page.get_by_test_id("stMetric").filter(has_text=re.compile(r"Usable clips\D*0\s*$"))
    none.wait_for()

    page.goto("about:blank")
    server.kill()
    server.start()
    page.goto(f"{server.url}/setup?dataset={dataset}&view=overview")
    page.get_by_text("Moved limits hold").wait_for(timeout=120_000)
    page.get_by_text("Stop inspecting").wait_for(state="detached")
    page.get_by_text("less than one training segment").first.wait_for()
    assert usable(page) == 0

    page.get_by_role("button", name="Undo").click()
    page.get_by_text("Moved limits hold").wait_for(state="detached")
    assert usable(page) == before
    assert page.get_by_test_id("stException").count() == 0
    assert "Traceback" not in server.log.read_text(encoding="utf-8")
