"""The Monitor page, as Streamlit runs it, over run folders written by the trainer's own writers."""

from __future__ import annotations

import os
import sys
import time
import wave
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from cache_utils.store import CacheStore
from piper_core.runs.control import read_control
from piper_core.runs.metrics import MetricsWriter
from piper_core.runs.process import process_start_time
from piper_core.runs.run import Run, write_json
from piper_core.runs.status import CheckpointRef, Memory, Progress, State, TrainingStatus, write_status
from piper_core.settings import Settings
from piper_core.system import gpu
from piper_core.training.config import TrainingConfig

PATIENCE_S = 60
NOBODY = 2**22 - 3
"""A process id that no process has: above Linux's default pid_max."""
CHARTS = 4


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("WORKSPACE_DIR", str(tmp_path / "workspace"))
    monkeypatch.setenv("TENSORBOARD_LOG_DIR", str(tmp_path / "tensorboard"))
    return Settings.load()


def monitor(project_root: Path, run: str | None = None) -> AppTest:
    test = AppTest.from_file(str(project_root / "pages/monitor.py"), default_timeout=PATIENCE_S)
    if run is not None:
        test.query_params["run"] = run
    test.run()
    assert not test.exception
    return test


def record(settings: Settings, name: str, state: State, *, pid: int = NOBODY, steps: int = 300) -> Run:
    """A run of `steps` steps out of 1,000, as its trainer `pid` left it."""
    run = Run(settings.runs_dir / name)
    run.samples_dir.mkdir(parents=True)
    write_json(run.config_path, TrainingConfig(name=name, dataset="/data", preset="tiny", max_steps=1000).to_dict())
    with MetricsWriter(run.metrics_path) as metrics:
        for step in range(1, steps + 1):
            metrics.append(step, {"epoch": step // 10, "mel": 60 / step + 20, "kl": 2.0, "gen": 2.5}, 1e9 + step)
    run.log_path.write_text("\n".join(f"line {number}" for number in range(500)), encoding="utf-8")
    status = TrainingStatus(
        state=state,
        message="Training on the processor.",
        pid=pid,
        process_start_time=process_start_time(pid) or 1e9,
        started_at=1e9,
        updated_at=time.time(),
        progress=Progress(3, steps, 1000, steps / 10, 45.2, 43.0, 48.0, 2.8, 22.4, 60, 60),
        losses={"mel": 20.2, "val_mel": 21.5},
        memory=Memory(rss_bytes=2 * 1024**3),
        checkpoint=CheckpointRef("checkpoints/last.ckpt", 200),
    )
    write_status(run, status)
    return run


def speak(run: Run, step: int, text: str) -> None:
    path = run.samples_dir / f"step={step:06d}-1.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(np.full(1600, step, np.int16).tobytes())
    write_json(path.with_suffix(".json"), {"step": step, "number": 1, "text": text})


def said(test: AppTest) -> str:
    """All that the page says in words."""
    kinds = (test.markdown, test.caption, test.error, test.warning, test.info, test.success)
    return "\n".join(element.value for kind in kinds for element in kind)


def labels(test: AppTest) -> set[str]:
    return {button.label for button in test.button}


def test_empty_workspace_invites_and_still_looks_after_the_machine(project_root: Path, settings: Settings) -> None:
    test = monitor(project_root)
    assert "No run yet" in said(test)
    assert [heading.value for heading in test.subheader] == [
        "This machine", "Feature cache", "GPU memory", "TensorBoard",
    ]  # fmt: skip
    assert not test.error


def test_a_live_run_shows_how_far_it_is_and_how_long_it_takes(project_root: Path, settings: Settings) -> None:
    record(settings, "kathleen", "training", pid=os.getpid())
    test = monitor(project_root)
    assert test.progress[0].text == "Step 300 of 1,000 · 30.0 %"
    assert test.progress[0].value == 30
    figures = {metric.label: (metric.value, metric.delta) for metric in test.metric}
    assert figures["Time left"] == ("45 min", "43 to 48 min")
    assert figures["Steps a second"][0] == "2.80"
    assert figures["Clips a second"][0] == "22.4"
    assert figures["Epoch"][0] == "3"
    assert figures["Mel loss"] == ("20.20", "validation 21.50")
    assert figures["Memory"][0] == "2.0 GB"
    assert {"Pause", "Stop"} <= labels(test)
    assert "Resume" not in labels(test)


def test_charts_are_drawn_in_place_with_a_key_that_stays(project_root: Path, settings: Settings) -> None:
    record(settings, "kathleen", "training", pid=os.getpid())
    test = monitor(project_root)
    before = [chart.proto.id for chart in test.get("bidi_component")]
    assert len(before) == CHARTS
    with MetricsWriter(settings.runs_dir / "kathleen" / "metrics.jsonl") as metrics:
        metrics.append(301, {"mel": 20.0}, 1e9)
    test.run()
    assert [chart.proto.id for chart in test.get("bidi_component")] == before
    test.slider(key="smoothing").set_value(0.9)
    test.toggle(key="log_axis").set_value(True).run()
    assert not test.exception


def test_buttons_ask_the_trainer_through_its_control_file(project_root: Path, settings: Settings) -> None:
    run = record(settings, "kathleen", "training", pid=os.getpid())
    test = monitor(project_root)
    test.button(key="run_Pause").click().run()
    assert read_control(run).command == "pause"
    assert "Asked to pause" in said(test)
    test.button(key="run_Stop").click().run()
    assert read_control(run).command == "stop"


def test_a_paused_run_can_go_on(project_root: Path, settings: Settings) -> None:
    run = record(settings, "kathleen", "paused", pid=os.getpid())
    test = monitor(project_root)
    assert {metric.label: metric.delta for metric in test.metric}["Time left"] == "paused"
    test.button(key="run_Go on").click().run()
    assert read_control(run).command == "run"


def test_a_killed_trainer_shows_as_crashed_with_the_way_on(project_root: Path, settings: Settings) -> None:
    record(settings, "kathleen", "training", pid=NOBODY)
    test = monitor(project_root)
    assert "crashed" in test.error[0].proto.title.lower()
    assert "Resume goes on from the checkpoint of step 200; the 100 steps since then are done again" in said(test)
    assert "line 499" in test.error[0].value, "the last that the trainer said"
    assert "Resume" in labels(test)
    assert "Stop" not in labels(test)


def test_resume_that_is_refused_says_why(project_root: Path, settings: Settings) -> None:
    record(settings, "kathleen", "failed")
    test = monitor(project_root)
    test.button(key="run_resume").click().run()
    assert not test.exception
    assert "/data" in test.warning[0].value, "the dataset is not there any more"


def test_a_change_of_state_redraws_the_page(project_root: Path, settings: Settings) -> None:
    run = record(settings, "kathleen", "training", pid=os.getpid())
    test = monitor(project_root)
    assert "Stop" in labels(test)
    (run.folder / "status.json").unlink()
    record_again = TrainingStatus("finished", "Finished: 1000 steps.", progress=Progress(99, 1000, 1000, 100.0))
    write_status(run, record_again)
    test.run()
    assert "Stop" not in labels(test)
    assert "Finished: 1000 steps." in said(test)


def test_samples_newest_first_with_what_is_said(project_root: Path, settings: Settings) -> None:
    run = record(settings, "kathleen", "training", pid=os.getpid())
    for step in (100, 200, 300, 400):
        speak(run, step, f"At step {step}.")
    test = monitor(project_root)
    assert [text.value for text in test.caption if "At step" in text.value] == [
        f"“At step {step}.”" for step in (400, 300, 200)
    ]
    assert len(test.get("audio")) == 3
    test.selectbox(key="sample_step_kathleen").select(100).run()
    assert [text.value for text in test.caption if "At step" in text.value] == ["“At step 100.”"]


def test_the_log_shows_its_end(project_root: Path, settings: Settings) -> None:
    record(settings, "kathleen", "stopped")
    log = monitor(project_root).code[0].value
    assert log.endswith("line 499")
    assert "line 100\n" not in log


def test_one_of_several_runs_is_chosen_by_address_and_by_table(project_root: Path, settings: Settings) -> None:
    for name in ("anna", "bert"):
        record(settings, name, "finished")
    test = monitor(project_root, "anna")
    assert test.selectbox(key="run").value == "anna"
    table = test.dataframe[0].value
    assert set(table["Run"]) == {"anna", "bert"}
    assert table["State"].map(list).tolist() == [["Finished"]] * 2
    test.selectbox(key="run").select("bert").run()
    assert test.subheader[0].value == "bert"


def test_an_unknown_run_in_the_address_opens_the_newest(project_root: Path, settings: Settings) -> None:
    record(settings, "anna", "finished")
    assert monitor(project_root, "gone").selectbox(key="run").value == "anna"


@pytest.mark.parametrize("content", ["not json", "[1]", '{"state": "dancing"}'])
def test_an_unreadable_status_is_a_sentence(project_root: Path, settings: Settings, content: str) -> None:
    run = record(settings, "kathleen", "training")
    run.status_path.write_text(content, encoding="utf-8")
    record(settings, "other", "finished")
    test = monitor(project_root, "kathleen")
    assert "can't be read" in test.error[0].proto.title
    assert "Unreadable" in str(test.dataframe[0].value["State"].tolist())


def test_a_run_without_metrics_samples_or_log_waits_for_them(project_root: Path, settings: Settings) -> None:
    run = Run(settings.runs_dir / "new")
    run.folder.mkdir(parents=True)
    write_json(run.config_path, TrainingConfig(name="new", dataset="/data", max_steps=10).to_dict())
    test = monitor(project_root)
    text = said(test)
    assert "no trainer was started" in text
    assert "first curves" in text
    assert "first sample is spoken at step 200" in text
    assert "printed nothing" in text
    assert "Start" in labels(test)


def test_cache_is_shown_and_cleared(project_root: Path, settings: Settings) -> None:
    store = CacheStore(settings.cache_dir, settings.max_cache_bytes)
    for number in range(5):
        store.put(f"ab{number}", bytes(1000))
    test = monitor(project_root)
    assert "5 entries, last used just now; 0 in use by a run" in said(test)
    test.button(key="cache_clear_sure").click().run()
    assert store.volume() == 0
    assert "Removed 5 entries" in said(test)


def test_memory_is_asked_back_and_the_answer_told(
    project_root: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(settings, "kathleen", "training", pid=os.getpid())
    monkeypatch.setattr("pages.components.machine.gpu_panel.RELEASE_WAIT_S", 0.2)
    test = monitor(project_root)
    test.button(key="memory_clear").click().run()
    assert read_control(Run(settings.runs_dir / "kathleen")).clear_memory_request == 1
    assert "“kathleen” has not answered yet" in said(test)


def test_a_card_shows_who_uses_its_memory(
    project_root: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(settings, "kathleen", "training", pid=os.getpid())
    processes = (gpu.GpuProcess(os.getpid(), 3 * 1024**3), gpu.GpuProcess(NOBODY, None))
    card = gpu.GpuDevice(0, "A card", 24 * 1024**3, 6 * 1024**3, processes)
    monkeypatch.setattr(gpu, "devices", lambda: [card])
    test = monitor(project_root)
    assert "A card: 6.0 GB of 24.0 GB" in {bar.text for bar in test.progress}
    assert "Run “kathleen”: 3.0 GB" in said(test)
    assert f"Process {NOBODY}: a share that the driver does not tell" in said(test)


@pytest.mark.parametrize(
    ("package", "sentence"),
    [("pynvml", "nvidia-ml-py is not installed"), ("tensorboard", "TensorBoard is not installed"), ("librosa", "")],
)
def test_opens_without_an_optional_package(
    project_root: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, package: str, sentence: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    record(settings, "kathleen", "finished")
    test = monitor(project_root)
    assert not test.exception
    assert sentence in said(test)


@pytest.mark.slow
def test_a_million_lines_answer_from_the_start(project_root: Path, settings: Settings) -> None:
    run = record(settings, "long", "finished")
    with run.metrics_path.open("w", encoding="utf-8") as file:
        for step in range(1_000_000):
            file.write(f'{{"step":{step},"time":1.0,"epoch":0,"mel":{60 - step * 4e-5:.4f},"kl":1.25}}\n')
    started = time.monotonic()
    test = monitor(project_root)
    first_s = time.monotonic() - started
    while any("still to come" in caption.value for caption in test.caption):
        assert time.monotonic() - started < PATIENCE_S
        test.run()
    whole_s = time.monotonic() - started
    started = time.monotonic()
    test.run()
    assert time.monotonic() - started < 0.5 * whole_s, f"a poll reads only what is new (first {first_s:.1f} s)"
    assert len(test.get("bidi_component")) == CHARTS
