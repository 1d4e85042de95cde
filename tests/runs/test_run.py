"""Run folders: found, opened, and refused with a sentence; JSON replaced whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from piper_core.runs.run import (
    Run,
    RunError,
    last_line,
    list_runs,
    open_run,
    read_json,
    remove_leftovers,
    write_json,
)
from piper_core.training.config import TrainingConfig


def make_run(folder: Path, **changes: object) -> Run:
    folder.mkdir(parents=True)
    config = TrainingConfig(name=folder.name, dataset="/data/voice", max_steps=10)
    write_json(folder / "config.json", config.to_dict() | changes)
    return Run(folder)


def test_a_config_comes_back_as_it_was_written(tmp_path: Path) -> None:
    run = make_run(tmp_path / "anna", sample_texts=["One.", "Two."])
    config = run.config()
    assert (run.name, config.name, config.max_steps, config.sample_texts) == ("anna", "anna", 10, ("One.", "Two."))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not JSON"),
        ("[1]", "holds no JSON object"),
        ("{}", "lacks dataset and name"),
        ('{"name": "a", "dataset": "d", "preset": "huge", "max_steps": 1}', "no preset 'huge'"),
        ('{"name": "a", "dataset": "d", "max_steps": "many"}', "can't be used"),
        ('{"name": 5, "dataset": "d", "max_steps": 1}', "can't be used"),
    ],
)
def test_a_config_that_cannot_be_used_is_a_sentence(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(RunError, match=says):
        open_run(tmp_path).config()


def test_opening_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="There is no run"):
        open_run(tmp_path / "nowhere")
    with pytest.raises(RunError, match=r"no config\.json"):
        open_run(tmp_path)
    with pytest.raises(RunError, match=r"no config\.json"):
        Run(tmp_path).config()


def test_runs_are_listed_newest_first_among_strange_company(tmp_path: Path) -> None:
    for age, name in enumerate(("newest", "middle", "oldest")):
        run = make_run(tmp_path / name)
        os.utime(run.config_path, (10_000 - age, 10_000 - age))
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert [run.name for run in list_runs(tmp_path)] == ["newest", "middle", "oldest"]
    assert list_runs(tmp_path / "nowhere") == []


def test_json_is_replaced_whole_and_numbers_that_json_lacks_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    write_json(file, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(file, {"a": float("nan")})
    assert read_json(file) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]
    assert json.loads(file.read_text()) == {"a": 1}


def test_what_a_killed_process_left_half_written_is_removed_and_what_a_live_one_writes_stays(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    run.samples_dir.mkdir()
    for folder in (run.folder, run.samples_dir):
        for pid in (gone.pid, os.getpid()):
            (folder / f".{pid}.0123abcd.tmp").write_text("{")
    (run.folder / ".notes.tmp").write_text("not ours")
    assert remove_leftovers(run) == 2
    left = sorted(path.relative_to(run.folder).as_posix() for path in run.folder.rglob(".*"))
    assert left == [f".{os.getpid()}.0123abcd.tmp", ".notes.tmp", f"samples/.{os.getpid()}.0123abcd.tmp"]


def test_reading_json_that_is_absent_or_a_folder(tmp_path: Path) -> None:
    assert read_json(tmp_path / "absent.json") is None
    with pytest.raises(RunError, match="can't be read"):
        read_json(tmp_path)


def test_the_last_line_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "trainer.log"
    assert last_line(log) is None
    log.write_text("first\n" * 10_000 + "Error: the end\n\n")
    assert last_line(log) == "Error: the end"
    assert last_line(log, offset=log.stat().st_size - 1) is None
