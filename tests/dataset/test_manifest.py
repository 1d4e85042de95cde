"""The cleaned manifest as both readers read it: without what goes, with texts as edited, nothing written over."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from piper_core.dataset.cleaning import as_inspected, exclusions
from piper_core.dataset.decisions import Fitted, Reason
from piper_core.dataset.inspection import inspect
from piper_core.dataset.layouts import Dataset, DatasetError, read_dataset
from piper_core.dataset.manifest import write_cleaned_manifest
from tests.dataset import layouts_by_hand as by_hand

NOBODY = Fitted({}, {}, frozenset(), ())
BY_EAR = Reason(words="a cough")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six clips: one empty file, one without text, one whose text opens a quote."""
    folder = tmp_path / "set"
    (folder / "wavs").mkdir(parents=True)
    for i in range(6):
        soundfile.write(folder / f"wavs/c{i}.wav", np.random.default_rng(i).normal(scale=0.1, size=22050), 22050)
    (folder / "wavs/c1.wav").write_bytes(b"")
    rows = ["c0|Hello.", "c1|Empty file.", "c2|", "c3|Third.", 'c4|"Open quote.', "c5|=SUM(A1)"]
    (folder / "metadata.csv").write_text("\n".join(rows) + "\n")
    return folder


def saved(folder: Path, *left_out: str, metadata: str | None = None, texts: dict[int, str] | None = None) -> Path:
    """The manifest of what is in `folder`, without its errors and the clips of these names."""
    report = inspect(folder, metadata=metadata)
    dataset = as_inspected(report)
    by_hand = {said.row: BY_EAR for said in dataset.utterances if said.utterance_id in left_out}
    gone = exclusions(report.findings, Fitted(texts or {}, by_hand, frozenset(), ()))
    written = write_cleaned_manifest(dataset, texts=texts, left_out=gone)
    assert written.clips == len(read_dataset(folder, written.metadata).utterances)
    return folder / written.metadata


def test_it_holds_what_is_usable_and_kept(folder: Path) -> None:
    original = (folder / "metadata.csv").read_bytes()
    path = saved(folder, "c5")
    assert path == folder / "metadata.cleaned.csv"
    assert (folder / "metadata.csv").read_bytes() == original
    cleaned = read_dataset(folder, path.name)
    expected = [u for u in read_dataset(folder).utterances if u.utterance_id in ("c0", "c3", "c4")]
    assert [(u.utterance_id, u.path, u.text) for u in cleaned.utterances] == [
        (u.utterance_id, u.path, u.text) for u in expected
    ]
    with path.open(newline="") as file:
        piper = [(row[0], row[-1]) for row in csv.reader(file, delimiter="|")]
    assert piper == [(u.utterance_id, u.text) for u in expected], "Piper's own reader reads the same"
    assert read_dataset(folder).metadata_path.name == "metadata.csv"


def test_the_log_beside_it_says_why(folder: Path) -> None:
    saved(folder, "c5", texts={1: "Hello there."})
    with (folder / "metadata.cleaned-log.csv").open(newline="", encoding="utf-8") as file:
        told = {(row["utterance_id"], row["what"], row["rule"]) for row in csv.DictReader(file)}
    assert told == {
        ("c0", "text edited", "by hand"),
        ("c1", "left out", "unreadable"),
        ("c2", "left out", "empty-text"),
        ("c5", "left out", "by hand"),
    }


@pytest.mark.parametrize("layout", by_hand.LAYOUTS)
def test_edited_texts_are_written_in_every_layout(tmp_path: Path, layout: str) -> None:
    by_hand.LAYOUTS[layout][0](tmp_path)
    dataset = read_dataset(tmp_path)
    first = dataset.utterances[0]
    edit = '"Other" words | and a pipe.'
    written = write_cleaned_manifest(dataset, texts={first.row: edit})
    again = read_dataset(tmp_path, written.metadata)
    assert [(u.utterance_id, u.path, u.text, u.speaker) for u in again.utterances] == [
        (u.utterance_id, u.path, edit if u is first else u.text, u.speaker) for u in dataset.utterances
    ]
    stale = [u.written_text for u in again.utterances if u.utterance_id == first.utterance_id]
    assert stale in ([None], [edit]), "the text as written is not left as it was beside the edited one"


def test_of_two_rows_with_one_id_one_can_go(folder: Path) -> None:
    """The row is what was decided on, not the name."""
    (folder / "metadata.csv").write_text("c0|Hello.\nc3|Third.\nwavs/c3.wav|Third.\nc4|Fourth.\n")
    dataset = read_dataset(folder)
    left_out = {2: BY_EAR}
    written = write_cleaned_manifest(Dataset(dataset.folder, dataset.layout, dataset.metadata_path,
                                             dataset.utterances, ()), left_out=left_out)  # fmt: skip
    assert [u.utterance_id for u in read_dataset(folder, written.metadata).utterances] == ["c0", "c3", "c4"]


def test_taking_a_clip_back_writes_it_again(folder: Path) -> None:
    saved(folder, "c0", "c3")
    saved(folder, "c3")
    assert "c0" in {u.utterance_id for u in read_dataset(folder, "metadata.cleaned.csv").utterances}
    names = ["metadata.cleaned-log.csv", "metadata.cleaned.csv", "metadata.csv", "wavs"]
    assert sorted(path.name for path in folder.iterdir()) == names


def test_a_cleaned_manifest_is_not_written_over_either(folder: Path) -> None:
    first = saved(folder)
    before = first.read_bytes()
    second = saved(folder, "c0", metadata=first.name)
    assert second.name == "metadata.cleaned-2.csv"
    assert first.read_bytes() == before
    third = saved(folder, "c3", metadata=second.name)
    assert third.name == "metadata.cleaned-3.csv"
    assert [u.utterance_id for u in read_dataset(folder, third.name).utterances] == ["c4", "c5"]


def test_three_columns_stay_three(multispeaker: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "wavs").symlink_to(multispeaker / "wavs")
    (folder / "metadata.csv").write_bytes((multispeaker / "metadata.csv").read_bytes())
    dataset = read_dataset(folder)
    gone = dataset.utterances[3]
    cleaned = read_dataset(folder, write_cleaned_manifest(dataset, left_out={gone.row: BY_EAR}).metadata)
    assert cleaned.layout == "piper"
    assert [(u.utterance_id, u.speaker, u.text) for u in cleaned.utterances] == [
        (u.utterance_id, u.speaker, u.text) for u in dataset.utterances if u is not gone
    ]


def test_what_can_not_be_cleaned_is_a_sentence(folder: Path) -> None:
    with pytest.raises(DatasetError, match="No clip is left"):
        saved(folder, "c0", "c3", "c4", "c5")
    report = inspect(folder)
    (folder / "metadata.csv").write_text("c0|Hello.\nc3|Third.\n")
    with pytest.raises(DatasetError, match="has changed since"):
        as_inspected(report)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(folder: Path) -> None:
    folder.chmod(0o555)
    try:
        with pytest.raises(DatasetError, match="make its folder writable"):
            saved(folder)
    finally:
        folder.chmod(0o755)
