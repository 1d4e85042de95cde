"""The view that moves a threshold and says what it costs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from piper_core.dataset.journal import Journal
from tests.pages.test_setup_page import inspected, metrics, page


@pytest.fixture
def dataset(tmp_path: Path, demo_dataset: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WORKSPACE_DIR", str(tmp_path / "workspace"))
    monkeypatch.setenv("DATA_ROOTS", str(tmp_path))
    return Path(shutil.copytree(demo_dataset, tmp_path / "voice"))


def at_length(project_root: Path, dataset: Path) -> AppTest:
    test = inspected(page(project_root, dataset, "thresholds"))
    return test.selectbox(key="thresholds_limit").set_value("duration-long").run()


def beyond(test: AppTest) -> int:
    assert not test.exception
    return int(metrics(test)["Clips beyond"].split()[0])


def test_a_moved_threshold_holds_on_every_view_until_it_is_put_back(
    project_root: Path, dataset: Path, tmp_path: Path
) -> None:
    test = at_length(project_root, dataset)
    usual = beyond(test)
    usable = metrics(test)["Usable clips"]
    test.number_input(key="thresholds_value_duration-long").set_value(0.1).run()
    assert beyond(test) == 12 > usual
    assert metrics(test)["Phonemes beyond"] != "0"
    assert int(metrics(test)["Kinds of phonemes lost"]) > 0
    assert set(test.dataframe[-1].value["side"]) == {"beyond"}
    assert any("0\\.1 s instead of 15 s" in each.value for each in test.markdown)

    test.selectbox(key="thresholds_limit").set_value("duration-short").run()
    test.slider(key="thresholds_slider_duration-short").set_value(2.5).run()
    alone = beyond(test)
    assert 0 < alone < 12
    assert metrics(test)["Clips beyond any"].split()[0] == "12", "each clip counts once"
    assert metrics(test)["Usable clips"] == str(int(usable) - alone), "an error by a moved limit leaves it out"

    another = inspected(page(project_root, dataset, "triage"))
    assert metrics(another)["Usable clips"] == str(int(usable) - alone), "remembered beside the dataset"
    another.button(key="limits_undo").click().run()
    assert metrics(another)["Usable clips"] == usable
    another.button(key="limits_back").click().run()
    assert Journal.open(dataset, tmp_path).limits == {}
    test.run()
    assert beyond(test) == 0
    assert not any("instead of" in each.value for each in test.markdown)
    assert test.number_input(key="thresholds_value_duration-short").value == 0.4


def test_clips_beyond_are_left_out_with_their_reason(project_root: Path, dataset: Path, tmp_path: Path) -> None:
    test = at_length(project_root, dataset)
    lengths = sorted(test.dataframe[-1].value["value"])
    threshold = (lengths[-2] + lengths[-1]) / 2
    test.number_input(key="thresholds_value_duration-long").set_value(threshold).run()
    many = beyond(test)
    assert 0 < many < 12
    test.button(key="thresholds_leave_out").click().run()
    left_out = Journal.open(dataset, tmp_path / "workspace" / "journals").left_out
    assert len(left_out) == many
    for reason in left_out.values():
        assert (reason.code, reason.threshold) == ("duration", pytest.approx(threshold))
        assert reason.value is not None
        assert reason.value > threshold
    assert test.button(key="thresholds_leave_out").disabled
