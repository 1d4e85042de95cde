"""The Train page, as Streamlit runs it: from a dataset to a configuration, and what becomes of a launch."""

from __future__ import annotations

import shutil
import sys
import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.components.training import checkpoint_starts, training_form
from pages.components.training.checkpoint_starts import Doctored
from piper_core.runs import launcher
from piper_core.runs.run import Run, write_json
from piper_core.settings import Settings
from piper_core.training import dry_run
from piper_core.training.config import TrainingConfig
from piper_core.training.dry_run import Measured, TrialFailed, TrialReport

PATIENCE_S = 60
CLIPS = 24
CLIP_S = 1.5


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("WORKSPACE_DIR", str(tmp_path / "workspace"))
    monkeypatch.setenv("DATA_ROOTS", str(tmp_path))
    return Settings.load()


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """24 clips of a tone, in the layout of LJSpeech."""
    folder = tmp_path / "My Voice"
    (folder / "wavs").mkdir(parents=True)
    tone = (8000 * np.sin(np.arange(int(16000 * CLIP_S)) * 0.1)).astype("<i2").tobytes()
    for number in range(CLIPS):
        with wave.open(str(folder / "wavs" / f"{number:03d}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes(tone)
    rows = [f"{number:03d}|Sentence number {number}." for number in range(CLIPS)]
    (folder / "metadata.csv").write_text("\n".join(rows), encoding="utf-8")
    return folder


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stands in for the launcher: keeps the configuration that it is given, and answers with `outcome`."""
    kept: dict[str, Any] = {}

    def launch(config: TrainingConfig, runs_dir: Path, *, settings: Settings) -> launcher.Outcome:
        kept["config"] = config
        return kept["outcome"]

    monkeypatch.setattr(launcher, "launch", launch)
    return kept


def train(project_root: Path, dataset: Path | None = None) -> AppTest:
    test = AppTest.from_file(str(project_root / "pages/train.py"), default_timeout=PATIENCE_S)
    if dataset is not None:
        test.query_params["dataset"] = str(dataset)
    test.run()
    assert not test.exception
    return test


def said(test: AppTest) -> str:
    kinds = (test.markdown, test.caption, test.error, test.warning, test.success)
    return "\n".join(element.value for kind in kinds for element in kind)


def summary(test: AppTest) -> dict[str, str]:
    return dict(test.table[0].value.iloc[:, 0].items())


def test_without_a_dataset_the_page_says_what_comes_first(project_root: Path, settings: Settings) -> None:
    test = train(project_root)
    assert "First, a dataset" in said(test)
    assert not test.button
    assert not test.error


def test_a_dataset_in_the_address_is_understood(project_root: Path, settings: Settings, dataset: Path) -> None:
    test = train(project_root, dataset)
    shown = summary(test)
    assert shown["Run"] == "my_voice"
    assert shown["Voice"].startswith("en_US-my_voice-")
    assert shown["Clips"] == f"{CLIPS} clips, {CLIPS * CLIP_S / 60:.1f} minutes, 1 speaker"
    assert shown["Begins with"] == "random weights"
    assert not test.error


def test_a_path_may_be_written(project_root: Path, settings: Settings, dataset: Path) -> None:
    test = train(project_root)
    test.selectbox[0].set_value(str(dataset)).run()
    assert summary(test)["Clips"].startswith(f"{CLIPS} clips")


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [("/etc", "outside the folders"), ("gone", "There is no folder"), ("empty", "metadata")],
)
def test_what_is_no_dataset_is_refused(
    project_root: Path, settings: Settings, tmp_path: Path, folder: str, sentence: str
) -> None:
    (tmp_path / "empty").mkdir()
    test = train(project_root, tmp_path / folder)
    assert sentence in test.error[0].value
    assert not test.table


def test_the_cleaned_clips_are_proposed(project_root: Path, settings: Settings, dataset: Path) -> None:
    rows = (dataset / "metadata.csv").read_text(encoding="utf-8").splitlines()
    (dataset / "metadata.cleaned.csv").write_text("\n".join(rows[:20]), encoding="utf-8")
    test = train(project_root, dataset)
    assert summary(test)["Clips"].startswith("20 clips")
    test.get("button_group")[0].select("Original").run()
    assert summary(test)["Clips"].startswith(f"{CLIPS} clips")


def test_the_configuration_is_what_the_form_says(
    project_root: Path, settings: Settings, dataset: Path, launched: dict[str, Any]
) -> None:
    launched["outcome"] = launcher.Started(Run(settings.runs_dir / "my_voice"), 4711)
    test = train(project_root, dataset)
    test.radio(key="preset").set_value("x_low")
    test.selectbox(key="train_language").select("de").run()
    test.number_input(key="steps_20000").set_value(300)
    test.number_input(key="seed").set_value(7)
    test.number_input(key="ema_decay").set_value(0.999)
    test.number_input(key="gradient_clip").set_value(1000.0)
    test.toggle(key="use_mrd_False").set_value(True)
    test.text_area(key="sample_texts").set_value("Eins.\n\nZwei.").run()
    assert summary(test)["Length"].startswith("300 steps")
    assert summary(test)["Voice"] == "de_DE-my_voice-x_low"
    test.button(key="launch").click().run()
    config = launched["config"]
    assert (config.dataset, config.preset, config.language) == (str(dataset.resolve()), "x_low", "de")
    assert (config.max_steps, config.max_epochs, config.seed) == (300, None, 7)
    assert config.sample_texts == ("Eins.", "Zwei.")
    assert (config.ema_decay, config.gradient_clip, config.warmup_steps, config.use_mrd) == (0.999, 1000.0, 0, True)
    assert (config.learning_rate, config.lr_decay) == (TrainingConfig.learning_rate, TrainingConfig.lr_decay)
    assert "has started (process 4711)" in said(test)


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (launcher.AlreadyRunning(Run(Path("/runs/my_voice"))), "is at work already"),
        (launcher.StartFailed("The disk is too small: 0.1 GB are free."), "The disk is too small"),
    ],
)
def test_a_launch_that_fails_says_why(
    project_root: Path,
    settings: Settings,
    dataset: Path,
    launched: dict[str, Any],
    outcome: launcher.Outcome,
    sentence: str,
) -> None:
    launched["outcome"] = outcome
    test = train(project_root, dataset)
    test.button(key="launch").click().run()
    assert sentence in said(test)
    assert not test.exception
    test.number_input(key="seed").set_value(99).run()
    assert sentence not in said(test), "what was said belongs to the run that was asked for"


def test_the_real_launcher_refuses_a_dataset_without_audio(
    project_root: Path, settings: Settings, dataset: Path
) -> None:
    test = train(project_root, dataset)
    shutil.rmtree(dataset / "wavs")
    test.button(key="launch").click().run()
    assert not test.exception
    assert test.error, "a sentence, here or from the launcher"
    assert not list(settings.runs_dir.glob("*/config.json"))


def test_a_taken_name_gets_a_number(project_root: Path, settings: Settings, dataset: Path) -> None:
    (settings.runs_dir / "my_voice").mkdir(parents=True)
    assert summary(train(project_root, dataset))["Run"] == "my_voice-2"


@pytest.mark.parametrize(
    ("name", "run"), [("Anna & Bo", "Anna-Bo"), ("  ", "voice"), ("ünï", "n"), ("../x", "x"), ("a" * 90, "a" * 56)]
)
def test_any_name_makes_a_run_name(name: str, run: str) -> None:
    assert training_form.run_stem(name) == run
    TrainingConfig(name=run, dataset="", max_steps=1)


def test_epochs_and_steps_agree(project_root: Path, settings: Settings, dataset: Path) -> None:
    test = train(project_root, dataset)
    test.get("button_group")[-1].select("Epochs").run()
    test.number_input(key=next(i.key for i in test.number_input if i.label == "Epochs")).set_value(10).run()
    batch_size = next(i.value for i in test.number_input if i.label == "Batch size")
    batches = training_form.steps_an_epoch(CLIPS, int(batch_size))
    assert summary(test)["Length"] == f"{10 * batches:,} steps, 10.0 epochs"


def from_checkpoint(project_root: Path, dataset: Path, path: Path) -> AppTest:
    """The page with a checkpoint's path written into its field, which AppTest can't do after the first run."""
    test = AppTest.from_file(str(project_root / "pages/train.py"), default_timeout=PATIENCE_S)
    test.query_params["dataset"] = str(dataset)
    test.session_state["checkpoint"] = str(path)
    test.run()
    assert not test.exception
    return test


@pytest.mark.parametrize(
    ("path", "sentence"), [("none.ckpt", "There is no checkpoint"), ("/etc/passwd", "outside the folders")]
)
def test_what_is_no_checkpoint_is_refused(
    project_root: Path, settings: Settings, dataset: Path, tmp_path: Path, path: str, sentence: str
) -> None:
    test = from_checkpoint(project_root, dataset, tmp_path / path)
    assert sentence in test.error[0].value
    assert "Choose how to start first" in said(test)


@pytest.mark.slow
def test_the_doctor_refuses_a_file_that_is_no_checkpoint(
    project_root: Path, settings: Settings, dataset: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.ckpt").write_text("no weights in here", encoding="utf-8")
    test = from_checkpoint(project_root, dataset, tmp_path / "notes.ckpt")
    assert "is not a checkpoint" in test.error[0].value


def test_starts_that_are_not_possible_say_why(
    project_root: Path, settings: Settings, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(settings.runs_dir / "anna")
    run.checkpoints_dir.mkdir(parents=True)
    write_json(run.config_path, TrainingConfig(name="anna", dataset="/data", max_steps=10).to_dict())
    run.last_checkpoint.write_bytes(b"weights")
    few = "Only 4% of a high voice's weights are in it."
    starts = {
        "medium": {"resume": "It holds no optimizer states.", "warmstart": None, "vocoder": None},
        "high": {"resume": "The decoder differs.", "warmstart": few, "vocoder": "The shapes differ."},
    }
    report = {
        "preset": "medium", "sample_rate": 22050, "step": 1000, "made_by": "Piper Studio", "language": "en-us",
        "for_dataset": {"starts": starts | {"tiny": starts["high"]}},
    }  # fmt: skip
    asked: list[tuple[Any, ...]] = []

    def examine(*arguments: Any) -> Doctored:
        asked.append(arguments)
        return Doctored(report)

    monkeypatch.setattr(checkpoint_starts, "examine", examine)
    test = train(project_root, dataset)
    test.radio(key="preset").set_value("medium")
    test.selectbox(key="checkpoint").select(str(run.last_checkpoint)).run()
    assert asked[-1] == (run.last_checkpoint, dataset, None, 1, "en-us"), "the dataset's speakers, and its language"
    assert "Go on: It holds no optimizer states." in said(test)
    assert summary(test)["Begins with"] == "take what fits, from a checkpoint"
    test.radio(key="preset").set_value("high").run()
    assert few in said(test)
    assert "Choose how to start first" in said(test)


@pytest.mark.parametrize("package", ["pynvml", "tensorboard", "librosa", "espeakng_loader"])
def test_opens_without_an_optional_package(
    project_root: Path, settings: Settings, dataset: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert summary(train(project_root, dataset))["Run"] == "my_voice"


REPORT = TrialReport(
    device="the processor", precision="float32", clips=24, longest_s=1.5, too_long=("017",), limit_s=30.0,
    batch_size=4, peak_bytes=3 * 1024**3, peak_is_measured=False, room_bytes=8 * 1024**3,
    steps_per_second=0.5, speed_is_measured=True, steps_an_epoch=6, total_steps=3600,
    safe_batch_size=4, useful_batch_size=4, took_s=31.0,
    measured=(Measured(1, 2**30, 0.5), Measured(2, 2**31, 1.0)),
)  # fmt: skip


def try_first(
    project_root: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch, outcome: TrialReport | TrialFailed
) -> AppTest:
    """The page after its button, with `outcome` for what the dry run's process says."""

    def stand_in(config: TrainingConfig, settings: Settings, *, on_progress: Any) -> TrialReport | TrialFailed:
        on_progress("Steps on the 2 longest clips.")
        return outcome

    monkeypatch.setattr(dry_run, "dry_run", stand_in)
    test = train(project_root, dataset)
    test.button(key="try").click().run()
    assert not test.exception
    return test


def test_a_dry_run_tells_what_the_run_needs(
    project_root: Path, settings: Settings, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = try_first(project_root, dataset, monkeypatch, REPORT)
    shown = {metric.label: metric.value for metric in test.metric}
    assert shown == {
        "Peak memory": "3.0 of 8.0 GB", "Steps a second": "0.50", "An epoch": "12 s", "The whole run": "2.0 h",
    }  # fmt: skip
    assert "Memory extrapolated from batches of 1 and 2, speed measured" in said(test)
    assert "It fits; up to a batch of 4 is safe." in said(test)
    assert "1 clip is longer than 30 s and left out: 017." in said(test)
    test.number_input(key="seed").set_value(99).run()
    assert not test.metric, "what was found belongs to the run that was tried"


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (replace(REPORT, peak_bytes=9 * 1024**3, safe_batch_size=2), "A batch of 2 will."),
        (replace(REPORT, safe_batch_size=2), "This leaves little room. A batch of 2 is safe."),
        (replace(REPORT, peak_bytes=9 * 1024**3, safe_batch_size=0), "Leave out the longest clips."),
        (TrialFailed("A clip of 29.0 s does not fit."), "A clip of 29.0 s does not fit."),
    ],
)
def test_a_dry_run_says_what_does_not_fit(
    project_root: Path,
    settings: Settings,
    dataset: Path,
    monkeypatch: pytest.MonkeyPatch,
    outcome: TrialReport | TrialFailed,
    sentence: str,
) -> None:
    assert sentence in said(try_first(project_root, dataset, monkeypatch, outcome))


def test_clips_that_are_too_long_are_said_before_the_start(
    project_root: Path, settings: Settings, dataset: Path
) -> None:
    with wave.open(str(dataset / "wavs" / "007.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(bytes(2 * 16000 * 31))
    test = train(project_root, dataset)
    assert "1 clip is longer than 30 s and left out: 007." in said(test)
