"""The pictures of README and docs, taken from the real app in a real Chromium.

    python -m docs.make_images pages --workspace DIR --dataset FOLDER     setup, monitor and voices .png
    python -m docs.make_images setup --workspace DIR --dataset FOLDER     setup.png alone: DIR may be empty
    python -m docs.make_images losses RUN_FOLDER                          losses.png: a run's curves

DIR is a workspace with a run and an exported voice, as `python -m benchmarks.learning --workspace DIR` leaves it.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from plotly.subplots import make_subplots

from pages.components.runs import training_figures
from piper_core.runs.metrics import MetricsReader
from piper_core.runs.run import list_runs, open_run
from tests.app_server import Server

if TYPE_CHECKING:
    from playwright.sync_api import Page

IMAGES = Path(__file__).resolve().parent / "images"
TITLES = ["Mel loss: training and validation", "Text to sound (kl, above) and durations"]
SETTLE_MS = 4000
"""Until a page's charts stand still."""


@contextmanager
def browser_page(width: int, height: int) -> Iterator[Page]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(60_000)
        yield page
        browser.close()


def shoot(page: Page, name: str) -> None:
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=IMAGES / f"{name}.png")
    print(IMAGES / f"{name}.png")


@contextmanager
def app(workspace: Path) -> Iterator[Server]:
    server = Server(workspace.absolute())
    server.start()
    try:
        yield server
    finally:
        server.kill()


def setup(workspace: Path, dataset: Path) -> None:
    """The clips of `dataset`, one of them open."""
    with app(workspace) as server, browser_page(1440, 1100) as page:
        page.goto(f"{server.url}/setup?dataset={dataset.resolve()}&view=clips")
        page.get_by_test_id("stDataFrame").last.wait_for(timeout=300_000)
        page.locator(".st-key-stop_inspection").wait_for(state="detached", timeout=300_000)
        page.wait_for_timeout(SETTLE_MS)
        table = page.get_by_test_id("stDataFrame").last
        table.scroll_into_view_if_needed()
        table.click(position={"x": 160, "y": 60})
        page.locator("audio").first.wait_for(state="attached")
        page.wait_for_timeout(SETTLE_MS)
        page.get_by_label("Search", exact=True).scroll_into_view_if_needed()
        shoot(page, "setup")


def pages(workspace: Path, dataset: Path) -> None:
    setup(workspace, dataset)
    with app(workspace) as server, browser_page(1440, 1100) as page:
        page.goto(f"{server.url}/monitor?run={list_runs(workspace / 'runs')[0].name}")
        page.locator(".live-chart .main-svg").first.wait_for()
        shoot(page, "monitor")
        page.goto(f"{server.url}/voices")
        page.locator(".st-key-export button").first.click()
        page.get_by_text("has spoken in piper-tts").wait_for(timeout=180_000)
        page.locator(".st-key-speak button").first.click()
        page.locator("audio").first.wait_for(state="attached")
        shoot(page, "voices")


def losses(folder: Path) -> None:
    """Mel loss of training and validation, and the text-side losses, over the steps of one run."""
    table = MetricsReader(open_run(folder).metrics_path).read()
    figure = make_subplots(rows=1, cols=2, subplot_titles=TITLES)
    for column, chart in enumerate(training_figures.LOSS_CHARTS[:2], start=1):
        curves = training_figures.curves(table.points, chart.names)
        drawn = training_figures.losses(curves, chart.title, smoothing=0.8, log_axis=column == 2, revision=folder.name)
        for trace in drawn.data:
            figure.add_trace(trace, row=1, col=column)
        figure.update_yaxes(drawn.layout.yaxis, row=1, col=column)
        figure.update_xaxes(drawn.layout.xaxis, row=1, col=column)
    figure.update_layout(template="plotly_white", width=1200, height=420, showlegend=False, margin={"t": 40, "b": 50})
    with browser_page(1200, 440) as page:
        page.set_content(figure.to_html(include_plotlyjs=True))
        shoot(page, "losses")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    for kind in ("pages", "setup"):
        of_pages = kinds.add_parser(kind)
        of_pages.add_argument("--workspace", type=Path, required=True)
        of_pages.add_argument("--dataset", type=Path, required=True)
    kinds.add_parser("losses").add_argument("run", type=Path)
    options = parser.parse_args()
    if options.kind == "pages":
        pages(options.workspace, options.dataset)
    elif options.kind == "setup":
        setup(options.workspace, options.dataset)
    else:
        losses(options.run)


if __name__ == "__main__":
    main()
