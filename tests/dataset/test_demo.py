"""The demo dataset: spoken offline in seconds; with defects, exactly the planted ones are found."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from piper_core.dataset.demo import DEFECTS_FILE, demo_problem, write_demo
from piper_core.dataset.demo_sentences import SENTENCES
from piper_core.dataset.espeak_voice import EspeakUnavailable
from piper_core.dataset.inspection import inspect
from piper_core.dataset.layouts import read_dataset
from piper_core.dataset.text import encode


def test_the_demo_is_a_sound_ljspeech_dataset(demo_dataset: Path) -> None:
    report = inspect(demo_dataset)
    assert (report.layout, report.summary.utterances, report.summary.usable) == ("ljspeech", 12, 12)
    assert {finding.code for finding in report.findings} == {"dataset-size"}
    for row in report.utterances:
        assert (row.sample_rate, row.channels) == (22050, 1)
        assert row.duration_s is not None
        assert 1 < row.duration_s < 8
    assert not (demo_dataset / DEFECTS_FILE).exists()


def test_clips_differ_in_pitch_and_speed(demo_dataset: Path) -> None:
    pace = []
    for utterance in read_dataset(demo_dataset).utterances:
        samples, rate = soundfile.read(utterance.path)
        pace.append(len(utterance.text) / (samples.size / rate))
        assert 0.4 < np.abs(samples).max() < 0.6
    assert max(pace) > 1.1 * min(pace)


def test_sentences_are_many_different_and_full_of_phonemes() -> None:
    assert len(SENTENCES) == len(set(SENTENCES)) >= 80
    phonemes = {phoneme for sentence in SENTENCES for phoneme in encode(sentence, "en-us").phonemes}
    english = set("pbtdkɡfvθðszʃʒhmnŋlɹwj") | set("iɪeɛæɑɔoʊuʌəɚɜa") | set("ˈˌː.,?!")
    assert english - phonemes == set()


def test_hundreds_of_clips_repeat_no_sentence(tmp_path: Path) -> None:
    folder = write_demo(tmp_path / "demo", clips=len(SENTENCES) + 20)
    texts = [utterance.text for utterance in read_dataset(folder).utterances]
    assert len(set(texts)) == len(texts)


def test_planted_defects_are_found_and_no_others(tmp_path: Path) -> None:
    folder = write_demo(tmp_path / "demo", clips=20, defects=True)
    planted = {(p["code"], p["utterance_id"]) for p in json.loads((folder / DEFECTS_FILE).read_text())}
    assert len(planted) == 13
    report = inspect(folder)
    found = {(finding.code, finding.utterance_id) for finding in report.findings if finding.utterance_id}
    assert planted - found == set()
    spoiled = {utterance_id for _, utterance_id in planted}
    assert {utterance_id for _, utterance_id in found} == spoiled
    # Too loud follows from clipping, the shared text from the copied row: the same spoiled clips again.
    assert {code for code, _ in found - planted} <= {"loudness", "duplicate-text", "pitch"}


def test_progress_counts_every_clip(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_demo(tmp_path / "demo", clips=3, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(ValueError, match="already holds something"):
        write_demo(tmp_path)
    for clips, defects in ((0, False), (5, True)):
        with pytest.raises(ValueError, match="clips"):
            write_demo(tmp_path / "new", clips=clips, defects=defects)


def test_two_at_once_and_pipers_espeak_beside_them(tmp_path: Path) -> None:
    """Two copies of espeak-ng live in the process: neither may change what the other says."""
    before = encode("Hello there.", "en-us")
    threads = [threading.Thread(target=write_demo, args=(tmp_path / str(i), 6)) for i in range(2)]
    for thread in threads:
        thread.start()
    during = [encode("Hello there.", "en-us") for _ in range(50)]
    for thread in threads:
        thread.join()
    assert set(during) == {before}
    for i in range(2):
        assert inspect(tmp_path / str(i)).summary.usable == 6


def test_a_new_process_writes_the_same_bytes(tmp_path: Path, project_root: Path) -> None:
    program = "import sys, pathlib, piper_core.dataset.demo as demo; demo.write_demo(pathlib.Path(sys.argv[1]), 2)"
    for name in ("a", "b"):
        subprocess.run([sys.executable, "-c", program, tmp_path / name], cwd=project_root, check=True, timeout=60)
    for file in ("metadata.csv", "wavs/demo_0001.wav", "wavs/demo_0002.wav"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_without_the_loader_a_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(EspeakUnavailable, match="pip install espeakng-loader"):
        write_demo(tmp_path / "demo")
    assert not (tmp_path / "demo").exists()


def test_the_demo_is_possible_here() -> None:
    assert demo_problem() is None
