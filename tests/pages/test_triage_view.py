"""The triage as Streamlit runs it: what is heard, what follows a decision, and what can be undone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import soundfile
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from pages.components.dataset.report_view import plain_text
from piper_core.dataset.decisions import ClipName
from piper_core.dataset.journal import Journal
from piper_core.dataset.layouts import read_dataset
from tests.pages.test_setup_page import inspected, metrics, page


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WORKSPACE_DIR", str(tmp_path / "workspace"))
    monkeypatch.setenv("DATA_ROOTS", str(tmp_path))
    return tmp_path / "workspace"


@pytest.fixture
def dataset(workspace: Path, demo_with_defects: Path) -> Path:
    return Path(shutil.copytree(demo_with_defects, workspace.parent / "voice"))


def names(dataset: Path) -> list[ClipName]:
    root = read_dataset(dataset)
    return [ClipName.of(u.utterance_id, u.row, u.path.relative_to(dataset).as_posix(), u.text) for u in root.utterances]


def button(test: AppTest, label: str) -> Button:
    """The one with a name: those that decide have the clip's row in their keys."""
    (found,) = [button for button in test.button if button.label == label]
    return found


def test_a_span_is_heard_and_not_its_whole_file(
    project_root: Path, workspace: Path, kathleen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = workspace.parent / "spans"
    folder.mkdir()
    (said, *_) = read_dataset(kathleen).utterances
    sound, rate = soundfile.read(said.path)
    soundfile.write(folder / "all.wav", sound, rate)
    spans = [{"audio_filepath": "all.wav", "offset": 0.5, "duration": 0.3, "text": "Short."}]
    spans += [{"audio_filepath": "all.wav", "offset": 0.8, "duration": 1.25, "text": "It costs $ 12."}]
    (folder / "manifest.json").write_text("\n".join(map(json.dumps, spans)), encoding="utf-8")
    heard: list[tuple[int, int]] = []
    from pages.components.dataset import triage_view

    def player(samples: Any, sample_rate: int, **_: Any) -> None:
        heard.append((len(samples), sample_rate))

    monkeypatch.setattr(triage_view, "keyed_player", player)
    inspected(page(project_root, folder, "triage"))
    assert heard[-1] == (pytest.approx(0.3 * rate, abs=2), rate)


def test_the_totals_follow_a_decision_at_once(project_root: Path, dataset: Path) -> None:
    test = inspected(page(project_root, dataset, "triage"))
    assert metrics(test)["Left out"] == "0"
    button(test, "Leave out").click().run()
    assert not test.exception
    assert metrics(test)["Left out"] == "1"
    test.button(key="triage_undo").click().run()
    assert metrics(test)["Left out"] == "0"


def test_undo_is_at_hand_where_the_queue_is_empty(project_root: Path, workspace: Path, demo_dataset: Path) -> None:
    clean = Path(shutil.copytree(demo_dataset, workspace.parent / "clean"))
    test = inspected(page(project_root, clean, "triage"))
    assert "No clip needs a look" in " ".join(success.value for success in test.success)
    journal = Journal.open(clean, workspace / "journals")
    journal.leave_out(names(clean)[0])
    test = inspected(page(project_root, clean, "triage"))
    assert metrics(test)["Left out"] == "1"
    test.button(key="triage_undo").click().run()
    assert metrics(test)["Left out"] == "0"
    assert not test.button(key="triage_redo").disabled


@pytest.mark.parametrize("view", ["overview", "triage", "export"])
def test_decisions_that_fit_no_clip_any_more_are_told_in_every_view_and_can_be_forgotten(
    project_root: Path, workspace: Path, dataset: Path, view: str
) -> None:
    journal = Journal.open(dataset, workspace / "journals")
    first, second, *_ = names(dataset)
    journal.leave_out(first)
    journal.edit(second, "Other words.")
    metadata = (dataset / "metadata.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (dataset / "metadata.csv").write_text("".join(metadata[2:]), encoding="utf-8")
    test = inspected(page(project_root, dataset, view))
    assert test.expander[0].label.startswith("2 earlier decisions fit no clip")
    test.button(key="forget_stale").click().run()
    assert not test.exception
    assert not [box for box in test.expander if "fit no clip" in box.label]
    journal.refresh()
    assert (journal.texts, journal.left_out) == ({}, {})
    assert journal.undo() is not None
    assert (len(journal.texts), len(journal.left_out)) == (1, 1)


def test_a_kept_clip_is_usable_again_unless_there_is_nothing_to_train_on(project_root: Path, dataset: Path) -> None:
    test = inspected(page(project_root, dataset, "triage"))
    usable = int(metrics(test)["Usable clips"])
    test.multiselect(key="triage_codes").set_value(["duplicate-id"]).run()
    button(test, "Keep").click().run()
    assert int(metrics(test)["Usable clips"]) == usable + 1
    test.multiselect(key="triage_codes").set_value(["unreadable"]).run()
    button(test, "Keep").click().run()
    assert int(metrics(test)["Usable clips"]) == usable + 1
    test.button(key="triage_back").click().run()
    assert "nothing to train on" in " ".join(caption.value for caption in test.caption)
    test.segmented_control(key="dataset_view").set_value("export").run()
    assert f"**{usable + 1} of 25 clips** are written" in " ".join(text.value for text in test.markdown)
    test.button(key="export_now").click().run()
    assert f"{usable + 1} clips are in" in test.success[0].value


def test_metadata_alone_is_not_inspected_where_it_lies(project_root: Path, dataset: Path) -> None:
    """There are no recordings beside it."""
    test = inspected(page(project_root, dataset, "export"))
    test.selectbox(key="export_audio").set_value("none")
    test.button(key="export_now").click().run()
    assert not test.exception
    assert "clips are in" in test.success[0].value
    assert not [button for button in test.button if button.key == "inspect_export"]


def test_a_key_that_is_pressed_twice_decides_about_one_clip(project_root: Path, workspace: Path, dataset: Path) -> None:
    """Before the browser shows the next clip, its button is still that of the first: a second press is about that."""
    test = inspected(page(project_root, dataset, "triage"))
    keep = button(test, "Keep")
    keep.click().run()
    assert button(test, "Keep").key != keep.key
    state = test.session_state["triage"][str(dataset)]
    journal = Journal.open(dataset, workspace / "journals")
    (decided,) = journal.decisions.kept
    assert state.decide(decided.row, lambda: journal.keep(decided)) is None
    assert len(journal.decisions.done) == 1


def test_two_exports_in_a_row_go_to_two_folders(project_root: Path, workspace: Path, dataset: Path) -> None:
    test = inspected(page(project_root, dataset, "export"))
    for _ in range(2):
        test.button(key="export_now").click().run()
        assert not test.exception
        assert not test.error
    assert sorted(path.name for path in (workspace / "datasets").iterdir()) == ["voice-cleaned", "voice-cleaned-2"]


def test_the_texts_of_other_rows_of_the_recording_are_told(project_root: Path, dataset: Path) -> None:
    test = inspected(page(project_root, dataset, "triage"))
    test.multiselect(key="triage_codes").set_value(["duplicate-id"]).run()
    (shown,) = [area.value for area in test.text_area if area.label == "Text"]
    texts = {said.text for said in read_dataset(dataset).utterances if said.utterance_id == "demo_0010"}
    (other,) = texts - {shown}
    assert f"“{plain_text(other)}”" in " ".join(caption.value for caption in test.caption)
