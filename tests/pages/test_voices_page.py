"""The Voices page, as Streamlit runs it: checkpoints become voices, and voices speak."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.components.voices import voice_export, voice_speaker
from piper_core.runs.run import Run, write_json
from piper_core.settings import Settings
from piper_core.training.config import TrainingConfig
from piper_core.voices.synthesis import Speech, SpeechError
from piper_core.voices.voice import Exported, ExportFailed, voice_config

PATIENCE_S = 60
BEST = "epoch=4-step=200-val_mel=21.5000.ckpt"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("WORKSPACE_DIR", str(tmp_path / "workspace"))
    return Settings.load()


@pytest.fixture
def run(settings: Settings) -> Run:
    """A run with two checkpoints, of which only the names are looked at."""
    run = Run(settings.runs_dir / "kathleen")
    run.checkpoints_dir.mkdir(parents=True)
    config = TrainingConfig(name="kathleen", dataset="/data", preset="x_low", max_steps=10)
    write_json(run.config_path, config.to_dict())
    for name in ("last.ckpt", BEST):
        (run.checkpoints_dir / name).write_bytes(b"weights")
    return run


class StandIn:
    """Speaks a tone as loud as asked; keeps how it was asked."""

    def __init__(self) -> None:
        self.peak = 9000
        self.asked: dict[str, Any] = {}

    def speak(self, text: str, **scales: Any) -> Speech:
        if not text.strip():
            raise SpeechError("There is no text to speak. Write a sentence.")
        self.asked = {"text": text, **scales}
        return Speech(np.full(16000, self.peak, np.int16), 16000, 0.1)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    speaker = StandIn()
    monkeypatch.setattr(voice_speaker, "speaker", lambda path, exported_at: speaker)
    return speaker


def put_voice(run: Run, name: str = "en_US-kathleen-x_low", num_speakers: int = 1, language: str = "en-us") -> Path:
    run.voice_dir.mkdir(exist_ok=True)
    onnx = run.voice_dir / f"{name}.onnx"
    onnx.write_bytes(b"network")
    config = voice_config(
        name=name, language=language, quality="x_low", sample_rate=16000, num_symbols=256, num_speakers=num_speakers,
        speakers={"anna": 0, "bert": 1} if num_speakers > 1 else None,
    )  # fmt: skip
    onnx.with_name(f"{onnx.name}.json").write_text(json.dumps(config), encoding="utf-8")
    return onnx


def voices(project_root: Path) -> AppTest:
    test = AppTest.from_file(str(project_root / "pages/voices.py"), default_timeout=PATIENCE_S).run()
    assert not test.exception
    return test


def said(test: AppTest) -> str:
    kinds = (test.markdown, test.caption, test.error, test.warning, test.success)
    return "\n".join(element.value for kind in kinds for element in kind)


def test_empty_workspace_invites(project_root: Path, settings: Settings) -> None:
    test = voices(project_root)
    assert "No voice yet" in said(test)
    assert not test.button


def test_checkpoints_of_all_runs_are_listed(project_root: Path, run: Run) -> None:
    test = voices(project_root)
    table = test.dataframe[0].value
    assert table["Run"].tolist() == ["kathleen", "kathleen"]
    assert [list(kind) for kind in table["Kind"]] == [["latest"], ["best"]]
    assert table["Step"].tolist()[1] == 200
    assert table["Validation mel"].tolist()[1] == pytest.approx(21.5)
    assert "→ en_US-kathleen-x_low.onnx" in said(test)
    assert "No voice was exported yet" in said(test)


def test_an_export_becomes_a_voice_that_can_be_chosen(
    project_root: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def export(source: Path, out_dir: Path, *, name: str) -> Exported:
        asked.update(source=source, out_dir=out_dir, name=name)
        onnx = put_voice(run, "en_US-my_kathleen-x_low")
        return Exported(onnx, onnx.with_name(f"{onnx.name}.json"), "en_US-my_kathleen-x_low")

    monkeypatch.setattr(voice_export, "run_export", export)
    put_voice(run, "en_US-older-x_low")
    test = voices(project_root)
    test.text_input(key="voice_name_kathleen").set_value("My Kathleen!").run()
    test.button(key="export").click().run()
    assert not test.exception
    assert asked == {"source": run.last_checkpoint, "out_dir": run.voice_dir, "name": "my_kathleen"}
    assert "en_US-my_kathleen-x_low was exported" in test.success[0].value
    assert test.selectbox(key="voice").value.endswith("en_US-my_kathleen-x_low.onnx")


def test_an_export_that_fails_says_why(project_root: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice_export, "run_export", lambda *args, **named: ExportFailed("The disk is full."))
    test = voices(project_root)
    test.button(key="export").click().run()
    assert "The disk is full." in said(test)


@pytest.mark.slow
def test_the_real_export_refuses_what_is_no_checkpoint(project_root: Path, run: Run) -> None:
    test = voices(project_root)
    test.button(key="export").click().run()
    assert not test.exception
    assert "is not a checkpoint" in said(test)


def test_a_text_is_spoken_as_asked(project_root: Path, run: Run, stand_in: StandIn) -> None:
    put_voice(run)
    test = voices(project_root)
    test.text_area(key="text_en-us").set_value("Good morning.")
    test.slider(key="length_scale").set_value(1.5)
    test.button(key="speak").click().run()
    assert stand_in.asked == {"text": "Good morning.", "length_scale": 1.5, "noise_scale": 0.667, "noise_w": 0.8}
    assert len(test.get("audio")) == 1
    assert "1.0 s of speech" in said(test)
    test.slider(key="length_scale").set_value(1.0).run()
    assert len(test.get("audio")) == 1, "what was spoken stays until the next"
    assert not test.exception


def test_silence_is_told(project_root: Path, run: Run, stand_in: StandIn) -> None:
    put_voice(run)
    stand_in.peak = 0
    test = voices(project_root)
    test.button(key="speak").click().run()
    assert "nothing but silence" in said(test)


def test_an_empty_text_is_a_sentence(project_root: Path, run: Run, stand_in: StandIn) -> None:
    put_voice(run)
    test = voices(project_root)
    test.text_area(key="text_en-us").set_value(" ")
    test.button(key="speak").click().run()
    assert "There is no text to speak" in test.warning[0].value
    assert not test.get("audio")


def test_a_speaker_is_chosen_by_name(project_root: Path, run: Run, stand_in: StandIn) -> None:
    put_voice(run, num_speakers=2)
    test = voices(project_root)
    speaker = next(box for box in test.selectbox if box.label == "Speaker")
    assert speaker.options == ["anna", "bert"]
    speaker.select_index(1)
    test.button(key="speak").click().run()
    assert stand_in.asked["speaker_id"] == 1


def test_another_language_is_not_given_an_english_text(project_root: Path, run: Run) -> None:
    put_voice(run, "de_DE-kerstin-x_low", language="de")
    assert voices(project_root).text_area(key="text_de").value == ""


def test_a_broken_voice_is_a_sentence(project_root: Path, run: Run) -> None:
    put_voice(run)
    test = voices(project_root)
    test.button(key="speak").click().run()
    assert "is no ONNX model" in test.warning[0].value


def test_the_download_holds_both_files(project_root: Path, run: Run) -> None:
    put_voice(run)
    button = voices(project_root).get("download_button")[0]
    assert button.proto.label == "Download the voice"


@pytest.mark.parametrize("package", ["pynvml", "tensorboard", "librosa", "espeakng_loader", "piper"])
def test_opens_without_a_package(project_root: Path, run: Run, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    put_voice(run)
    monkeypatch.setitem(sys.modules, package, None)
    test = voices(project_root)
    if package == "piper":
        test.button(key="speak").click().run()
        assert not test.exception
        assert "piper-tts is not installed" in test.warning[0].value
