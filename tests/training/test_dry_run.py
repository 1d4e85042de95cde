"""The dry run: what is read off its measurements, and the real thing on a small dataset."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import wave
from dataclasses import replace
from pathlib import Path

import pytest

from piper_core.runs import launcher
from piper_core.runs.launcher import ReadyToStart
from piper_core.runs.run import Run
from piper_core.settings import Settings
from piper_core.training import dry_run as dry_run_module
from piper_core.training.config import TrainingConfig
from piper_core.training.dry_run import (
    Measured,
    TrialFailed,
    TrialReport,
    dry_run,
    duration,
    too_long_clips,
    too_long_sentence,
)
from piper_core.training.trial import peak_at, safe_batch, seconds_at

GB = 1024**3
STEPS = [Measured(1, 2 * GB, 1.0), Measured(2, 3 * GB, 1.5), Measured(4, 5 * GB, 2.5)]


def config(dataset: Path, **changes: object) -> TrainingConfig:
    given = {
        "name": "t",
        "dataset": str(dataset),
        "preset": "tiny",
        "max_steps": 90,
        "batch_size": 4,
        "precision": "32",
    }
    return TrainingConfig(**(given | changes))  # type: ignore[arg-type]


def test_what_was_measured_is_taken_and_the_rest_lies_on_a_line() -> None:
    assert peak_at(2, STEPS) == 3 * GB
    assert peak_at(16, STEPS) == 17 * GB
    assert seconds_at(4, STEPS) == 2.5
    assert seconds_at(8, STEPS) == pytest.approx(4.5)


@pytest.mark.parametrize(
    ("room_gb", "most", "failed", "safe"),
    [(20, 8, None, 8), (20, 32, None, 16), (4, 8, None, 2), (1, 8, None, 0), (20, 32, 4, 2)],
)
def test_the_safe_batch_fits(room_gb: int, most: int, failed: int | None, safe: int) -> None:
    assert safe_batch(STEPS, room_gb * GB, most, failed) == safe


def test_clips_that_are_too_long_are_counted_and_named() -> None:
    found = too_long_clips({"a": 31.0, "b": 5.0, "c": 40.0}, 30.0)
    assert found == ("c", "a")
    assert too_long_sentence(found, 30.0) == "2 clips are longer than 30 s and left out: c, a."
    assert too_long_sentence(tuple("abcdefg"), 30.0).endswith("a, b, c, d, e and 2 more.")


@pytest.mark.parametrize(("minutes", "said"), [(0.5, "30 s"), (90, "90 min"), (600, "10.0 h"), (14400, "10.0 days")])
def test_durations_are_said_in_fitting_units(minutes: float, said: str) -> None:
    assert duration(minutes) == said


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(workspace_dir=tmp_path / "workspace", tensorboard_log_dir=tmp_path / "events")


@pytest.fixture
def one_too_long(demo_dataset: Path, tmp_path: Path) -> Path:
    """The demo dataset and a clip of 31 s."""
    folder = tmp_path / "with-a-long-one"
    (folder / "wavs").mkdir(parents=True)
    for path in (demo_dataset / "wavs").iterdir():
        (folder / "wavs" / path.name).write_bytes(path.read_bytes())
    with wave.open(str(folder / "wavs" / "endless.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(bytes(2 * 16000 * 31))
    rows = (demo_dataset / "metadata.csv").read_text(encoding="utf-8").rstrip("\n")
    separator = rows.splitlines()[0].count("|")
    (folder / "metadata.csv").write_text(f"{rows}\nendless{'|A long one.' * separator}\n", encoding="utf-8")
    return folder


@pytest.mark.slow
def test_the_command_reports_real_steps_and_starts_nothing(one_too_long: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "piper_core", "train", str(one_too_long), "--run", "tried", "--preset", "tiny",
         "--max-steps", "90", "--batch-size", "auto", "--precision", "32", "--dry-run", "--json"],
        env=os.environ | {"WORKSPACE_DIR": str(tmp_path / "workspace"), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    # 12 clips: a batch of 2 leaves an epoch more than four steps, one of 4 does not.
    assert said["config"]["batch_size"] == said["batch_size"] == said["useful_batch_size"] == 2
    assert said["too_long"] == ["endless"]
    assert said["fits"]
    assert [step["batch_size"] for step in said["measured"]] == [1, 2]
    assert said["peak_is_measured"]
    peaks = [step["peak_bytes"] for step in said["measured"]]
    assert 300e6 < peaks[0] < peaks[1] < 3e9
    assert said["steps_an_epoch"] == 6  # 11 or so of 12 clips
    assert said["eta_minutes"] == pytest.approx(90 / said["steps_per_second"] / 60)
    assert "Steps on the 2 longest clips." in done.stderr
    assert not (tmp_path / "workspace" / "runs" / "tried").exists()


@pytest.mark.slow
def test_a_dry_run_of_what_is_no_dataset_is_a_sentence(tmp_path: Path, settings: Settings) -> None:
    failed = dry_run(config(tmp_path / "gone"), settings)
    assert isinstance(failed, TrialFailed)
    assert "There is no folder" in failed.reason


def test_a_trial_that_is_killed_is_said(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the trial's process, which the system kills for its memory."""
    killed = tmp_path / "python"
    killed.write_text("#!/bin/sh\ncat > /dev/null\necho 'Steps on the 8 longest clips.' >&2\nkill -9 $$\n")
    killed.chmod(0o755)
    monkeypatch.setattr(dry_run_module.sys, "executable", str(killed))
    failed = dry_run(config(tmp_path), settings)
    assert isinstance(failed, TrialFailed)
    assert "killed (signal 9) while it was at: Steps on the 8 longest clips." in failed.reason


def test_a_report_survives_json() -> None:
    report = TrialReport(
        "cpu", "float32", 10, 5.0, ("a",), 30.0, 8, 9 * GB, False, 20 * GB, 0.5, True, 10, 90, 8, 8, tuple(STEPS), 30.0
    )
    assert TrialReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    assert report.lines()["Peak memory"] == "9.0 of 20.0 GB, extrapolated from batches of 2 and 4"
    assert not replace(report, peak_bytes=21 * GB).fits


def test_a_run_on_several_machines_is_made_ready_and_left_to_others(demo_dataset: Path, settings: Settings) -> None:
    outcome = launcher.launch(config(demo_dataset, devices=4, num_nodes=2), settings.runs_dir, settings=settings)
    assert isinstance(outcome, ReadyToStart)
    assert "with 4 processes a machine: python -m piper_core.training.trainer" in outcome.sentence
    assert Run(settings.runs_dir / "t").config().num_nodes == 2


def test_a_dataset_of_endless_clips_is_refused_before_the_start(one_too_long: Path, settings: Settings) -> None:
    rows = (one_too_long / "metadata.csv").read_text(encoding="utf-8").splitlines()
    (one_too_long / "metadata.csv").write_text("\n".join([rows[0], rows[-1]]), encoding="utf-8")
    refused = launcher.refusal(config(one_too_long), settings.runs_dir)
    assert "fewer than two are at most 30 s long" in str(refused)
