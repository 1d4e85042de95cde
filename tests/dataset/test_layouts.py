"""Which text belongs to which audio file, in every way that people write it down."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from piper_core.dataset.layouts import Dataset, DatasetError, read_dataset


def make(folder: Path, metadata: str | bytes, *audio: str, name: str = "metadata.csv") -> Path:
    """A dataset of empty audio files: reading its layout opens none of them."""
    for file in audio:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    folder.mkdir(exist_ok=True)
    data = metadata if isinstance(metadata, bytes) else metadata.encode()
    (folder / name).write_bytes(data)
    return folder


def codes(dataset: Dataset) -> list[tuple[str, str | None]]:
    return [(finding.code, finding.utterance_id) for finding in dataset.findings]


def test_ljspeech_with_two_columns(tmp_path: Path) -> None:
    dataset = read_dataset(make(tmp_path, "a|Hello there.\nb|Good night.\n", "wavs/a.wav", "wavs/b.flac"))
    assert dataset.layout == "ljspeech"
    assert [(u.utterance_id, u.text, u.speaker, u.row) for u in dataset.utterances] == [
        ("a", "Hello there.", None, 1),
        ("b", "Good night.", None, 2),
    ]
    assert [u.path for u in dataset.utterances] == [tmp_path / "wavs/a.wav", tmp_path / "wavs/b.flac"]
    assert dataset.findings == ()


def test_ljspeech_trains_on_the_normalised_last_column(tmp_path: Path) -> None:
    rows = "a|Dr. Smith has 3 cats.|Doctor Smith has three cats.\nb|It works.|It works.\n"
    dataset = read_dataset(make(tmp_path, rows, "wavs/a.wav", "wavs/b.wav"))
    assert dataset.layout == "ljspeech-normalised"
    first = dataset.utterances[0]
    assert (first.text, first.written_text) == ("Doctor Smith has three cats.", "Dr. Smith has 3 cats.")
    assert dataset.speakers == ()


def test_three_columns_are_speakers_where_the_second_is_few_and_short(tmp_path: Path) -> None:
    rows = "".join(f"c{i}|{'anna' if i % 2 else 'bert'}|This is sentence {i}.\n" for i in range(10))
    dataset = read_dataset(make(tmp_path, rows, *(f"wavs/c{i}.wav" for i in range(10))))
    assert dataset.layout == "piper"
    assert dataset.speakers == ("bert", "anna")
    assert dataset.utterances[1].speaker == "anna"


@pytest.mark.parametrize(
    ("rows", "layout"),
    [
        ("a|yes|yes\nb|no|no\n", "ljspeech-normalised"),
        ("a|anna|Yes.\nb|anna|No.\n", "piper"),
        ("a|p225|Hello you.\n", "piper"),
        ("a|It is 5 o'clock now, is it?|It is five o'clock now, is it?\n", "ljspeech-normalised"),
    ],
)
def test_three_columns_of_few_rows(tmp_path: Path, rows: str, layout: str) -> None:
    assert read_dataset(make(tmp_path, rows)).layout == layout


def test_real_speakers(multispeaker: Path, kathleen: Path) -> None:
    dataset = read_dataset(multispeaker)
    assert (dataset.layout, dataset.speakers, len(dataset.utterances)) == ("piper", ("kathleen", "ljspeech"), 36)
    dataset = read_dataset(kathleen)
    assert (dataset.layout, len(dataset.utterances), dataset.findings) == ("ljspeech", 500, ())


@pytest.mark.parametrize("name", ["a", "a.wav", "wavs/a.wav", "./wavs/a", "wavs/../wavs/a.wav", "wavs\\a.wav"])
def test_ids_with_and_without_folder_and_extension(tmp_path: Path, name: str) -> None:
    dataset = read_dataset(make(tmp_path, f"{name}|Hello.\n", "wavs/a.wav"))
    assert dataset.utterances[0].path.samefile(tmp_path / "wavs/a.wav")
    assert dataset.findings == ()


@pytest.mark.parametrize("file", ["wavs/a.wav", "wav/a.wav", "a.wav", "wavs/a.WAV", "wavs/a.mp3", "a.ogg"])
def test_audio_in_wavs_wav_or_beside_the_metadata(tmp_path: Path, file: str) -> None:
    assert read_dataset(make(tmp_path, "a|Hello.\n", file)).utterances[0].path == tmp_path / file


def test_ids_with_dots_and_subfolders(tmp_path: Path) -> None:
    dataset = read_dataset(make(tmp_path, "v1.2|One.\nanna/c1|Two.\n", "wavs/v1.2.wav", "wavs/anna/c1.wav"))
    assert [u.utterance_id for u in dataset.utterances] == ["v1.2", "anna/c1"]
    assert dataset.findings == ()


def test_clips_that_differ_in_their_extension_keep_it(tmp_path: Path) -> None:
    dataset = read_dataset(make(tmp_path, "a.wav|One.\na.flac|Two.\n", "wavs/a.wav", "wavs/a.flac"))
    assert [(u.utterance_id, u.path.name) for u in dataset.utterances] == [("a", "a.wav"), ("a.flac", "a.flac")]
    assert dataset.findings == ()


def test_byte_order_mark_windows_lines_and_blank_rows(tmp_path: Path) -> None:
    """A blank row stops Piper's trainer late (rhasspy/piper#516)."""
    metadata = "\ufeffa|Hello.\r\n\r\n   \r\nb|Bye.\r\n".encode()
    dataset = read_dataset(make(tmp_path, metadata, "wavs/a.wav", "wavs/b.wav"))
    assert [(u.utterance_id, u.text, u.row) for u in dataset.utterances] == [("a", "Hello.", 1), ("b", "Bye.", 4)]
    assert [(f.code, f.severity) for f in dataset.findings] == [("metadata-format", "info")], "the mark is said"


def test_a_row_with_another_number_of_columns_is_left_out_and_said(tmp_path: Path) -> None:
    rows = "a|One.\nb\nc|Three|too many.\nd|Four.\n|Five.\n"
    dataset = read_dataset(make(tmp_path, rows, "wavs/a.wav", "wavs/d.wav"))
    assert [u.utterance_id for u in dataset.utterances] == ["a", "d"]
    assert codes(dataset) == [("columns", "b"), ("columns", "c"), ("columns", None)]
    assert [(f.value, f.threshold, f.severity, f.row) for f in dataset.findings[:2]] == [
        (1, 2, "error", 2),
        (3, 2, "error", 3),
    ]


def test_a_row_of_column_names_is_passed_over(tmp_path: Path) -> None:
    dataset = read_dataset(make(tmp_path, "file_name|text\na|Hello.\n", "wavs/a.wav"))
    assert [u.utterance_id for u in dataset.utterances] == ["a"]
    assert [(f.code, f.severity) for f in dataset.findings] == [("columns", "info")]


def test_an_unclosed_quote_swallows_no_rows_here(tmp_path: Path) -> None:
    metadata = 'a|"Hello there.\nb|Good night.\nc|Bye.\n'
    folder = make(tmp_path, metadata, "wavs/a.wav", "wavs/b.wav", "wavs/c.wav")
    with (folder / "metadata.csv").open(newline="") as file:
        assert len(list(csv.reader(file, delimiter="|"))) == 1, "Piper's reader does swallow them"
    dataset = read_dataset(folder)
    assert [u.text for u in dataset.utterances] == ['"Hello there.', "Good night.", "Bye."]
    assert codes(dataset) == [("quote", "a")]
    assert dataset.findings[0].severity == "warning"


def test_quotes_that_are_csv_are_taken_off(tmp_path: Path) -> None:
    metadata = 'a|"Say ""hi"" | now."\nb|"Hi," she said.\nc|He said "hi".\n'
    dataset = read_dataset(make(tmp_path, metadata, "wavs/a.wav", "wavs/b.wav", "wavs/c.wav"))
    assert [u.text for u in dataset.utterances] == ['Say "hi" | now.', '"Hi," she said.', 'He said "hi".']
    assert [(f.code, f.utterance_id, f.severity) for f in dataset.findings] == [
        ("quote", "a", "info"),
        ("quote", "b", "info"),
    ]


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "wavs/../../secret.wav", "..\\secret", "C:/secret", "a\0b"]
)
def test_rows_that_lead_outside_are_never_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.wav").touch()
    dataset = read_dataset(make(tmp_path / "set", f"{name}|Hello.\nok|Fine.\n", "wavs/ok.wav"))
    assert [u.utterance_id for u in dataset.utterances] == ["ok"]
    assert [(f.code, f.severity) for f in dataset.findings] == [("path-escape", "error")]


def test_linked_audio_is_no_escape(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/a.wav").touch()
    folder = make(tmp_path / "set", "a|Hello.\n")
    (folder / "wavs").symlink_to(tmp_path / "elsewhere")
    dataset = read_dataset(folder)
    assert [(f.code, f.severity) for f in dataset.findings] == [("path-escape", "info")], "it is said, once"
    assert len(dataset.usable) == 1
    assert dataset.utterances[0].path == folder / "wavs/a.wav"


def test_missing_and_orphan_audio(tmp_path: Path) -> None:
    dataset = read_dataset(make(tmp_path, "a|One.\nb.wav|Two.\n", "wavs/a.wav", "wavs/stray.wav"))
    assert [(f.code, f.utterance_id, f.path) for f in dataset.findings] == [
        ("missing-audio", "b", "wavs/b.wav"),
        ("orphan-audio", None, "wavs/stray.wav"),
    ]
    assert [u.utterance_id for u in dataset.usable] == ["a"]


def test_two_rows_for_one_clip(tmp_path: Path) -> None:
    rows = "a|One.\na.wav|Another.\nb|Two.\nwavs/b|Two.\n"
    dataset = read_dataset(make(tmp_path, rows, "wavs/a.wav", "wavs/b.wav"))
    assert [(f.code, f.row) for f in dataset.findings] == [
        ("duplicate-id", 1),
        ("duplicate-id", 2),
        ("duplicate-id", 4),
    ]
    assert [u.row for u in dataset.usable] == [3], "with different texts neither row is right for certain"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nowhere", "There is no folder"),
        ("file.txt", "is a file"),
        ("empty", "is empty"),
        ("audio-only", "has no metadata.csv"),
        ("blank", "has no rows"),
        ("either", "semicolons or by commas"),
        ("one-column", "have one column"),
        ("many", "4 columns"),
        ("several", "several metadata files"),
        ("binary", "not UTF-8"),
    ],
)
def test_what_is_no_dataset_is_refused_in_a_sentence(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "file.txt").touch()
    (tmp_path / "empty").mkdir()
    make(tmp_path / "audio-only", "", "wavs/a.wav", name="README")
    make(tmp_path / "blank", "\n\n")
    make(tmp_path / "either", "a;1,Hello.\nb;2,Bye.\n")
    make(tmp_path / "one-column", "Hello.\nBye.\n")
    make(tmp_path / "many", "a|b|c|d\n")
    make(make(tmp_path / "several", "a|b\n", name="train.csv"), "a|b\n", name="val.csv")
    make(tmp_path / "binary", b"RIFF\xff\xff\xff\xff")
    with pytest.raises(DatasetError, match=sentence) as refused:
        read_dataset(tmp_path / name)
    assert "\n" not in str(refused.value)


def test_another_metadata_file_is_found_alone_or_by_name(tmp_path: Path) -> None:
    folder = make(tmp_path, "a|Hello.\n", "wavs/a.wav", name="transcripts.csv")
    assert read_dataset(folder).metadata_path.name == "transcripts.csv"
    make(folder, "a|Other.\n", name="metadata.cleaned.csv")
    assert read_dataset(folder).utterances[0].text == "Hello.", "a cleaned manifest is read only when asked for"
    assert read_dataset(folder, "metadata.cleaned.csv").utterances[0].text == "Other."
    for outside in ("../x.csv", "/etc/passwd"):
        with pytest.raises(DatasetError, match="outside the dataset"):
            read_dataset(folder, outside)
    with pytest.raises(DatasetError, match=r"no none\.csv"):
        read_dataset(folder, "none.csv")


def test_strange_ids_do_not_stop_the_reading(tmp_path: Path) -> None:
    rows = f"{'x' * 5000}/y|Long.\n💥|Boom.\nwavs|Folder.\n.|Dot.\n"
    dataset = read_dataset(make(tmp_path, rows, "wavs/a.wav"))
    assert {finding.code for finding in dataset.findings} == {"missing-audio", "orphan-audio", "path-escape"}


def test_a_hundred_thousand_rows_are_read_without_a_look_at_each_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    rows = "".join(f"c{i:06d}|Sentence number {i}.\n" for i in range(100_000))
    folder = make(tmp_path, rows, "wavs/c000000.wav")
    listed = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or scandir(path))
    dataset = read_dataset(folder)
    assert len(dataset.utterances) == 100_000
    assert sum(f.code == "missing-audio" for f in dataset.findings) == 99_999
    assert len(listed) <= 6
