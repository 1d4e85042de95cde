"""The whole way on the command line: demo, inspect, train, status, export, speak; and how each refuses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from piper_core.dataset.journal import Journal
from piper_core.runs.run import write_json
from piper_core.training.config import TrainingConfig

COMMANDS = (
    "demo", "inspect", "clean", "train", "status", "stop", "pause", "resume", "runs", "doctor", "export", "speak",
    "cache",
)  # fmt: skip


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("command-line")


def studio(workspace: Path, *arguments: str | Path, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "piper_core", *map(str, arguments)],
        env=os.environ | {"WORKSPACE_DIR": str(workspace), "TENSORBOARD_LOG_DIR": str(workspace / "tensorboard")},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(workspace: Path, command: str) -> None:
    helped = studio(workspace, command, "--help")
    assert helped.returncode == 0
    assert command in helped.stdout


@pytest.mark.slow
def test_the_whole_way_to_a_voice_that_piper_speaks(workspace: Path, demo_dataset: Path, tmp_path: Path) -> None:
    inspected = studio(workspace, "inspect", demo_dataset, "--json", tmp_path / "report.json")
    assert inspected.returncode == 0, inspected.stdout + inspected.stderr
    assert json.loads((tmp_path / "report.json").read_text())["schema_version"] == 1

    trained = studio(workspace, "train", demo_dataset, "--run", "first", "--name", "demo", "--preset", "tiny",
                     "--max-steps", "3", "--batch-size", "4", "--num-workers", "0")  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    assert "finished" in trained.stdout
    assert "step 3 of 3" in studio(workspace, "status", "first").stdout
    assert json.loads(studio(workspace, "status", "first", "--json").stdout)["progress"]["step"] == 3
    assert list(json.loads(studio(workspace, "runs", "--json").stdout)) == ["first"]

    exported = studio(workspace, "export", "first", "--out", tmp_path / "voices")
    assert exported.returncode == 0, exported.stderr
    voice = tmp_path / "voices" / "en_US-demo-x_low.onnx"
    assert exported.stdout.split() == [str(voice), f"{voice}.json"]

    ours, theirs = tmp_path / "ours.wav", tmp_path / "theirs.wav"
    assert studio(workspace, "speak", voice, "The whole way works.", ours).returncode == 0
    piper = Path(sys.executable).parent / "piper"
    spoken = subprocess.run(
        [piper, "-m", voice, "-f", theirs, "The whole way works."], capture_output=True, timeout=120, check=False
    )
    assert spoken.returncode == 0, spoken.stderr
    for file in (ours, theirs):
        with wave.open(str(file)) as wav:
            samples = np.frombuffer(wav.readframes(wav.getnframes()), np.int16)
            assert wav.getframerate() == 16000
        assert len(samples) > 16000 * 0.3
        assert np.abs(samples).max() > 500, "the speech is silent"

    assert "checkpoint" in studio(workspace, "doctor", workspace / "runs/first/checkpoints/last.ckpt").stdout.lower()
    assert "0 entries" in studio(workspace, "cache", "--clear").stdout


@pytest.mark.slow
def test_inspect_with_moved_limits_from_the_page_and_from_the_command_line(
    workspace: Path, demo_dataset: Path, tmp_path: Path
) -> None:
    dataset = Path(shutil.copytree(demo_dataset, tmp_path / "voice"))
    told = studio(workspace, "inspect", dataset, "--limit", "duration-short=2.5", "--limit", "duration-uncut=off")
    assert told.returncode == 1, told.stderr
    assert "less than one training segment" in told.stdout
    assert "Limit moved: duration-short: 2.5 s instead of 0.4 s" in told.stdout
    assert "Limit moved: duration-uncut: off instead of 600 s" in told.stdout

    Journal.open(dataset, tmp_path).limit("duration-short", 2.5)
    report = tmp_path / "report.json"
    assert studio(workspace, "inspect", dataset, "--json", report).returncode == 1, "moved on the page, it holds here"
    assert json.loads(report.read_text())["limits"]["duration-short"]["value"] == 2.5
    assert studio(workspace, "inspect", dataset, "--limit", "duration-short=0.1").returncode == 0
    assert studio(workspace, "inspect", dataset, "--default-limits").returncode == 0

    for wrong in ("duration=3", "duration-short=soon", "loud"):
        refused = studio(workspace, "inspect", dataset, "--limit", wrong)
        assert refused.returncode == 2
        assert refused.stderr.startswith(f"piper_core: --limit {wrong}: ")
        assert len(refused.stderr.splitlines()) == 1


def test_inspect_finds_the_planted_defects(workspace: Path, tmp_path: Path) -> None:
    assert studio(workspace, "demo", tmp_path / "demo", "--clips", "20", "--defects").returncode == 0
    inspected = studio(workspace, "inspect", tmp_path / "demo", "--json", tmp_path / "report.json")
    assert inspected.returncode == 1
    codes = {finding["code"] for finding in json.loads((tmp_path / "report.json").read_text())["findings"]}
    assert {"clipping", "silent", "missing-audio", "unreadable", "empty-text", "duplicate-id"} <= codes


def test_a_report_on_the_standard_output_is_nothing_else(workspace: Path, demo_dataset: Path, tmp_path: Path) -> None:
    piped = studio(workspace, "inspect", demo_dataset, "--json", "--csv", tmp_path / "report.csv")
    assert piped.returncode == 0, piped.stderr
    assert json.loads(piped.stdout)["summary"]["utterances"] == 12
    assert "12 clips" in piped.stderr
    assert (tmp_path / "report.csv").read_text(encoding="utf-8-sig").startswith("utterance_id,")
    named = studio(workspace, "inspect", demo_dataset, "--csv", "-")
    assert named.stdout.startswith("\ufeffutterance_id,")
    both = studio(workspace, "inspect", demo_dataset, "--json", "--csv")
    assert (both.returncode, both.stdout) == (2, "")
    assert "name files" in both.stderr


def test_an_unreadable_run_hides_no_other(tmp_path: Path) -> None:
    for name in ("damaged", "whole"):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        write_json(folder / "config.json", TrainingConfig(name, "/data", max_steps=1).to_dict())
    (tmp_path / "runs/damaged/status.json").write_text("{half")
    listed = studio(tmp_path, "runs")
    assert listed.returncode == 0, listed.stderr
    assert "whole: not started" in listed.stdout
    assert "not JSON" in listed.stdout
    as_json = json.loads(studio(tmp_path, "runs", "--json").stdout)
    assert as_json["whole"] is None
    assert "not JSON" in as_json["damaged"]["error"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect", "/nonexistent/folder"),
        ("clean", "/nonexistent/folder", "--to", "/tmp/never"),
        ("train", "/nonexistent/folder", "--run", "x", "--max-steps", "1"),
        ("status", "nobody"),
        ("stop", "nobody"),
        ("resume", "nobody"),
        ("doctor", "/nonexistent.ckpt"),
        ("doctor", __file__),
        ("export", "nobody", "--out", "/tmp"),
        ("speak", "/nonexistent.onnx", "Hello", "/tmp/never.wav"),
    ],
    ids=lambda arguments: " ".join(map(str, arguments[:2])),
)
def test_a_refusal_is_one_line_and_status_2(workspace: Path, arguments: tuple[str, ...]) -> None:
    refused = studio(workspace, *arguments)
    assert refused.returncode == 2, refused.stdout
    assert "Traceback" not in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1, refused.stderr


def test_the_readme_speaks_of_every_option_that_it_shows(workspace: Path, project_root: Path) -> None:
    readme = (project_root / "README.md").read_text(encoding="utf-8")
    for line in readme.splitlines():
        if not line.startswith("python -m piper_core "):
            continue
        words = line.split("#")[0].split()[3:]
        helped = studio(workspace, words[0], "--help").stdout
        for option in (word for word in words if word.startswith("--")):
            assert option in helped, f"README shows {option} of {words[0]}"


def test_two_reports_are_compared(workspace: Path, demo_dataset: Path, tmp_path: Path) -> None:
    reports = []
    for name, options in (("with", ["--defects"]), ("without", [])):
        assert studio(workspace, "demo", tmp_path / name, "--clips", "24", *options).returncode == 0
        reports.append(tmp_path / f"{name}.json")
        studio(workspace, "inspect", tmp_path / name, "--no-pitch", "--json", reports[-1])
    better = studio(workspace, "inspect", "--compare", *reports)
    assert (better.returncode, "gone error" in better.stdout) == (0, True), better.stderr
    worse = studio(workspace, "inspect", "--compare", *reversed(reports), "--json")
    assert worse.returncode == 1
    assert json.loads(worse.stdout)["new"][0]["severity"] == "error"
    refused = studio(workspace, "inspect", "--compare", reports[0], demo_dataset / "metadata.csv")
    assert refused.returncode == 2
    assert "no JSON" in refused.stderr
    assert "Traceback" not in refused.stderr
    nothing = studio(workspace, "inspect")
    assert nothing.returncode == 2
    assert "Name the dataset's folder" in nothing.stderr


def test_what_piper_reads_is_told(workspace: Path, demo_dataset: Path) -> None:
    told = studio(workspace, "inspect", demo_dataset, "--no-pitch", "--piper")
    assert "Piper's own trainer (audio_dir wavs): rows 12 kept." in told.stdout
