"""`python -m piper_core clean`: the journal beside a dataset, applied elsewhere; what scripts get of it."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from piper_core.dataset.decisions import ClipName, Reason
from piper_core.dataset.journal import Journal
from piper_core.dataset.layouts import LAYOUTS, Utterance, read_dataset
from tests.test_command_line import studio


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clean-command")


@pytest.fixture
def dataset(tmp_path: Path, multispeaker: Path) -> Path:
    """Eight real clips of two voices, one of them silent."""
    folder = tmp_path / "set"
    (folder / "wavs").mkdir(parents=True)
    rows = (multispeaker / "metadata.csv").read_text(encoding="utf-8").splitlines()
    chosen = [*rows[:4], *rows[-4:]]
    (folder / "metadata.csv").write_text("\n".join(chosen) + "\n", encoding="utf-8")
    for said in read_dataset(multispeaker).utterances:
        if any(row.startswith(f"{said.utterance_id}|") for row in chosen):
            shutil.copy(said.path, folder / "wavs")
    return folder


def named(folder: Path, said: Utterance) -> ClipName:
    return ClipName.of(said.utterance_id, said.row, said.path.relative_to(folder).as_posix(), said.text)


def journal_of(dataset: Path, workspace: Path) -> Journal:
    return Journal.open(dataset, workspace / "journals")


def clean(workspace: Path, dataset: Path, *options: str | Path) -> subprocess.CompletedProcess[str]:
    return studio(workspace, "clean", dataset, "--to", dataset.parent / "out", *options)


def written(dataset: Path) -> dict[str, str]:
    return {said.utterance_id: said.text for said in read_dataset(dataset.parent / "out").utterances}


def test_the_journal_is_applied_and_told(workspace: Path, dataset: Path) -> None:
    first, second, third, *_ = read_dataset(dataset).utterances
    journal = journal_of(dataset, workspace)
    journal.leave_out(named(dataset, first), Reason(words="A cough."))
    journal.edit(named(dataset, second), "Other words.")
    journal.keep(named(dataset, third))
    before = (dataset / "metadata.csv").read_bytes()
    done = clean(workspace, dataset)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    out = dataset.parent / "out"
    assert done.stdout.splitlines() == [
        f"{out}: 7 clips written, 1 of them with an edited text; 1 left out",
        "left out by hand                  1",
        f"  {first.utterance_id}: A cough.",
        f"log: {out / 'export-log.csv'}",
    ]
    assert first.utterance_id not in written(dataset)
    assert written(dataset)[second.utterance_id] == "Other words."
    assert (dataset / "metadata.csv").read_bytes() == before
    assert all(path.is_symlink() for path in (out / "wavs").iterdir())
    with (out / "export-log.csv").open(newline="", encoding="utf-8") as file:
        assert {row["what"] for row in csv.DictReader(file)} == {"recordings linked", "left out", "text edited"}


def test_findings_are_left_out_when_named_and_a_kept_clip_stays(workspace: Path, dataset: Path) -> None:
    lines = (dataset / "metadata.csv").read_text(encoding="utf-8").splitlines()
    lines[0] += " 1 $"
    lines[1] += " 2 $"
    lines[2] = lines[2].rpartition("|")[0] + "|"
    (dataset / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    first, second, empty, *rest = read_dataset(dataset).utterances
    done = clean(workspace, dataset, "--json")
    assert (done.returncode, json.loads(done.stdout)["left_out"]) == (0, 1), "errors go without being asked for"
    assert written(dataset).keys() == {said.utterance_id for said in (first, second, *rest)}
    shutil.rmtree(dataset.parent / "out")
    journal_of(dataset, workspace).keep(named(dataset, second))
    done = clean(workspace, dataset, "--leave-out", "text-symbols", "--layout", "nemo", "--audio", "copy", "--json")
    told = json.loads(done.stdout)
    assert (told["schema_version"], told["clips"], told["left_out"]) == (1, 6, 2)
    changes = [(change["utterance_id"], change["what"], change["rule"]) for change in told["changes"]]
    assert changes == [
        (first.utterance_id, "left out", "text-symbols"), (empty.utterance_id, "left out", "empty-text")
    ]  # fmt: skip
    assert Path(told["log"]).is_file()
    assert read_dataset(dataset.parent / "out", told["metadata"]).layout == "nemo"
    assert written(dataset).keys() == {said.utterance_id for said in (second, *rest)}
    assert not any(path.is_symlink() for path in (dataset.parent / "out").rglob("*"))


def test_what_fits_no_clip_any_more_is_status_1(workspace: Path, dataset: Path) -> None:
    first, second, *_ = read_dataset(dataset).utterances
    journal = journal_of(dataset, workspace)
    journal.leave_out(named(dataset, first))
    journal.leave_out(named(dataset, second))
    lines = (dataset / "metadata.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (dataset / "metadata.csv").write_text("".join(lines[1:]), encoding="utf-8")
    done = clean(workspace, dataset, "--journal-only", "--json")
    assert done.returncode == 1
    assert "1 decision fits no clip any more" in done.stderr
    told = json.loads(done.stdout)
    assert told["not_applied"] == [{"utterance_id": first.utterance_id, "row": 1}]
    assert (told["clips"], told["left_out"]) == (6, 1)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--leave-out", "nois"), "There is no finding 'nois'"),
        (("--leave-out", "noise", "--journal-only"), "give one of them"),
        (("--layout", "none-such"), "There is no layout none-such"),
        (("--layout", "vctk", "--audio", "none"), "can't be written without recordings"),
        (("--to", "INSIDE"), "lies in the dataset itself"),
        (("--metadata", "other.csv"), "other.csv"),
    ],
)
def test_a_refusal_is_one_line_and_writes_nothing(
    workspace: Path, dataset: Path, options: tuple[str, ...], told: str
) -> None:
    inside = str(dataset / "cleaned")
    done = clean(workspace, dataset, *(option.replace("INSIDE", inside) for option in options))
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, "told before the clips are listened to"
    assert sorted(path.name for path in dataset.iterdir()) == ["metadata.csv", "wavs"]
    assert not (dataset.parent / "out").exists()


def test_its_help_names_every_layout(workspace: Path) -> None:
    helped = " ".join(studio(workspace, "clean", "--help").stdout.split())
    assert [code for code in LAYOUTS if code not in helped] == []
