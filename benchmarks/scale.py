"""How usable the pages stay at scale, in a real Chromium: 13,100 clips, a metrics.jsonl of a million lines.

    python -m benchmarks.scale --dataset FOLDER [--clips 13100] [--lines 1000000]

The clips are links to those of FOLDER (a folder with metadata.csv and wavs/) under names of their own. Times are what
a person waits, from the click to the drawn page, medians where an action is repeated.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from piper_core.dataset.layouts import read_dataset
from piper_core.runs.process import process_start_time
from piper_core.runs.run import Run, write_json
from piper_core.runs.status import Progress, TrainingStatus, write_status
from piper_core.training.config import TrainingConfig
from tests.app_server import Server

if TYPE_CHECKING:
    from playwright.sync_api import Page

SEARCHES = ("clip_0001", "gleamed", "clip_00000", "the", "Philip")
RUN = "long"
CHANGED = "([where, before]) => (document.querySelector(where)?.innerText ?? before) !== before"


def link_dataset(source: Path, folder: Path, clips: int) -> Path:
    """A dataset of `clips` links to the clips of `source`, in turn."""
    utterances = read_dataset(source).utterances
    (folder / "wavs").mkdir(parents=True)
    with (folder / "metadata.csv").open("w", encoding="utf-8") as metadata:
        for number in range(clips):
            utterance = utterances[number % len(utterances)]
            name = f"clip_{number:06d}"
            (folder / "wavs" / f"{name}{utterance.path.suffix}").symlink_to(utterance.path.resolve())
            metadata.write(f"{name}|{utterance.text}\n")
    return folder


def long_run(folder: Path, dataset: Path, lines: int) -> Run:
    """A run at its step `lines`, whose trainer is this process, with a line of metrics a step."""
    run = Run(folder)
    run.checkpoints_dir.mkdir(parents=True)
    write_json(run.config_path, TrainingConfig(RUN, str(dataset), max_steps=2 * lines).to_dict())
    with run.metrics_path.open("w", encoding="utf-8") as metrics:
        for step in range(1, lines + 1):
            mel = 0.3 + 2.0 / math.sqrt(step) + 0.05 * math.sin(step * 12.9898)
            metrics.write(
                f'{{"step": {step}, "time": {1.7e9 + step / 4}, "epoch": {step // 400}, "loss_g": {30 * mel:.4f}, '
                f'"loss_d": 2.4, "mel": {mel:.4f}, "kl": {mel * 2:.4f}, '
                '"dur": 1.1, "fm": 3.2, "gen": 2.1, "disc": 2.4}\n'
            )
    now = time.time()
    write_status(
        run,
        TrainingStatus(
            "training", pid=os.getpid(), process_start_time=process_start_time(os.getpid()) or 0.0,
            started_at=now - lines / 4, updated_at=now,
            progress=Progress(epoch=lines // 400, step=lines, total_steps=2 * lines, progress_percent=50.0),
        ),
    )  # fmt: skip
    return run


def seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def setup_times(page: Page, url: str, clips: int) -> dict[str, float]:
    """First totals, the table, the whole inspection; then what a search, a choice, an order, a clip and a view take."""

    def clips_are_counted() -> None:
        page.get_by_test_id("stMetricValue").filter(has_text=f"{clips:,}").first.wait_for()

    def finished() -> None:
        page.get_by_test_id("stDataFrame").first.wait_for(timeout=900_000)
        page.locator(".st-key-stop_inspection").wait_for(state="detached", timeout=3_600_000)
        # While a page is drawn anew, what it replaces still stands beside it.
        page.wait_for_function("document.querySelectorAll('input[aria-label=Search]').length === 1")

    started = time.perf_counter()
    page.goto(url)
    clips_are_counted()
    times = {"first_totals_s": time.perf_counter() - started}
    page.get_by_test_id("stDataFrame").first.wait_for(timeout=900_000)
    times["table_s"] = time.perf_counter() - started
    finished()
    times["inspected_s"] = time.perf_counter() - started

    box = page.get_by_label("Search", exact=True)
    caption = page.get_by_test_id("stCaptionContainer")

    def search(word: str) -> None:
        before = caption.filter(has_text=" clips. ").first.inner_text()
        box.fill(word)
        box.press("Enter")
        page.wait_for_function(
            "before => [...document.querySelectorAll('[data-testid=stCaptionContainer]')]"
            ".some(e => e.innerText.includes(' clips. ') && e.innerText !== before)",
            arg=before,
        )

    times["search_s"] = statistics.median(seconds(partial(search, word)) for word in SEARCHES)
    search("")

    def choose(choice: str) -> None:
        page.locator(".st-key-filter_show").get_by_text(choice, exact=True).click()
        expected = "0 clips." if choice == "Left out" else f"{clips:,} clips."
        caption.filter(has_text=expected).first.wait_for()

    times["choose_s"] = statistics.median(
        seconds(partial(choose, choice)) for choice in ("Left out", "All", "Left out", "All")
    )

    def another_clip(button: str) -> None:
        title = page.locator("h3").first
        before = title.inner_text()
        page.locator(f".st-key-{button} button").click()
        page.wait_for_function(CHANGED, arg=["h3", before])

    clicks = ("clip_after", "clip_after", "clip_after", "clip_before")
    times["next_clip_s"] = statistics.median(seconds(partial(another_clip, button)) for button in clicks)

    def order(by: str) -> None:
        """The chosen clip gets another place, which the line above it tells."""
        place = page.locator(".st-key-clip_place")
        before = place.inner_text()
        page.locator(".st-key-clip_sort").get_by_role("combobox").click()
        page.get_by_role("option", name=by).first.click()
        page.wait_for_function(CHANGED, arg=[".st-key-clip_place", before])

    orders = ("Length", "As in the metadata", "Peak", "Worst findings")
    times["order_s"] = statistics.median(seconds(partial(order, by)) for by in orders)

    def view(name: str, shown: str, gone: str) -> None:
        page.locator(".st-key-dataset_view").get_by_text(name, exact=True).click()
        page.locator(shown).first.wait_for()
        page.locator(gone).first.wait_for(state="detached")

    overview, table = "text=What was found", "[data-testid=stDataFrame]"
    views = [("Overview", overview, table), ("Clips", table, overview)] * 2
    times["view_s"] = statistics.median(seconds(partial(view, *each)) for each in views)

    def opened_again() -> None:
        page.goto(url)
        clips_are_counted()
        finished()

    page.goto("about:blank")
    times["opened_again_s"] = seconds(opened_again)
    return times


def monitor_times(page: Page, url: str, lines: int) -> dict[str, float]:
    """Until the run's state stands there, until all lines are drawn, and until a moved switch is drawn."""

    def state_is_shown() -> None:
        page.get_by_text(f"{lines:,}").first.wait_for()

    def drawn() -> None:
        page.locator(".live-chart .main-svg").first.wait_for(timeout=300_000)
        page.get_by_text("are still to come").wait_for(state="detached", timeout=300_000)

    started = time.perf_counter()
    page.goto(url)
    state_is_shown()
    times = {"state_s": time.perf_counter() - started}
    drawn()
    times["all_lines_drawn_s"] = time.perf_counter() - started

    toggles = []
    for shown in ("log", "linear", "log", "linear"):

        def toggle(shown: str = shown) -> None:
            page.get_by_text("Log axis", exact=True).click()
            page.wait_for_function(
                "kind => document.querySelector('.live-chart')._fullLayout.yaxis.type === kind", arg=shown
            )

        toggles.append(seconds(toggle))
    times["axis_s"] = statistics.median(toggles)

    def opened_again() -> None:
        page.goto(url)
        state_is_shown()
        drawn()

    page.goto("about:blank")
    times["opened_again_s"] = seconds(opened_again)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True, help="real speech whose clips are linked to")
    parser.add_argument("--clips", type=int, default=13_100)
    parser.add_argument("--lines", type=int, default=1_000_000, help="0: the dataset's page alone")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as scratch:
        workspace = Path(scratch) / "workspace"
        dataset = link_dataset(options.dataset, Path(scratch) / "linked", options.clips)
        if options.lines:
            long_run(workspace / "runs" / RUN, dataset, options.lines)
        server = Server(workspace)
        server.start()
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
                )
                page = browser.new_page(viewport={"width": 1440, "height": 1000})
                page.set_default_timeout(60_000)
                setup = setup_times(page, f"{server.url}/setup?dataset={dataset}&view=clips", options.clips)
                monitor = {}
                if options.lines:
                    monitor = monitor_times(page, f"{server.url}/monitor?run={RUN}", options.lines)
                browser.close()
        finally:
            server.kill()
    print(
        json.dumps(
            {
                "benchmark": "scale",
                "clips": options.clips,
                "setup": {name: round(value, 2) for name, value in setup.items()},
                "lines": options.lines,
                "monitor": {name: round(value, 2) for name, value in monitor.items()},
                "repeats": len(SEARCHES),
                "cores": len(os.sched_getaffinity(0)),
                "python": platform.python_version(),
            }
        )
    )


if __name__ == "__main__":
    main()
