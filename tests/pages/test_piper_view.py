"""The view of what Piper's own trainer would make of a dataset."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from pages.components.dataset import piper_view
from tests.pages.test_setup_page import errors, inspected, metrics, page


@pytest.fixture
def dataset(tmp_path: Path, demo_dataset: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo with an open quote in its second row, and a third clip that is no WAV."""
    monkeypatch.setenv("WORKSPACE_DIR", str(tmp_path / "workspace"))
    monkeypatch.setenv("DATA_ROOTS", str(tmp_path))
    folder = Path(shutil.copytree(demo_dataset, tmp_path / "voice"))
    lines = (folder / "metadata.csv").read_text(encoding="utf-8").splitlines()
    lines[1] = lines[1].replace("|", '|"', 1)
    lines[4] = lines[4].replace("|", '|"', 1) + '"'
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_rows_that_become_something_else(project_root: Path, dataset: Path) -> None:
    test = inspected(page(project_root, dataset, "piper"))
    # The quote of the second row is closed by the fifth's: three rows have become one.
    assert {name: metrics(test)[name] for name in ("Kept", "Altered", "Dropped", "Ends the trainer")} == {
        "Kept": "8", "Altered": "1", "Dropped": "3", "Ends the trainer": "0",
    }  # fmt: skip
    frame = test.dataframe[0].value
    assert list(frame["row"]) == [2, 3, 4, 5]
    assert frame["outcome"].map(lambda names: names[0]).tolist() == ["altered", "dropped", "dropped", "dropped"]


def test_another_folder_of_recordings(project_root: Path, dataset: Path) -> None:
    test = inspected(page(project_root, dataset, "piper"))
    test.text_input(key="piper_audio_dir").set_value("nowhere").run()
    assert metrics(test)["Kept"] == "0"
    test.text_input(key="piper_audio_dir").set_value("../outside").run()
    assert "inside the dataset" in errors(test)


def test_features_of_an_earlier_version(project_root: Path, dataset: Path, tmp_path: Path) -> None:
    from piper_core.dataset.layouts import read_dataset
    from piper_core.dataset.piper_reading import read_as_piper

    cache = tmp_path / "cache"
    cache.mkdir()
    first = read_as_piper(read_dataset(dataset)).rows[0]
    (cache / f"{first.cache_key}.txt").write_text(f"{first.text} And more.")
    test = inspected(page(project_root, dataset, "piper"))
    test.text_input(key="piper_cache_dir").set_value(str(cache)).run()
    assert "One row would" in " ".join(warning.value for warning in test.warning)
    (cache / f"{first.cache_key}.txt").write_text(str(first.text))
    test.text_input(key="piper_audio_dir").set_value("wavs").run()
    assert "No row" in " ".join(success.value for success in test.success)
    test.text_input(key="piper_cache_dir").set_value(os.sep).run()
    assert "outside" in errors(test)


def test_a_dataset_that_piper_reads_as_it_stands(project_root: Path, demo_dataset: Path, dataset: Path) -> None:
    shutil.copy(demo_dataset / "metadata.csv", dataset / "metadata.csv")
    test = inspected(page(project_root, dataset, "piper"))
    assert metrics(test)["Kept"] == "12"
    assert "every row as it stands" in " ".join(success.value for success in test.success)
    assert len(test.dataframe) == 0


def test_the_metadata_is_read_once_however_often_the_view_is_drawn(
    project_root: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    real = piper_view.read_as_piper
    monkeypatch.setattr(piper_view, "read_as_piper", lambda *args, **names: made.append(args) or real(*args, **names))
    monkeypatch.setattr(piper_view, "read_dataset", lambda _: pytest.fail("the inspection has read it"))
    test = inspected(page(project_root, dataset, "piper"))
    before = len(made)
    test.text_input(key="piper_cache_dir").set_value(str(dataset)).run()
    test.pills(key="piper_outcomes").set_value(["dropped"]).run()
    assert not test.exception
    assert len(made) == before
    test.text_input(key="piper_audio_dir").set_value("wavs").run()
    assert len(made) == before + 1
