"""control.json: requests of several pages at once, a stop that is never lost, memory that is asked for once a click."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from piper_core.runs.control import (
    Control,
    read_control,
    request_memory_release,
    request_pause,
    request_resume,
    request_stop,
    reset_control,
)
from piper_core.runs.run import Run, RunError


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_without_a_file_the_run_goes_on(run: Run) -> None:
    assert read_control(run) == Control("run", 0)


def test_pause_and_resume(run: Run) -> None:
    request_pause(run)
    assert read_control(run).command == "pause"
    request_resume(run)
    assert read_control(run).command == "run"


def test_a_stop_is_taken_back_by_nothing_but_a_new_start(run: Run) -> None:
    request_stop(run)
    request_pause(run)
    request_resume(run)
    request_memory_release(run)
    assert read_control(run) == Control("stop", 1)
    reset_control(run)
    assert read_control(run) == Control("run", 1)


def test_requests_of_many_pages_at_once_are_all_counted(run: Run) -> None:
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda _: request_memory_release(run), range(40)))
    assert sorted(numbers) == list(range(1, 41))
    assert read_control(run).clear_memory_request == 40


@pytest.mark.parametrize("text", ['{"command": "dance"}', '{"clear_memory_request": "two"}', "nonsense"])
def test_a_file_changed_by_hand_is_a_sentence(run: Run, text: str) -> None:
    run.control_path.write_text(text)
    with pytest.raises(RunError, match=r"control\.json"):
        read_control(run)
