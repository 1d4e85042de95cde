"""Every layout becomes every other and is read back the same; the source is not touched; the log says why."""

from __future__ import annotations

import csv
import hashlib
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from piper_core.dataset.audio import load_clip
from piper_core.dataset.decisions import Reason
from piper_core.dataset.export import LOG_NAME, export_dataset
from piper_core.dataset.layouts import LAYOUTS, Dataset, DatasetError, read_dataset
from tests.dataset import layouts_by_hand as by_hand

NASTY = {
    "pipes": "Either | or, and; \t also",
    "quoted": '"Hello," she said.',
    "unclosed": '"Hello there.',
    "formula": "=1+1 is two",
    "nfd": unicodedata.normalize("NFD", "Grüße aus Québec"),
    "emoji": "Well 👩‍👩‍👧 done, שלום עליכם.",
    "json": '{"text": "\\u00e9"} \\n',
    "lines": "One line\nand another\r\nand\u2028more",
    "long": "word " * 20_000 + "end",
    "number": "3",
    "arrow": "'quoted' -> <b>bold</b> & more",
}


def snapshot(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def content(dataset: Dataset) -> dict[str, tuple[str, str | None, bytes]]:
    """Id -> text, speaker, and the sound to 16 bits."""
    return {
        said.utterance_id: (
            said.text,
            said.speaker,
            np.rint(32767 * load_clip(said.path, None, 600, said.offset_s, said.length_s)[0]).astype("<i2").tobytes(),
        )
        for said in dataset.utterances
    }


def log(folder: Path) -> list[dict[str, str]]:
    with (folder / LOG_NAME).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("target", LAYOUTS)
@pytest.mark.parametrize("source", ["piper", "vctk", "nemo-spans", "kaldi-segments", "folder-lab"])
@pytest.mark.parametrize("audio", ["link", "copy"])
def test_each_layout_becomes_each_other(tmp_path: Path, source: str, target: str, audio: str) -> None:
    by_hand.LAYOUTS[source][0](tmp_path / "set")
    before = snapshot(tmp_path / "set")
    dataset = read_dataset(tmp_path / "set")
    exported = export_dataset(dataset, tmp_path / "out", target, audio=audio)  # type: ignore[arg-type]
    again = read_dataset(tmp_path / "out")
    assert (again.layout, exported.clips) == (target, len(by_hand.CLIPS))
    assert [found for found in again.findings if found.severity != "info"] == []
    expected = content(dataset)
    if not LAYOUTS[target].speakers:
        expected = {name: (text, None, sound) for name, (text, _, sound) in expected.items()}
    assert content(again) == expected
    assert read_dataset(tmp_path / "out", exported.metadata).utterances == again.utterances
    assert snapshot(tmp_path / "set") == before
    assert not [path for path in tmp_path.iterdir() if path.name not in ("set", "out")]
    links = [path for path in (tmp_path / "out").rglob("*") if path.is_symlink()]
    assert bool(links) == (audio == "link" and not dataset.utterances[0].is_span), "spans are cut, not linked"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nasty_texts_come_back_as_they_were(tmp_path: Path, layout: str) -> None:
    by_hand.piper(tmp_path / "set")
    for name in NASTY:
        by_hand.write_audio(tmp_path / f"set/wavs/{name}.wav", "a1")
    rows = [f"{name}|anna|A plain text.\n" for name in NASTY]
    metadata = tmp_path / "set/metadata.csv"
    metadata.write_text(metadata.read_text(encoding="utf-8") + "".join(rows), encoding="utf-8")
    dataset = read_dataset(tmp_path / "set")
    texts = {said.row: NASTY[said.utterance_id] for said in dataset.utterances if said.utterance_id in NASTY}
    export_dataset(dataset, tmp_path / "out", layout, texts=texts)
    read = {said.utterance_id: said.text for said in read_dataset(tmp_path / "out").utterances}
    made_one_line = {"lines": "One line and another and more", "pipes": "Either | or, and; also"}
    assert {name: read[name] for name in NASTY} == NASTY | made_one_line
    changed = {entry["utterance_id"]: entry for entry in log(tmp_path / "out") if entry["what"] == "text made one line"}
    assert changed.keys() == made_one_line.keys()
    if layout == "piper":
        with (tmp_path / "out/metadata.csv").open(newline="", encoding="utf-8") as file:
            csv.field_size_limit(1 << 20)
            piper = {row[0]: row[-1] for row in csv.reader(file, delimiter="|")}
        assert piper == read, "Piper's own reader reads the same"


def test_the_log_says_what_was_left_out_by_which_rule_and_value(tmp_path: Path) -> None:
    by_hand.piper(tmp_path / "set")
    metadata = tmp_path / "set/metadata.csv"
    metadata.write_text(metadata.read_text(encoding="utf-8") + "gone|anna|Nothing.\n", encoding="utf-8")
    dataset = read_dataset(tmp_path / "set")
    reasons = {1: [Reason("duration", 15.2, 15.0, "s", "Lasts 15.2 s."), Reason("noise", -31.0, -40.0, "dBFS")]}
    exported = export_dataset(dataset, tmp_path / "out", "ljspeech", texts={2: "=other words"}, left_out=reasons)
    assert (exported.clips, exported.left_out) == (2, 2)
    read = {said.utterance_id: said.text for said in read_dataset(tmp_path / "out").utterances}
    assert read == {"a2": "=other words", "b1": by_hand.CLIPS["b1"][1]}
    links, *told = log(tmp_path / "out")
    assert (links["what"], links["reason"]) == ("recordings linked", str(tmp_path / "set/wavs"))
    keys = ("utterance_id", "row", "what", "rule", "value", "threshold", "unit", "reason")
    assert tuple(told[0][key] for key in keys) == ("a1", "1", "left out", "duration", "15.2", "15.0", "s",
                                                   "Lasts 15.2 s.")  # fmt: skip
    assert (told[1]["rule"], told[1]["value"]) == ("noise", "-31.0")
    edit = next(entry for entry in told if entry["what"] == "text edited")
    assert (edit["text_before"], edit["text_after"]) == (by_hand.CLIPS["a2"][1], "'=other words")
    assert next(entry for entry in told if entry["utterance_id"] == "gone")["rule"] == "missing-audio"
    assert any(entry["what"].startswith("speakers dropped") for entry in told)


@pytest.mark.parametrize("layout", [code for code, layout in LAYOUTS.items() if layout.one_file])
def test_a_manifest_alone_serves_in_the_source(tmp_path: Path, layout: str) -> None:
    folder = tmp_path / "set"
    by_hand.piper(folder)
    dataset = read_dataset(folder)
    exported = export_dataset(dataset, tmp_path / "out", layout, audio="none")
    (folder / "metadata.csv").unlink()
    for path in (tmp_path / "out").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    again = read_dataset(folder)
    assert again.metadata == exported.metadata
    assert {said.utterance_id for said in again.usable} == by_hand.CLIPS.keys()


@pytest.mark.parametrize("layout", ["nemo", "kaldi"])
def test_a_manifest_alone_names_spans_where_the_layout_can(tmp_path: Path, layout: str) -> None:
    folder = tmp_path / "set"
    by_hand.nemo_spans(folder)
    dataset = read_dataset(folder)
    export_dataset(dataset, tmp_path / "out", layout, audio="none")
    (folder / "manifest.jsonl").unlink()
    for path in (tmp_path / "out").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    again = read_dataset(folder)
    assert again.layout == layout
    assert content(again) == content(dataset)
    with pytest.raises(DatasetError, match="can't name spans"):
        export_dataset(dataset, tmp_path / "columns", "ljspeech", audio="none")
    assert not (tmp_path / "columns").exists()


def test_what_can_not_be_exported_is_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    by_hand.ljspeech(tmp_path / "set")
    dataset = read_dataset(tmp_path / "set")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").touch()
    for target, layout, audio, sentence in (
        ("full", "ljspeech", "link", "holds something"),
        ("set/inside", "ljspeech", "link", "lies in the dataset itself"),
        ("out", "none", "link", "no layout"),
        ("out", "piper", "link", "names a speaker"),
        ("out", "vctk", "none", "without recordings"),
    ):
        with pytest.raises(DatasetError, match=sentence):
            export_dataset(dataset, tmp_path / target, layout, audio=audio)  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match="No clip is left"):
        export_dataset(dataset, tmp_path / "out", "ljspeech", left_out={row: Reason() for row in (1, 2, 3)})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "set"]


def test_ids_become_names_of_files_and_stay_apart(tmp_path: Path) -> None:
    names = ["anna/c1", "bert/c1", "a b:c", "a?b", "Ä" * 70, "con trol", "UPPER", "upper"]
    for name in names:
        by_hand.write_audio(tmp_path / f"set/wavs/{name}.wav", "a1")
    (tmp_path / "set/metadata.csv").write_text(
        "".join(f"{name}|Text of number {i}.\n" for i, name in enumerate(names)), encoding="utf-8"
    )
    dataset = read_dataset(tmp_path / "set")
    export_dataset(dataset, tmp_path / "out", "ljspeech", audio="copy")
    again = read_dataset(tmp_path / "out")
    assert [said.text for said in again.utterances] == [said.text for said in dataset.utterances]
    assert len(again.usable) == len(names)
    assert len({said.utterance_id.casefold() for said in again.utterances}) == len(names)


def test_real_clips(multispeaker: Path, tmp_path: Path) -> None:
    dataset = read_dataset(multispeaker)
    for layout in ("vctk", "kaldi", "audiofolder"):
        export_dataset(dataset, tmp_path / layout, layout)
        again = read_dataset(tmp_path / layout)
        assert {(u.utterance_id, u.speaker, u.text, u.path.resolve()) for u in again.utterances} == {
            (u.utterance_id, u.speaker, u.text, u.path.resolve()) for u in dataset.utterances
        }


def test_an_export_is_not_told_of_its_own_links_but_of_others(tmp_path: Path, kathleen: Path) -> None:
    by_hand.piper(tmp_path / "set")
    export_dataset(read_dataset(tmp_path / "set"), tmp_path / "out", "piper")
    assert [found.code for found in read_dataset(tmp_path / "out").findings] == []
    exported_again = export_dataset(read_dataset(tmp_path / "out"), tmp_path / "again", "vctk")
    assert [found.code for found in read_dataset(exported_again.folder).findings] == []
    foreign = next(said.path for said in read_dataset(kathleen).utterances)
    link = next(path for path in (tmp_path / "out/wavs").iterdir())
    link.unlink()
    link.symlink_to(foreign)
    (found,) = read_dataset(tmp_path / "out").findings
    assert (found.code, found.severity, found.clips) == ("path-escape", "info", 1)
    assert str(foreign.parent) in found.message


@pytest.mark.parametrize("kind", ["pipe", "folder", "link", "garbage"])
def test_a_log_that_is_none_is_passed_over(tmp_path: Path, kind: str) -> None:
    by_hand.ljspeech(tmp_path / "set")
    made = tmp_path / "set" / LOG_NAME
    if kind == "pipe":
        os.mkfifo(made)
    elif kind == "folder":
        made.mkdir()
    elif kind == "link":
        made.symlink_to("/dev/zero")
    else:
        made.write_bytes(b'"recordings linked\0' + bytes(range(256)) * 2000)
    assert [found for found in read_dataset(tmp_path / "set").findings if found.severity != "info"] == []
