"""What Piper's trainer would make of a metadata file: quotes, missing files, blank rows, and its cache key."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from piper_core.dataset.layouts import read_dataset
from piper_core.dataset.piper_reading import CACHE_KEY_LENGTH, PiperReading, cache_key, read_as_piper, stale_features


def dataset(folder: Path, metadata: str | bytes, audio: str = "a.wav b.wav c.wav d.wav") -> Path:
    (folder / "wavs").mkdir(parents=True)
    for name in audio.split():
        (folder / "wavs" / name).write_bytes(b"RIFF")
    (folder / "metadata.csv").write_bytes(metadata.encode() if isinstance(metadata, str) else metadata)
    return folder


def outcomes(reading: PiperReading) -> list[tuple[int, str, str | None]]:
    return [(row.row, row.outcome, row.text) for row in reading.rows]


def test_plain_rows_are_kept(tmp_path: Path) -> None:
    reading = read_as_piper(read_dataset(dataset(tmp_path, "a|One.\nb.wav|Two.\n")))
    assert outcomes(reading) == [(1, "kept", "One."), (2, "kept", "Two.")]
    assert (reading.audio_dir, reading.stop, reading.refusal) == ("wavs", None, None)
    assert [row.cache_key for row in reading.rows] == ["1_One", "2_Two"], "a file name may not end with a dot"


def test_an_open_quote_swallows_the_rows_to_the_next(tmp_path: Path) -> None:
    reading = read_as_piper(read_dataset(dataset(tmp_path, 'a|"One.\nb|Two.\nc|Three" he said.\nd|Four.\n')))
    assert outcomes(reading) == [
        (1, "altered", "One.\nb|Two.\nc|Three he said."),
        (2, "dropped", None),
        (3, "dropped", None),
        (4, "kept", "Four."),
    ]
    assert reading.rows[3].cache_key == "2_Four", "the rows that were swallowed do not count"


def test_balanced_quotes_vanish(tmp_path: Path) -> None:
    reading = read_as_piper(read_dataset(dataset(tmp_path, 'a|"Stop" he said.\nb|He said "stop".\n')))
    assert outcomes(reading) == [(1, "altered", "Stop he said."), (2, "kept", 'He said "stop".')]


def test_only_wav_is_found_without_its_extension(tmp_path: Path) -> None:
    folder = dataset(tmp_path, "a|One.\nb|Two.\nc.flac|Three.\n", audio="a.wav b.flac c.flac")
    reading = read_as_piper(read_dataset(folder))
    assert [row.outcome for row in reading.rows] == ["kept", "dropped", "kept"]
    assert "wavs/b.flac is found here" in reading.rows[1].reason


def test_another_audio_dir(tmp_path: Path) -> None:
    folder = dataset(tmp_path, "a|One.\n")
    assert read_as_piper(read_dataset(folder), audio_dir=".").counts["dropped"] == 1


def test_what_ends_the_trainer(tmp_path: Path) -> None:
    reading = read_as_piper(read_dataset(dataset(tmp_path / "blank", "a|One.\n\nb|Two.\n")))
    assert [row.outcome for row in reading.rows] == ["kept", "stops", "kept"]
    assert reading.stop is not None
    assert reading.stop.row == 2
    long = dataset(tmp_path / "long", f"a|One.\nb|{'x' * 140_000}\nc|Three.\n")
    reading = read_as_piper(read_dataset(long))
    assert [row.outcome for row in reading.rows] == ["kept", "stops"], "csv.reader never gets to the third row"
    assert "field larger than field limit" in reading.rows[1].reason
    reading = read_as_piper(read_dataset(dataset(tmp_path / "bad", "a|One.\nb|Two.\n")), unreadable={"wavs/b.wav"})
    assert [row.outcome for row in reading.rows] == ["kept", "stops"]


def test_several_speakers(tmp_path: Path) -> None:
    folder = dataset(tmp_path, "a|anna|One.\nb|ben|Two.\nc|anna|Three.\nd|Four.\n")
    reading = read_as_piper(read_dataset(folder))
    assert reading.multispeaker
    assert [row.cache_key for row in reading.rows] == ["1_0_One", "2_1_Two", "3_0_Three", None]
    assert [row.outcome for row in reading.rows] == ["kept", "kept", "kept", "stops"]


def test_a_byte_order_mark_costs_the_first_row(tmp_path: Path) -> None:
    reading = read_as_piper(read_dataset(dataset(tmp_path, "\ufeffa|One.\nb|Two.\n")))
    assert [row.outcome for row in reading.rows] == ["dropped", "kept"]
    assert "byte-order mark" in reading.rows[0].reason


def test_utf16_can_not_be_read_at_all(tmp_path: Path) -> None:
    reading = read_as_piper(read_dataset(dataset(tmp_path, "a|One.\nb|Two.\n".encode("utf-16"))))
    assert reading.rows == ()
    assert reading.refusal is not None
    assert "UTF-8" in reading.refusal
    assert "UTF-8" in reading.summary_text()


def test_the_key_is_cut_so_that_late_edits_are_missed(tmp_path: Path) -> None:
    start = "A text that is long enough to be cut in the key of Piper"
    assert cache_key(1, start) == cache_key(1, f"{start}, and goes on")
    assert len(cache_key(12, start, 3)) == CACHE_KEY_LENGTH
    assert cache_key(1, 'What? "No"/yes') == "1_What No" + "yes"


def test_features_that_would_be_reused_wrongly(tmp_path: Path) -> None:
    start = "A text that is long enough to be cut in the key of Piper"
    folder = dataset(tmp_path / "set", f"a|{start}, edited.\nb|Two.\nc|Three.\n")
    read = read_dataset(folder)
    reading = read_as_piper(read)
    cache = tmp_path / "cache"
    cache.mkdir()
    for row, text in zip(reading.rows, (f"{start}.", "Two.", "Three."), strict=True):
        (cache / f"{row.cache_key}.txt").write_text(text)
        (cache / f"{row.cache_key}.audio.pt").touch()
        os.utime(cache / f"{row.cache_key}.audio.pt", (2e9, 2e9))
    os.utime(folder / "wavs/b.wav", (2e9 + 60, 2e9 + 60))
    stale = stale_features(reading, cache, {utterance.row: utterance.path for utterance in read.utterances})
    assert [(s.row, s.reason.split()[1]) for s in stale] == [(1, "text"), (2, "audio")]


def test_real_speech_in_flac_is_dropped_as_a_whole(kathleen: Path) -> None:
    """The 500 ids stand without an extension, and the files are FLAC: Piper's trainer finds none of them."""
    reading = read_as_piper(read_dataset(kathleen))
    assert reading.counts == {"kept": 0, "altered": 0, "dropped": 500, "stops": 0}


@pytest.mark.parametrize("hostile", ["../../etc/passwd|One.\n", "\0|One.\n", "|One.\n", f"{'x' * 5000}|One.\n"])
def test_hostile_ids_are_rows_like_others(tmp_path: Path, hostile: str) -> None:
    reading = read_as_piper(read_dataset(dataset(tmp_path, f"a|One.\nb|Two.\n{hostile}")))
    assert [row.outcome for row in reading.rows[:2]] == ["kept", "kept"]
    assert reading.rows[2].outcome in ("dropped", "stops")
