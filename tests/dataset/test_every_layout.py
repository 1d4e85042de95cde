"""The same clips in every layout and encoding are the same utterances; what had to be recognised is said."""

from __future__ import annotations

import json
import random
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from piper_core.dataset.audio import load_clip
from piper_core.dataset.decisions import Reason
from piper_core.dataset.layouts import LAYOUTS, Dataset, DatasetError, read_dataset
from piper_core.dataset.manifest import write_cleaned_manifest
from tests.dataset import layouts_by_hand as by_hand
from tests.dataset.layouts_by_hand import CLIPS

ENCODINGS = {
    "utf-8": "",
    "utf-8-sig": "UTF-8 with a byte-order mark",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "latin-1": "Latin-1",
}
_INFERRED = ("utf-16-le", "utf-16-be", "latin-1")


def said(dataset: Dataset) -> list[tuple[str, str]]:
    """Codes and severities, what is only good to know of recordings aside."""
    return [(found.code, found.severity) for found in dataset.findings if found.code != "orphan-audio"]


def same(dataset: Dataset, speakers: bool) -> None:
    """Asserts that `dataset` holds CLIPS."""
    utterances = {utterance.utterance_id: utterance for utterance in dataset.utterances}
    assert utterances.keys() == CLIPS.keys()
    assert len({utterance.row for utterance in dataset.utterances}) == len(CLIPS)
    for name, (speaker, text) in CLIPS.items():
        utterance = utterances[name]
        assert (utterance.text, utterance.speaker) == (text, speaker if speakers else None)
        audio, rate = load_clip(utterance.path, offset_s=utterance.offset_s, length_s=utterance.length_s)
        assert rate == by_hand.RATE
        np.testing.assert_allclose(audio, by_hand.sound(name), atol=1e-4)
    assert len(dataset.usable) == len(CLIPS)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("layout", by_hand.LAYOUTS)
def test_the_same_clips_are_the_same_utterances(tmp_path: Path, layout: str, encoding: str) -> None:
    write, code = by_hand.LAYOUTS[layout]
    write(tmp_path / "set", encoding)
    dataset = read_dataset(tmp_path / "set")
    assert dataset.layout == code
    same(dataset, LAYOUTS[code].speakers)
    formats = [found for found in dataset.findings if found.code == "metadata-format"]
    about_it = [found for found in formats if ENCODINGS[encoding] and ENCODINGS[encoding] in found.message]
    if encoding == "utf-8" or (layout in ("nemo-spans", "audiofolder-splits") and encoding == "latin-1"):
        assert about_it == [], "nothing had to be recognised (JSON may be ASCII throughout)"
    else:
        assert about_it
        expected = "warning" if encoding in _INFERRED and not layout.startswith(("vctk", "folder")) else None
        assert expected is None or {found.severity for found in about_it} == {expected}
    again = read_dataset(tmp_path / "set", dataset.metadata)
    assert again.utterances == dataset.utterances, "what the report calls the metadata reads the same"


@pytest.mark.parametrize("layout", by_hand.LAYOUTS)
def test_a_cleaned_manifest_is_made_of_every_layout(tmp_path: Path, layout: str) -> None:
    by_hand.LAYOUTS[layout][0](tmp_path)
    dataset = read_dataset(tmp_path)
    gone = {said.row: Reason() for said in dataset.utterances if said.utterance_id == "a1"}
    cleaned = read_dataset(tmp_path, write_cleaned_manifest(dataset, left_out=gone).metadata)

    def told(read: Dataset) -> list[tuple[object, ...]]:
        return [
            (u.utterance_id, u.path, u.text, u.speaker, u.written_text, u.offset_s, u.length_s)
            for u in read.utterances
            if u.utterance_id != "a1"
        ]

    assert told(cleaned) == told(dataset)
    assert "a1" not in {u.utterance_id for u in cleaned.utterances}
    assert read_dataset(tmp_path).utterances == dataset.utterances, "it is read only when it is asked for"


@pytest.mark.parametrize(("delimiter", "word"), [(";", "semicolons"), (",", "commas"), ("\t", "tabs")])
@pytest.mark.parametrize("header", ["", "file_name{0}text\n", "id{0}text\n"])
def test_delimiters_and_headers_are_recognised_and_said(tmp_path: Path, delimiter: str, word: str, header: str) -> None:
    by_hand.ljspeech(tmp_path, delimiter=delimiter)
    metadata = tmp_path / "metadata.csv"
    metadata.write_text(header.format(delimiter) + metadata.read_text())
    dataset = read_dataset(tmp_path)
    same(dataset, speakers=False)
    if dataset.layout != "audiofolder":
        assert [found.message for found in dataset.findings if word in found.message]
    assert any(code == "columns" for code, _ in said(dataset)) == bool(header and dataset.layout != "audiofolder")


def test_a_header_gives_the_columns_their_meaning_in_any_order(tmp_path: Path) -> None:
    by_hand.write_audio(tmp_path / "clips/a1.wav", "a1")
    rows = "client_id\tpath\tsentence\tup_votes\nanna\ta1.wav\tHello there.\t3\n"
    (tmp_path / "validated.tsv").write_text(rows)
    dataset = read_dataset(tmp_path)
    assert [(u.utterance_id, u.speaker, u.text) for u in dataset.utterances] == [("a1", "anna", "Hello there.")]
    assert len(dataset.usable) == 1


@pytest.mark.parametrize(("on_disk", "in_row"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_names_in_another_unicode_form_are_matched_and_said(tmp_path: Path, on_disk: str, in_row: str) -> None:
    file, row = (unicodedata.normalize(form, "grüß_é") for form in (on_disk, in_row))
    by_hand.write_audio(tmp_path / f"wavs/{file}.wav", "a1")
    (tmp_path / "metadata.csv").write_text(f"{row}|Hello.\n", encoding="utf-8")
    dataset = read_dataset(tmp_path)
    assert dataset.utterances[0].path == tmp_path / f"wavs/{file}.wav"
    assert said(dataset) == [("metadata-format", "info")]


def test_small_letters_are_bridged_where_only_one_file_can_be_meant(tmp_path: Path) -> None:
    for name in ("One.WAV", "Two.wav", "two.WAV"):
        by_hand.write_audio(tmp_path / f"wavs/{name}", "a1")
    (tmp_path / "metadata.csv").write_text("one|Hello.\nTWO|Bye.\n")
    dataset = read_dataset(tmp_path)
    assert dataset.utterances[0].path.name == "One.WAV"
    assert [found.utterance_id for found in dataset.findings if found.code == "missing-audio"] == ["TWO"]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Привет, как дела?", "cp1251"),
        ("Łódź jest pięknym miastem, żółty.", "cp1250"),
        ("你好，世界。", "gbk"),
        ("Καλημέρα κόσμε", "cp1253"),
        ("Schöne Grüße, Süße", "mac-roman"),
    ],
)
def test_an_encoding_that_can_not_be_told_is_refused(tmp_path: Path, text: str, encoding: str) -> None:
    (tmp_path / "metadata.csv").write_bytes(f"a|{text}\n".encode(encoding))
    with pytest.raises(DatasetError, match=r"not UTF-8 \(line 1\).*save it as UTF-8"):
        read_dataset(tmp_path)


def test_a_damaged_line_is_left_out_and_the_rest_is_read(tmp_path: Path) -> None:
    by_hand.piper(tmp_path)
    metadata = tmp_path / "metadata.csv"
    metadata.write_bytes(metadata.read_bytes() + b"x|anna|Bro\xffken.\n")
    dataset = read_dataset(tmp_path)
    same(dataset, speakers=True)
    assert ("metadata-format", "error") in said(dataset)


def test_kaldis_commands_and_archives_are_never_run(tmp_path: Path) -> None:
    by_hand.kaldi(tmp_path)
    ran = tmp_path / "ran"
    scp = f"a1 touch {ran} |\na2 feats/raw.ark:42\nb1 wavs/b1.wav\n"
    (tmp_path / "wav.scp").write_text(scp)
    dataset = read_dataset(tmp_path)
    assert [utterance.utterance_id for utterance in dataset.utterances] == ["b1"]
    assert [(f.code, f.utterance_id) for f in dataset.findings if f.severity == "error"] == [
        ("unreadable", "a1"),
        ("unreadable", "a2"),
    ]
    assert not ran.exists()


@pytest.mark.parametrize("name", ["/elsewhere/data/wavs/a1.wav", "C:/data/wavs/a1.wav", "exp/data/wavs/a1.wav"])
def test_a_manifest_from_another_machine_finds_its_clips_inside(tmp_path: Path, name: str) -> None:
    by_hand.nemo(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"audio_filepath": name, "text": "Hello."}) + "\n")
    dataset = read_dataset(tmp_path)
    assert dataset.utterances[0].path == tmp_path / "wavs/a1.wav"
    assert said(dataset) == [("path-escape", "warning")]


def test_absolute_paths_beneath_the_folder_are_read_and_others_never_opened(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    by_hand.nemo(folder)
    by_hand.write_audio(tmp_path / "secret.wav", "a1")
    rows = [
        {"audio_filepath": str(folder / "wavs/a1.wav"), "text": "Inside."},
        {"audio_filepath": str(tmp_path / "secret.wav"), "text": "Outside."},
        {"audio_filepath": "../secret.wav", "text": "Outside."},
    ]
    (folder / "manifest.json").write_text("\n".join(map(json.dumps, rows)))
    dataset = read_dataset(folder)
    assert [utterance.text for utterance in dataset.utterances] == ["Inside."]
    assert [(f.code, f.row) for f in dataset.findings if f.severity == "error"] == [
        ("path-escape", 2),
        ("path-escape", 3),
    ]


def test_a_text_that_is_a_link_out_of_the_folder_is_not_shown(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    by_hand.text_beside(folder)
    (tmp_path / "secret").write_text("A secret.")
    (folder / "anna/a1.txt").unlink()
    (folder / "anna/a1.txt").symlink_to(tmp_path / "secret")
    dataset = read_dataset(folder)
    assert "A secret." not in {utterance.text for utterance in dataset.utterances}
    assert ("path-escape", "error") in said(dataset)


def test_links_to_audio_are_read_and_said_once(tmp_path: Path) -> None:
    by_hand.write_audio(tmp_path / "elsewhere/a.wav", "a1")
    folder = tmp_path / "set"
    (folder / "wavs").mkdir(parents=True)
    for name in ("a", "b"):
        (folder / f"wavs/{name}.wav").symlink_to(tmp_path / "elsewhere/a.wav")
    (folder / "metadata.csv").write_text("a|One.\nb|Two.\n")
    dataset = read_dataset(folder)
    assert [(f.code, f.severity, f.clips) for f in dataset.findings] == [("path-escape", "info", 2)]
    assert len(dataset.usable) == 2


HOSTILE_LINES = {
    "deep": "[" * 100_000,
    "deep object": '{"audio_filepath": ' * 5000,
    "infinite": '{"audio_filepath": "wavs/a1.wav", "offset": 1e999, "text": "x"}',
    "not a number": '{"audio_filepath": "wavs/a1.wav", "offset": NaN, "duration": 1, "text": "x"}',
    "digits": '{"audio_filepath": "wavs/a1.wav", "duration": ' + "9" * 10_000 + "}",
    "negative": '{"audio_filepath": "wavs/a1.wav", "offset": -1, "duration": 1, "text": "x"}',
    "twice": '{"audio_filepath": "wavs/a1.wav", "text": "x", "text": "y"}',
    "no path": '{"audio_filepath": 3, "text": "x"}',
    "no text": '{"audio_filepath": "wavs/a1.wav", "text": ["x"]}',
    "half a character": '{"audio_filepath": "wavs/a1.wav", "text": "\\ud800"}',
    "zero": '{"audio_filepath": "wavs/a1.wav", "text": "a\\u0000b"}',
    "list": "[1, 2]",
    "empty": "{}",
    "long": '{"audio_filepath": "wavs/a1.wav", "text": "' + "x" * 1_200_000 + '"}',
}


@pytest.mark.parametrize("line", HOSTILE_LINES)
def test_a_hostile_line_of_json_is_a_finding(tmp_path: Path, line: str) -> None:
    by_hand.nemo(tmp_path)
    manifest = tmp_path / "manifest.json"
    manifest.write_text(manifest.read_text() + HOSTILE_LINES[line] + "\n")
    dataset = read_dataset(tmp_path)
    assert [u.utterance_id for u in dataset.usable] == list(CLIPS)
    assert [f.row for f in dataset.findings if f.severity == "error"] == [4]
    json.dumps([f.to_dict() for f in dataset.findings], ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"\0" * 10_000,
        b"|" * 3_000_000,
        b"," * 500_000 + b"\n",
        b"a|" + b"x" * 2_000_000,
        b'"' * 100_001,
        b'file_name,text\nwavs/a1.wav,"never closed\n' + b"x,y\n" * 5000,
        b"a" * 100_000 + b"|hello\n",
        b"\xff\xfe\x00",
        b"\xff\xfe" + b"\x00\xd8" * 10,
        b"a\0b|c\0d\n" * 100,
        random.Random(1).randbytes(100_000),
        b"\n" * 2_500_000,
    ],
    ids=lambda content: repr(content[:12]),
)
def test_hostile_metadata_is_findings_or_a_sentence(tmp_path: Path, content: bytes) -> None:
    by_hand.write_audio(tmp_path / "wavs/a1.wav", "a1")
    (tmp_path / "metadata.csv").write_bytes(content)
    told: list[str] = []
    try:
        told += [found.message for found in read_dataset(tmp_path).findings]
    except DatasetError as error:
        told.append(str(error))
    assert told
    assert max(map(len, told)) < 2000
    assert "\n" not in "".join(told)


def test_giant_metadata_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "metadata.csv").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(DatasetError, match="Split the dataset"):
        read_dataset(tmp_path)


def test_linked_folders_that_lead_in_a_circle_end(tmp_path: Path) -> None:
    by_hand.text_beside(tmp_path)
    (tmp_path / "anna/again").symlink_to(tmp_path)
    same(read_dataset(tmp_path), speakers=True)


def test_two_kinds_of_metadata_are_said(tmp_path: Path) -> None:
    by_hand.ljspeech(tmp_path)
    by_hand.kaldi(tmp_path)
    dataset = read_dataset(tmp_path)
    assert dataset.layout == "ljspeech"
    assert [f.message for f in dataset.findings if "Metadata is also in text" in f.message]
    assert read_dataset(tmp_path, "text").layout == "kaldi"
