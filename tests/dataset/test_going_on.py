"""An inspection that is stopped, by Ctrl-C or by a kill, has kept what it measured; the next one goes on from it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import soundfile

from piper_core.dataset import batches, inspection, workers
from piper_core.dataset.audio import Unreadable
from piper_core.dataset.inspection import InspectionProgress, PartialInspection, inspect
from piper_core.dataset.kept_measurements import KeptMeasurements, SpokenText
from piper_core.dataset.report import DatasetReport
from tests.dataset.test_inspection import babble, spoken


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were decoded: by threads, whose calls can be seen from here."""
    names: list[str] = []
    real, both = batches.measure, batches.measure_with_pitch
    monkeypatch.setattr(inspection, "processes", workers.threads)
    monkeypatch.setattr(batches, "measure", lambda path, *span: names.append(path.name) or real(path, *span))
    monkeypatch.setattr(batches, "measure_with_pitch", lambda path, *span: names.append(path.name) or both(path, *span))
    return names


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Texts that were turned into phonemes."""
    texts: list[str] = []
    real = batches.text.encode
    monkeypatch.setattr(inspection, "processes", workers.threads)
    monkeypatch.setattr(batches.text, "encode", lambda said, language: texts.append(said) or real(said, language))
    return texts


def stopped(folder: Path, workspace: Path, sign: signal.Signals) -> subprocess.CompletedProcess[str]:
    """`inspect` in a process of its own, that gets `sign` when it has measured some clips."""
    process = subprocess.Popen(
        [sys.executable, "-m", "piper_core", "inspect", str(folder), "--jobs", "1"],
        env=os.environ | {"WORKSPACE_DIR": str(workspace)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while process.poll() is None and kept_clips(workspace / "cache/inspection") == 0:
        time.sleep(0.02)
    process.send_signal(sign)
    out, said = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, said)


def kept_clips(cache: Path) -> int:
    """How many there are by now, as another process sees it."""
    for file in cache.glob("*.sqlite"):
        with contextlib.closing(sqlite3.connect(file)) as database, contextlib.suppress(sqlite3.OperationalError):
            return int(database.execute("SELECT count(*) FROM clips").fetchone()[0])
    return 0


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_inspection_goes_on(
    kathleen: Path, tmp_path: Path, measured: list[str], encoded: list[str], sign: signal.Signals
) -> None:
    ended = stopped(kathleen, tmp_path, sign)
    assert "Traceback" not in ended.stderr
    if sign == signal.SIGINT:
        assert ended.returncode == 130
        assert "goes on from here" in ended.stderr
    else:
        assert ended.returncode == -signal.SIGKILL
    report = inspect(kathleen, cache_dir=tmp_path / "cache/inspection")
    assert 0 < len(measured) < 500, "some were measured before, the others now"
    assert encoded == [], "the texts come first"
    assert report == inspect(kathleen)


def test_stopping_by_progress_keeps_all_that_was_told(tmp_path: Path, measured: list[str]) -> None:
    folder = spoken(tmp_path / "set", {f"c{i:02d}": babble(i) for i in range(40)})
    told = 0

    def stop(progress: InspectionProgress) -> None:
        nonlocal told
        if progress.stage == "signal" and progress.done > 10:
            told = progress.done
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inspect(folder, cache_dir=tmp_path / "cache", on_progress=stop, jobs=1)
    before = len(measured)
    assert 10 < told <= before <= 40
    seen: list[InspectionProgress] = []
    report = inspect(folder, cache_dir=tmp_path / "cache", on_progress=seen.append)
    assert len(measured) == 40, "none twice"
    assert report == inspect(folder)
    assert seen[-1].done == seen[-1].total == 40


def test_cold_warm_and_without_cache_are_equal(awkward: Path, tmp_path: Path, encoded: list[str]) -> None:
    files = sorted(path for path in awkward.rglob("*") if path.is_file() and path.name != "manifest.csv")
    (tmp_path / "set/wavs").mkdir(parents=True)
    for path in files:
        (tmp_path / "set/wavs" / path.name).symlink_to(path)
    rows = [f"{path.name}|This is {path.stem}." for path in files]
    (tmp_path / "set/metadata.csv").write_text("\n".join([*rows, "gone|Nothing there.", "tiny_i.wav|Twice."]) + "\n")
    plain = inspect(tmp_path / "set")
    cold, warm = (inspect(tmp_path / "set", cache_dir=tmp_path / "cache") for _ in range(2))
    assert cold == plain
    assert warm == plain
    assert warm.to_dict() == plain.to_dict()
    assert len(encoded) == 2 * len({row.text for row in plain.utterances})


def test_only_a_changed_text_is_spoken_again(tmp_path: Path, measured: list[str], encoded: list[str]) -> None:
    folder = spoken(tmp_path / "set", {f"c{i}": babble(i) for i in range(4)})
    inspect(folder, cache_dir=tmp_path / "cache")
    rows = (folder / "metadata.csv").read_text()
    (folder / "metadata.csv").write_text(rows.replace("This is clip c2.", "Quite another text."))
    measured.clear()
    encoded.clear()
    again = inspect(folder, cache_dir=tmp_path / "cache")
    assert (measured, encoded) == ([], ["Quite another text."])
    assert again == inspect(folder)
    encoded.clear()
    inspect(folder, cache_dir=tmp_path / "cache", language="de")
    assert len(encoded) == 4, "phonemes are of a language"


def test_a_file_that_only_looks_older_is_measured_again(tmp_path: Path, measured: list[str]) -> None:
    folder = spoken(tmp_path / "set", {f"c{i}": babble(i) for i in range(3)})
    inspect(folder, cache_dir=tmp_path / "cache")
    soundfile.write(folder / "wavs/c1.wav", babble(9), 22050)
    os.utime(folder / "wavs/c1.wav", (1, 1))
    measured.clear()
    assert inspect(folder, cache_dir=tmp_path / "cache") == inspect(folder)
    assert measured[0] == "c1.wav"
    assert len(measured) == 1 + 3


def test_names_and_texts_that_are_no_unicode(tmp_path: Path) -> None:
    name, said = "wavs/\udce4.wav", "half a \ud800 pair"
    kept = KeptMeasurements.open(tmp_path, tmp_path)
    kept.keep_measurement(name, (1, 2), Unreadable("It is noise."))
    kept.keep_text(said, "de", SpokenText("ab", "b", 2))
    assert kept.close() is None
    kept = KeptMeasurements.open(tmp_path, tmp_path)
    assert kept.measurements([name, name], [(1, 2), (1, 3)]) == [Unreadable("It is noise."), None]
    assert kept.spoken_texts("de") == {said: SpokenText("ab", "b", 2)}
    assert kept.spoken_texts("en-us") == {}
    kept.close()


def test_a_name_that_is_no_unicode_can_be_reported(tmp_path: Path) -> None:
    folder = spoken(tmp_path / "set", {"a": babble(1), "b": babble(2)})
    try:
        os.rename(os.fsencode(folder / "wavs/a.wav"), os.fsencode(folder / "wavs") + b"/\xe4.wav")  # noqa: PTH104
    except OSError:
        pytest.skip("this file system takes Unicode names alone")
    report = inspect(folder, cache_dir=tmp_path / "cache")
    assert "wavs/\udce4.wav" in [f["path"] for f in json.loads(report.as_bytes("json"))["findings"]]
    assert rb"\udce4.wav" in report.as_bytes("html")
    report.as_bytes("csv")
    inspected = subprocess.run(
        [sys.executable, "-m", "piper_core", "inspect", str(folder), "--no-cache"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert inspected.returncode == 1
    assert r"\udce4.wav" in inspected.stdout


def test_a_cache_damaged_in_its_middle_is_made_anew(tmp_path: Path, measured: list[str]) -> None:
    folder = spoken(tmp_path / "set", {f"c{i:02d}": babble(i, duration_s=0.5) for i in range(60)})
    first = inspect(folder, cache_dir=tmp_path / "cache")
    (file,) = (tmp_path / "cache").iterdir()
    content = bytearray(file.read_bytes())
    for page in range(4096, len(content), 4096):
        content[page : page + 64] = b"\xff" * 64
    file.write_bytes(content)
    measured.clear()
    again = inspect(folder, cache_dir=tmp_path / "cache")
    assert len(measured) == 60
    assert again == first
    assert inspect(folder, cache_dir=tmp_path / "cache") == first
    assert len(measured) == 60, "and what was made anew is kept"


def test_several_at_once_share_what_is_kept(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    folder = spoken(tmp_path / "set", {f"c{i:02d}": babble(i, duration_s=0.5) for i in range(30)})
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda _: inspect(folder, cache_dir=tmp_path / "cache"), range(4)))
    assert all(report == reports[0] for report in reports)
    assert reports[0].not_checked == ()


def test_partial_reports_grow_into_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from piper_core.dataset import progress
    from piper_core.dataset.audio import AudioHeader, ClipMeasurements

    monkeypatch.setattr(progress, "PARTIAL_EVERY_S", 0.0)
    monkeypatch.setattr(progress, "PARTIAL_SHARE", 1e9)
    folder = spoken(tmp_path / "set", {f"c{i:02d}": babble(i) for i in range(30)})
    seen: list[PartialInspection] = []

    def look(partial: PartialInspection) -> None:
        assert partial.report is partial.report, "made once"
        seen.append(partial)

    report = inspect(folder, on_partial=look, jobs=1, pitch=False)
    assert seen[0].stage == "headers"
    assert (seen[0].done, seen[0].total) == (30, 30)
    assert all(isinstance(row.clip, AudioHeader) for row in seen[0].report.utterances)
    assert seen[0].report.summary.duration_s == report.summary.duration_s
    heard = [sum(isinstance(row.clip, ClipMeasurements) for row in partial.report.utterances) for partial in seen]
    assert heard == sorted(heard)
    assert heard[-1] == 30
    assert any(0 < count < 30 for count in heard)
    some = next(partial for partial, count in zip(seen, heard, strict=True) if 8 <= count < 25)
    order = [row.row for row in some.report.utterances if isinstance(row.clip, ClipMeasurements)]
    assert order != list(range(1, len(order) + 1)), "a random choice of the clips is heard first"
    assert [row.row for row in some.report.utterances] == list(range(1, 31))
    assert seen[-1].report == report


def test_what_nobody_looks_at_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from piper_core.dataset import progress

    monkeypatch.setattr(progress, "PARTIAL_EVERY_S", 0.0)
    monkeypatch.setattr(progress, "PARTIAL_SHARE", 1e9)
    made: list[DatasetReport] = []
    real = inspection.judge

    def make(*known: Any) -> DatasetReport:
        made.append(real(*known))
        return made[-1]

    monkeypatch.setattr(inspection, "judge", make)
    folder = spoken(tmp_path / "set", {f"c{i:02d}": babble(i) for i in range(20)})
    told: list[PartialInspection] = []
    assert inspect(folder, on_partial=told.append, jobs=1, pitch=False) is made[-1]
    assert len(told) > 5
    assert len(made) == 2, "of the headers, and the last"


def test_pitch_comes_last_where_somebody_looks_on_and_is_the_same(
    demo_dataset: Path, tmp_path: Path, measured: list[str]
) -> None:
    at_once = inspect(demo_dataset)
    stages: list[str] = []
    staged = inspect(
        demo_dataset,
        cache_dir=tmp_path,
        on_partial=lambda _: None,
        on_progress=lambda progress: stages.append(progress.stage),
    )
    assert staged == at_once
    assert list(dict.fromkeys(stages)) == ["headers", "texts", "signal", "pitch"]
    pitches = [row.to_dict()["pitch_hz"] for row in staged.utterances]
    assert all(60 < pitch < 500 for pitch in pitches if pitch is not None)
    assert sum(pitch is not None for pitch in pitches) >= 10
    measured.clear()
    assert inspect(demo_dataset, cache_dir=tmp_path) == at_once
    assert measured == []
    without = inspect(demo_dataset, cache_dir=tmp_path / "other", pitch=False)
    assert {row.to_dict()["pitch_hz"] for row in without.utterances} == {None}
    assert inspect(demo_dataset, cache_dir=tmp_path / "other") == at_once, "the pitch alone is made up for"


def test_an_audit_is_kept_until_anything_changes(
    demo_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from piper_core.dataset import audit

    folder = tmp_path / "set"
    shutil.copytree(demo_dataset, folder)
    calls: list[int] = []
    real = audit.transcript_costs
    monkeypatch.setattr(audit, "transcript_costs", lambda items, *rest: calls.append(len(items)) or real(items, *rest))
    plain = inspect(folder, cache_dir=tmp_path / "cache")
    assert {row.to_dict()["transcript_cost"] for row in plain.utterances} == {None}
    first = inspect(folder, cache_dir=tmp_path / "cache", audit=True)
    assert all(row.to_dict()["transcript_cost"] is not None for row in first.utterances)
    assert inspect(folder, cache_dir=tmp_path / "cache", audit=True) == first
    assert calls == [12]
    rows = (folder / "metadata.csv").read_text(encoding="utf-8").splitlines()
    name, _, text = rows[0].partition("|")
    (folder / "metadata.csv").write_text("\n".join([f"{name}|{text} And more.", *rows[1:]]), encoding="utf-8")
    inspect(folder, cache_dir=tmp_path / "cache", audit=True)
    assert calls == [12, 12]
