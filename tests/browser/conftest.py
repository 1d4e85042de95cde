"""A real server of the app on a port of its own, and a real Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.app_server import Server, stop_trainers

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# No sandbox: continuous integration often runs as root. The rest keeps Chromium from talking to the world.
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A fresh server over an empty workspace; its trainers end with the test."""
    running = Server(tmp_path / "workspace")
    running.start()
    yield running
    running.kill()
    stop_trainers(running.workspace)


@pytest.fixture(scope="module")  # no longer: while Playwright is open its event loop runs, and other tests want theirs
def chromium() -> Iterator[Browser]:
    """Debian's Chromium through Playwright; a machine without one skips, unless STUDIO_REQUIRE_BROWSER is set."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        reason = "no chromium on this machine: install Debian's package chromium"
        if os.environ.get("STUDIO_REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, tmp_path: Path) -> Iterator[Page]:
    """A browser page of the width that most people have; its last sight stays in the test's folder."""
    opened = chromium.new_page(viewport={"width": 1440, "height": 1000})
    opened.set_default_timeout(30_000)
    yield opened
    opened.screenshot(path=tmp_path / "last-sight.png")
    opened.close()
