"""The Dataset page, as Streamlit runs it: every way in, every refusal, and from its clips to a clean manifest."""

from __future__ import annotations

import importlib.util
import io
import re
import shutil
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
import soundfile
from streamlit.testing.v1 import AppTest

from benchmarks.scale import link_dataset
from pages.components.dataset import clip_listing, inspection_view
from piper_core.dataset.decisions import ClipName
from piper_core.dataset.journal import Journal
from piper_core.dataset.layouts import read_dataset

if TYPE_CHECKING:
    from pages.components.dataset.inspection_job import InspectionJob

PATIENCE_S = 60


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace; beside it the pages may read `tmp_path/data` alone."""
    folder = tmp_path / "workspace"
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("WORKSPACE_DIR", str(folder))
    monkeypatch.setenv("DATA_ROOTS", str(tmp_path / "data"))
    monkeypatch.delenv("ENABLE_AUDIO_VALIDATION", raising=False)
    return folder


@pytest.fixture
def dataset(workspace: Path, demo_dataset: Path, tmp_path: Path) -> Path:
    """A copy of the demo dataset that a test may write beside."""
    return Path(shutil.copytree(demo_dataset, tmp_path / "data" / "my-voice"))


def page(project_root: Path, folder: Path | None = None, view: str = "") -> AppTest:
    test = AppTest.from_file(str(project_root / "pages/setup.py"), default_timeout=PATIENCE_S)
    if folder is not None:
        test.query_params["dataset"] = str(folder)
    if view:
        test.query_params["view"] = view
    return test.run()


def inspected(test: AppTest) -> AppTest:
    """The page once its inspection has ended."""
    until = time.monotonic() + PATIENCE_S
    while any(button.key == "stop_inspection" for button in test.button):
        assert time.monotonic() < until, "the inspection does not end"
        time.sleep(0.1)
        test.run()
    assert not test.exception
    return test


def look_at(test: AppTest, view: str) -> AppTest:
    """The page with another view chosen."""
    test.segmented_control(key="dataset_view").set_value(view).run()
    assert not test.exception
    assert test.query_params["view"] == view
    return test


def click(test: AppTest, position: int) -> AppTest:
    """The page with the clip at this place of the table opened."""
    key = test.dataframe[-1].key
    test.session_state[key] = {"selection": {"rows": [], "columns": [], "cells": [(position, "text")]}}
    test.run()
    assert not test.exception
    return test


def shown_clip(test: AppTest) -> str:
    return test.subheader[0].value


def metrics(test: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in test.metric}


def errors(test: AppTest) -> str:
    assert not test.exception
    return " ".join(error.value for error in test.error)


def test_empty_page_offers_three_ways(project_root: Path, workspace: Path) -> None:
    test = page(project_root)
    assert not test.exception
    assert [heading.value for heading in test.subheader] == ["A folder", "An upload", "The demo"]
    assert not errors(test)


def test_demo_in_one_click_and_its_report(project_root: Path, workspace: Path) -> None:
    test = page(project_root)
    test.slider(key="demo_clips").set_value(12)
    test.button(key="demo_make").click().run()
    inspected(test)
    assert metrics(test)["Clips"] == "12"
    folder = Path(test.session_state["dataset"])
    assert folder.parent == workspace / "datasets"
    assert (folder / "metadata.csv").is_file()
    assert test.query_params["dataset"] == str(folder)


def test_folder_by_its_path(project_root: Path, workspace: Path, dataset: Path) -> None:
    test = page(project_root)
    test.text_input(key="folder_path").set_value(str(dataset))
    next(button for button in test.button if button.label == "Open folder").click().run()
    inspected(test)
    assert metrics(test)["Usable clips"] == "12"
    assert test.title[0].value == "my-voice"
    again = page(project_root)
    assert "my-voice" in [button.label for button in again.button], "an opened dataset is at hand the next time"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/etc", "outside the folders"),
        ("recordings", "not a whole path"),
        ("{root}/nowhere", "There is no folder"),
        ("{root}/my-voice/metadata.csv", "is a file"),
        ("{root}/link-out", "outside the folders"),
        ("  ", "Write the path"),
    ],
)
def test_refusals_are_sentences(
    project_root: Path, workspace: Path, dataset: Path, tmp_path: Path, path: str, said: str
) -> None:
    (tmp_path / "data" / "link-out").symlink_to("/etc")
    test = page(project_root)
    test.text_input(key="folder_path").set_value(path.format(root=tmp_path / "data"))
    next(button for button in test.button if button.label == "Open folder").click().run()
    assert said in errors(test)
    assert "dataset" not in test.session_state


def test_address_can_not_lead_outside(project_root: Path, workspace: Path) -> None:
    test = page(project_root, Path("/etc"))
    assert "outside the folders" in errors(test)
    assert "dataset" not in test.session_state


def test_folder_without_metadata_is_told_what_it_needs(project_root: Path, workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "data" / "bare").mkdir()
    assert "metadata.csv" in errors(inspected(page(project_root, tmp_path / "data" / "bare")))


def test_upload_of_a_zip(project_root: Path, workspace: Path, dataset: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted(dataset.rglob("*")):
            archive.write(file, Path("voice") / file.relative_to(dataset))
    test = page(project_root)
    test.segmented_control(key="upload_way").set_value("Zip").run()
    test.file_uploader(key="upload_zip").upload("voice.zip", packed.getvalue()).run()
    test.button(key="upload_zip_in").click().run()
    inspected(test)
    assert metrics(test)["Clips"] == "12"
    assert Path(test.session_state["dataset"]).is_relative_to(workspace / "datasets")


def test_upload_that_is_no_zip_gets_a_sentence(project_root: Path, workspace: Path) -> None:
    test = page(project_root)
    test.segmented_control(key="upload_way").set_value("Zip").run()
    test.file_uploader(key="upload_zip").upload("voice.zip", b"not a zip at all").run()
    test.button(key="upload_zip_in").click().run()
    assert errors(test)


def test_clips_are_left_out_taken_back_and_the_cleaned_manifest_saved(
    project_root: Path, workspace: Path, dataset: Path
) -> None:
    original = (dataset / "metadata.csv").read_bytes()
    test = inspected(page(project_root, dataset, "clips"))
    first = test.dataframe[-1].value["utterance_id"].iloc[0]
    test.text_input(key="filter_search").set_value(first).run()
    test.button(key="leave_out_shown").click().run()
    assert metrics(test)["Left out"] == "1"
    assert metrics(test)["Usable clips"] == "11"

    edited = read_dataset(dataset).utterances[-1]
    assert edited.utterance_id != first
    path = edited.path.relative_to(dataset).as_posix()
    journal = Journal.open(dataset, workspace / "journals")
    journal.edit(ClipName.of(edited.utterance_id, edited.row, path, edited.text), "Other words.")
    look_at(test, "export")
    test.button(key="save_cleaned").click().run()
    cleaned = dataset / "metadata.cleaned.csv"
    assert str(cleaned) in " ".join(success.value for success in test.success)
    assert len(cleaned.read_text().splitlines()) == 11
    assert first not in cleaned.read_text()
    assert f"{edited.utterance_id}|Other words.\n" in cleaned.read_text(), "the text as edited, as in an export"
    assert (dataset / "metadata.csv").read_bytes() == original
    restarted = inspected(page(project_root, dataset, "clips"))
    assert metrics(restarted)["Left out"] == "1", "another session, and a restart, know of it"

    look_at(test, "clips")
    test.button(key="take_all_back").click().run()
    assert metrics(test)["Left out"] == "0"
    assert metrics(test)["Usable clips"] == "12"


def test_clip_is_shown_with_its_player_pictures_and_phonemes(
    project_root: Path, workspace: Path, dataset: Path
) -> None:
    test = inspected(page(project_root, dataset, "clips"))
    click(test, 0)
    assert len(test.get("audio")) == 2, "as recorded, and as trained on"
    assert len(test.get("plotly_chart")) >= 2
    assert test.code[0].value.strip(), "the phonemes"


def test_the_way_to_the_next_clip_and_back_and_the_clip_stays_when_others_are_filtered_out(
    project_root: Path, workspace: Path, dataset: Path
) -> None:
    test = inspected(page(project_root, dataset, "clips"))
    ids = test.dataframe[-1].value["utterance_id"].tolist()
    click(test, 4)
    fifth = shown_clip(test)
    test.button(key="clip_after").click().run()
    assert shown_clip(test) != fifth
    test.button(key="clip_before").click().run()
    assert shown_clip(test) == fifth
    test.text_input(key="filter_search").set_value(ids[4]).run()
    assert len(test.dataframe[-1].value) == 1
    test.text_input(key="filter_search").set_value("").run()
    test.selectbox(key="clip_sort").set_value("duration_s").run()
    lengths = test.dataframe[-1].value["duration_s"].tolist()
    assert lengths == sorted(lengths, reverse=True)
    assert shown_clip(test) == fifth, "the order changed, and so did the clip"


def test_a_page_that_was_drawn_while_the_inspection_ended_is_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    again: list[int] = []
    monkeypatch.setattr(inspection_view.st, "rerun", lambda: again.append(1))
    job = cast("InspectionJob", SimpleNamespace(done=True, news=3, problem=None, seen=None))
    inspection_view.show(job, 3)
    assert not again
    inspection_view.show(job, 2)
    assert again == [1]


def test_a_folder_that_is_no_dataset_says_what_one_looks_like_and_is_not_offered_again(
    project_root: Path, workspace: Path, tmp_path: Path
) -> None:
    (tmp_path / "data" / "holiday").mkdir()
    test = page(project_root, tmp_path / "data" / "holiday")
    assert "holiday is empty" in errors(test)
    assert any("looks like" in expander.label for expander in test.expander)
    offered = page(project_root)
    assert not any(button.icon == ":material/history:" for button in offered.button)


def test_a_long_table_comes_in_pages_and_the_open_clip_is_followed_to_its_own(
    project_root: Path, workspace: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip_listing, "PAGE_ROWS", 5)
    test = inspected(page(project_root, dataset, "clips"))
    test.selectbox(key="clip_sort").set_value("row").run()
    ids = [row.split("|")[0] for row in (dataset / "metadata.csv").read_text(encoding="utf-8").splitlines()]

    def listed() -> list[str]:
        assert not test.exception
        return list(test.dataframe[-1].value["utterance_id"])

    def opened() -> str:
        return shown_clip(test).replace("\\", "")

    assert listed() == ids[:5]
    click(test, 4)
    test.button(key="clip_after").click().run()
    assert (opened(), listed()) == (ids[5], ids[5:10]), "the table turns to the next clip's page"
    test.get("pagination")[0].set_value(3).run()
    assert (opened(), listed()) == (ids[5], ids[10:]), "who leafs keeps the clip that is open"
    test.selectbox(key="clip_sort").set_value("duration_s").run()
    assert len(listed()) == 5
    assert opened() == ids[5]
    lengths = list(test.dataframe[-1].value["duration_s"])
    assert lengths == sorted(lengths, reverse=True)
    test.text_input(key="filter_search").set_value(ids[11]).run()
    assert (opened(), listed()) == (ids[11], [ids[11]])


def test_a_clip_beside_a_reading_of_its_text(project_root: Path, workspace: Path, dataset: Path) -> None:
    test = inspected(page(project_root, dataset, "clips"))
    test.toggle(key="clip_compare").set_value(True).run()
    assert not test.exception
    assert len(test.get("audio")) == 4
    assert len(test.get("plotly_chart")) == 4


def test_the_words_heard_stand_beside_the_words_written_when_asked_for(
    project_root: Path, workspace: Path, kathleen: Path, tmp_path: Path
) -> None:
    pytest.importorskip("pocketsphinx")
    link_dataset(kathleen, tmp_path / "data" / "kathleen", 3)
    test = inspected(page(project_root, tmp_path / "data" / "kathleen", "clips"))
    assert not any("Heard" in shown.value for shown in test.markdown)
    test.button(key="heard_words").click().run()
    until = time.monotonic() + PATIENCE_S
    while any("Listening" in caption.value for caption in test.caption):
        assert time.monotonic() < until, "the words are not heard"
        time.sleep(0.1)
        test.run()
    assert not test.exception
    shown = [
        markdown.value.rpartition("\n")[2] for markdown in test.markdown if markdown.value.startswith(":small[:gray[")
    ]
    captions = [caption.value for caption in test.caption]
    assert len(shown) == 2, captions
    written, heard = shown
    assert re.sub(r":orange-background|[\\\[\]]", "", written) == test.dataframe[-1].value["text"].tolist()[0]
    assert ":orange-background[" in heard
    assert any("words written are heard too" in caption for caption in captions)
    assert not any(button.key == "heard_words" for button in test.button)


def test_words_are_heard_in_triage_too_and_for_english_alone(
    project_root: Path, workspace: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pocketsphinx")
    clip = sorted((dataset / "wavs").iterdir())[0]
    sound, rate = soundfile.read(clip)
    soundfile.write(clip, np.clip(sound * 20, -1, 1), rate)  # something to triage
    test = inspected(page(project_root, dataset, "triage"))
    assert any(button.key == "heard_words" for button in test.button)
    find = importlib.util.find_spec
    with monkeypatch.context() as patched:
        patched.setattr(
            importlib.util, "find_spec", lambda name, *at: None if name == "pocketsphinx" else find(name, *at)
        )
        test.run()
        assert not any(button.key == "heard_words" for button in test.button)
        assert any("pip install pocketsphinx" in caption.value.replace("\\", "") for caption in test.caption)
    test.session_state["dataset_language"] = "de"
    inspected(test.run())
    assert not any(button.key == "heard_words" for button in test.button)


def test_audit_begins_when_asked_for_and_ranks_the_clips(project_root: Path, workspace: Path, dataset: Path) -> None:
    test = inspected(page(project_root, dataset))
    test.button(key="audit").click().run()
    inspected(test)
    test.button(key="audit_ranked").click().run()
    assert not test.exception
    costs = test.dataframe[-1].value["transcript_cost"].tolist()
    assert len(costs) == 12
    assert costs == sorted(costs, reverse=True)
    assert len(set(costs)) > 6


def test_hostile_texts_are_text_a_long_one_is_cut_and_a_file_that_vanished_is_a_sentence(
    project_root: Path, workspace: Path, dataset: Path
) -> None:
    rows = (dataset / "metadata.csv").read_text(encoding="utf-8").splitlines()
    first, second = (row.split("|")[0] for row in rows[:2])
    rows[0] = f"{first}|<script>alert(1)</script> [x](javascript:alert(1)) :red[loud] **bold** $x$ www.example.com"
    rows[1] = f"{second}|{'word ' * 20_000}"
    (dataset / "metadata.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    test = inspected(page(project_root, dataset, "clips"))
    test.text_input(key="filter_search").set_value(first).run()
    told = " ".join(markdown.value for markdown in test.markdown)
    assert "\\<script\\>" in told
    assert "](javascript" not in told
    assert ":red[" not in told
    assert "**bold" not in told

    test.text_input(key="filter_search").set_value(second).run()
    assert len(" ".join(markdown.value for markdown in test.markdown)) < 5000
    test.toggle(key="clip_all_text").set_value(True).run()
    assert any(len(code.value) > 90_000 for code in test.code)

    next((dataset / "wavs").glob(f"{second}.*")).unlink()
    inspected(test.run())
    assert "there is no file" in errors(test).replace("\\", "")
    assert any("missing-audio" in markdown.value for markdown in test.markdown)


def test_each_view_has_an_address_and_only_the_chosen_one_is_computed(
    project_root: Path, workspace: Path, dataset: Path
) -> None:
    test = inspected(page(project_root, dataset))
    assert "What was found" in [heading.value for heading in test.subheader]
    assert not test.dataframe
    look_at(test, "clips")
    assert len(test.dataframe) == 1
    assert "What was found" not in [heading.value for heading in test.subheader]
    assert not inspected(page(project_root, dataset, "nonsense")).dataframe, "an unknown view is the first one"


def test_pictures_by_theme(project_root: Path, workspace: Path, dataset: Path) -> None:
    test = inspected(page(project_root, dataset, "pictures"))
    assert any(alt.startswith("Loudness of 12 clips") for alt in alts(test))
    test.segmented_control(key="pictures_order").set_value("By file name").run()
    assert not test.exception

    test.segmented_control(key="pictures_theme").set_value("speaking").run()
    assert any("against length" in alt for alt in alts(test))
    assert not test.get("audio"), "no clip was clicked yet"
    test.session_state["pictures_clicked"] = (dataset / "metadata.csv").read_text().split("|")[0]
    test.run()
    assert not test.exception
    assert len(test.get("audio")) == 2

    test.segmented_control(key="pictures_theme").set_value("texts").run()
    assert int(metrics(test)["Words"]) > 50
    assert any("different characters" in alt for alt in alts(test))

    test.segmented_control(key="pictures_theme").set_value("sounds").run()
    assert any("sounds" in alt for alt in alts(test))
    assert int(metrics(test)["Missing"]) > 0, "twelve short sentences lack some"
    assert len(test.dataframe[-1].value) > 5, "sentences to record"
    test.text_area(key="sounds_pasted").set_value("Kitten, mitten, button, cotton, rotten, written.").run()
    assert "Kitten, mitten, button, cotton, rotten, written." in list(test.dataframe[-1].value["Sentence"])
    test.segmented_control(key="base_how").set_value("By its language").run()
    test.selectbox(key="base_language").set_value("es").run()
    assert not test.exception
    assert "θ" not in list(test.dataframe[0].value["Sound"])
    assert "ʌ" in list(test.dataframe[0].value["Sound"])


def alts(test: AppTest) -> list[str]:
    """What each chart says to those who can't see it."""
    assert not test.exception
    charts = [chart.proto.alt for chart in test.get("plotly_chart")]
    assert all(charts), "a chart without words"
    return charts


def test_without_validation_the_page_says_what_was_not_checked(
    project_root: Path, workspace: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENABLE_AUDIO_VALIDATION", "false")
    test = inspected(page(project_root, dataset))
    assert "ENABLE_AUDIO_VALIDATION" in " ".join(warning.value for warning in test.warning)
    assert metrics(test)["Clips"] == "12"


def test_a_setting_that_makes_no_sense_is_a_sentence(
    project_root: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_CACHE_SIZE_GB", "much")
    assert "MAX_CACHE_SIZE_GB" in errors(page(project_root))
