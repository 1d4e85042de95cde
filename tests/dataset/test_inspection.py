"""A whole folder: every awkward file gets its finding, real speech few, and a second look takes a moment."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from piper_core.dataset.audio import AudioHeader
from piper_core.dataset.checks import CHECKS, LIMITS
from piper_core.dataset.inspection import InspectionProgress, inspect
from piper_core.dataset.layouts import DatasetError
from piper_core.dataset.report import DatasetReport
from piper_core.dataset.text import TextError

RATE = 22050


def linked(folder: Path, rows: list[tuple[str, Path, str]]) -> Path:
    """A dataset whose audio is linked into place: id, file, text."""
    (folder / "wavs").mkdir(parents=True)
    for name, file, _ in rows:
        (folder / "wavs" / f"{name}{file.suffix}").symlink_to(file)
    (folder / "metadata.csv").write_text("".join(f"{name}|{text}\n" for name, _, text in rows), encoding="utf-8")
    return folder


def spoken(folder: Path, clips: dict[str, np.ndarray], text: str = "This is clip {}.") -> Path:
    (folder / "wavs").mkdir(parents=True)
    for name, samples in clips.items():
        soundfile.write(folder / "wavs" / f"{name}.wav", samples, RATE)
    lines = "".join(f"{name}|{text.format(name)}\n" for name in clips)
    (folder / "metadata.csv").write_text(lines, encoding="utf-8")
    return folder


def babble(seed: int, level: float = 0.1, duration_s: float = 1.5) -> np.ndarray:
    """Noise with a rest in it, as speech has: without one it would be noise alone."""
    samples = np.random.default_rng(seed).normal(scale=level, size=round(duration_s * RATE))
    samples[len(samples) // 2 : len(samples) * 7 // 10] *= 0.001
    return samples


def codes_of(report: DatasetReport, utterance_id: str) -> set[str]:
    return {finding.code for finding in report.findings if finding.utterance_id == utterance_id}


def test_every_awkward_file_gets_its_finding(awkward: Path, tmp_path: Path) -> None:
    files = sorted(path for path in awkward.rglob("*") if path.is_file() and path.name != "manifest.csv")
    assert len(files) == 17
    names = {path: path.name.replace(".", "_") for path in files}
    report = inspect(linked(tmp_path / "set", [(names[path], path, "A plain sentence.") for path in files]))
    found = {row.utterance_id: codes_of(report, row.utterance_id) - {"duplicate-text"} for row in report.utterances}
    assert set(found) == set(names.values())
    assert [name for name, codes in found.items() if not codes] == []
    broken = {names[path] for path in (awkward / "broken").iterdir()}
    assert {name for name, codes in found.items() if "unreadable" in codes} == broken
    expected = {
        "digital_silence_1s5_wav": "silent",
        "tiny_i_wav": "duration",
        "padded_silence_wav": "edge-silence",
        "rate_11025_dual_mono_wav": "sample-rate",
        "stereo_8bit_44100_wav": "bit-depth",
        "stereo_p001_mp3": "channels",
        "stereo_p001_ogg": "channels",
        "stereo_p001_aiff": "channels",
        "jfk_24bit_stereo_flac": "channels",
    }
    assert {name: code for name, code in expected.items() if code not in found[name]} == {}
    unusable = broken | {"digital_silence_1s5_wav", "tiny_i_wav"}
    assert {row.utterance_id for row in report.utterances if not row.usable} == unusable


def test_real_speech_raises_few_alarms(kathleen: Path) -> None:
    report = inspect(kathleen)
    assert (report.summary.utterances, report.summary.usable, report.summary.errors) == (500, 500, 0)
    named = {f.utterance_id for f in report.findings if f.utterance_id and f.severity != "info"}
    assert len(named) < 0.03 * 500, "docs/checks.md lists them"
    assert report.summary.duration_s == pytest.approx(1528.8, abs=0.1)
    quiet = [finding for finding in report.findings if finding.code == "loudness" and finding.utterance_id is None]
    assert [(finding.severity, finding.clips, finding.unit) for finding in quiet] == [("info", 500, "LUFS")]
    assert len(report.findings) <= 20, "a trait of the set is one finding, not 500"


def test_speakers_are_counted(multispeaker: Path) -> None:
    report = inspect(multispeaker)
    assert (report.layout, report.summary.speakers, report.summary.errors) == ("piper", 2, 0)


def test_each_finding_is_one_of_the_table_and_complete(awkward: Path, tmp_path: Path) -> None:
    folder = linked(tmp_path / "set", [(p.stem, p, "It is 5.") for p in sorted((awkward / "odd").iterdir())])
    for finding in inspect(folder).findings:
        check = CHECKS[finding.code]
        assert finding.severity in ("error", "warning", "info")
        assert finding.source == (LIMITS[finding.limit] if finding.limit else check).source != ""
        assert finding.message.endswith("."), finding.message
        if finding.limit:
            assert finding.value is not None, finding
            assert finding.threshold is not None, finding
            assert finding.unit != "", finding


def test_odd_one_out_in_loudness_and_copies(tmp_path: Path) -> None:
    clips = {f"c{i:02d}": babble(i) for i in range(12)} | {"c98": babble(99, 0.3).clip(-0.9, 0.9), "c99": babble(3)}
    report = inspect(spoken(tmp_path / "set", clips))
    assert codes_of(report, "c98") == {"loudness"}
    assert codes_of(report, "c99") == codes_of(report, "c03") == {"duplicate-audio"}
    assert {row.utterance_id for row in report.utterances if not row.usable} == {"c99", "c03"}


def test_a_copy_with_the_same_text_stays_usable_once_told(tmp_path: Path) -> None:
    report = inspect(spoken(tmp_path / "set", {"a": babble(1), "b": babble(1)}, text="The same."))
    assert {f.code: f.severity for f in report.findings if f.utterance_id == "b"} == {
        "duplicate-audio": "warning",
        "duplicate-text": "info",
    }
    assert report.summary.usable == 2


def test_a_trait_of_most_clips_is_one_finding(tmp_path: Path) -> None:
    low_rate = {f"c{i:02d}": babble(i) for i in range(20)}
    folder = spoken(tmp_path / "set", low_rate)
    for path in sorted((folder / "wavs").iterdir())[:15]:
        soundfile.write(path, babble(int(path.stem[1:]) + 100), 16000)
    report = inspect(folder)
    upsampled = [f for f in report.findings if f.code == "sample-rate" and f.severity == "warning"]
    assert [(f.utterance_id, f.clips, f.value) for f in upsampled] == [(None, 15, 16000)]
    assert sum("sample-rate" in row.codes for row in report.utterances) == 15, "the table still knows which"
    assert inspect(folder, sample_rate=16000).summary.warnings == report.summary.warnings - 1


def test_without_validation_headers_and_texts_are_still_checked(tmp_path: Path) -> None:
    folder = spoken(tmp_path / "set", {"a": babble(1), "b": babble(2, duration_s=0.1), "c": np.zeros(RATE)})
    (folder / "wavs/a.wav").write_bytes(b"")
    (folder / "metadata.csv").write_text("a|One.\nb|Two <b>.\nc|Three.\n")
    report = inspect(folder, validate_audio=False)
    assert codes_of(report, "a") == {"unreadable"}
    assert codes_of(report, "b") == {"duration", "text-symbols"}
    assert codes_of(report, "c") == set(), "silence shows only in the samples"
    assert isinstance(report.utterances[2].clip, AudioHeader)
    assert len(report.not_checked) == 1
    assert "ENABLE_AUDIO_VALIDATION" in report.not_checked[0]


def test_without_librosa_the_report_says_what_was_not_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = spoken(tmp_path / "set", {"a": babble(1), "b": babble(2)})
    for name in [name for name in sys.modules if name.split(".")[0] == "librosa"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "librosa", None)
    report = inspect(folder)
    assert report.summary.utterances == 2
    assert len(report.not_checked) == 1
    assert "pip install librosa" in report.not_checked[0]


def test_unknown_phonemes_and_empty_texts(tmp_path: Path) -> None:
    folder = spoken(tmp_path / "set", {"a": babble(1), "b": babble(2), "c": babble(3)})
    (folder / "metadata.csv").write_text("a|\nb|...\nc|Fine.\n")
    report = inspect(folder)
    assert codes_of(report, "a") == codes_of(report, "b") == {"empty-text"}
    assert codes_of(report, "c") == set()
    with pytest.raises(TextError, match="no language"):
        inspect(folder, language="xx")


def test_progress_and_stopping(tmp_path: Path) -> None:
    folder = spoken(tmp_path / "set", {f"c{i}": babble(i) for i in range(5)})
    seen: list[InspectionProgress] = []
    inspect(folder, on_progress=seen.append, jobs=2)
    assert list(dict.fromkeys(p.stage for p in seen)) == ["texts", "signal"]
    assert seen[0].done == 1
    assert {p.total for p in seen} == {5}
    assert [p.done for p in seen if p.remaining_s == 0] == [5, 5], "each stage ends"

    def stop(_: InspectionProgress) -> None:
        raise KeyboardInterrupt

    threads = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        inspect(folder, on_progress=stop)
    assert threading.active_count() == threads


def test_a_second_look_decodes_only_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from piper_core.dataset import batches, inspection, workers

    folder = spoken(tmp_path / "set", {f"c{i}": babble(i) for i in range(4)})
    monkeypatch.setattr(inspection, "processes", workers.threads)
    first = inspect(folder, cache_dir=tmp_path / "cache")
    decoded: list[str] = []
    real = batches.measure_with_pitch
    monkeypatch.setattr(
        batches, "measure_with_pitch", lambda path, *span: decoded.append(path.name) or real(path, *span)
    )
    assert inspect(folder, cache_dir=tmp_path / "cache") == first
    assert decoded == []
    soundfile.write(folder / "wavs/c2.wav", babble(77, duration_s=2.0), RATE)
    again = inspect(folder, cache_dir=tmp_path / "cache")
    assert decoded == ["c2.wav"]
    assert again.utterances[2].duration_s == pytest.approx(2)
    for damaged in (tmp_path / "cache").iterdir():
        damaged.write_text("{")
    decoded.clear()
    assert inspect(folder, cache_dir=tmp_path / "cache") == again
    assert len(decoded) == 4


def test_texts_that_espeak_dies_of_cost_a_finding(tmp_path: Path) -> None:
    """In German, the second of these ends the process that read the first; a text is what it is blamed for."""
    folder = spoken(tmp_path / "set", {"a": babble(1), "b": babble(2), "c": babble(3)}, "{}")
    said = {"a": "Ein \U0001f600 Bild.", "b": "Ein \U0001f920 Hut.", "c": "Ein Hund."}
    lines = "".join(f"{name}|{words}\n" for name, words in said.items())
    (folder / "metadata.csv").write_text(lines, encoding="utf-8")
    report = inspect(folder, language="de", cache_dir=tmp_path / "cache")
    assert "text-symbols" in codes_of(report, "a") & codes_of(report, "b")
    assert "text-symbols" not in codes_of(report, "c")
    assert report.utterances[2].to_dict()["phoneme_count"]
    assert inspect(folder, language="de", cache_dir=tmp_path / "cache") == report


def test_measurements_that_cannot_be_kept_are_no_failure(tmp_path: Path) -> None:
    folder = spoken(tmp_path / "set", {"a": babble(1), "b": babble(2)})
    (tmp_path / "file").touch()
    report = inspect(folder, cache_dir=tmp_path / "file" / "cache")
    assert report.summary.usable == 2
    assert "could not be kept" in report.not_checked[0]


def test_no_clip_left_is_an_error_of_the_set(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text("a|One.\nb|Two.\n")
    report = inspect(tmp_path)
    assert report.summary.usable == 0
    assert ("dataset-size", "error") in {(f.code, f.severity) for f in report.findings}
    with pytest.raises(DatasetError):
        inspect(tmp_path / "nowhere")


@pytest.mark.slow
def test_13100_clips(kathleen: Path, tmp_path: Path) -> None:
    """As many as LJSpeech has: minutes at the very worst, and a second look in seconds."""
    files = sorted((kathleen / "wavs").iterdir())
    (tmp_path / "set/wavs").mkdir(parents=True)
    lines = []
    for i in range(13_100):
        (tmp_path / f"set/wavs/c{i:05d}.flac").symlink_to(files[i % 500])
        lines.append(f"c{i:05d}|The text of recording {i % 500}.\n")
    (tmp_path / "set/metadata.csv").write_text("".join(lines))
    started = time.monotonic()
    report = inspect(tmp_path / "set", cache_dir=tmp_path / "cache")
    cold_s = time.monotonic() - started
    assert report.summary.utterances == report.summary.usable == 13_100
    alarming = {finding.row for finding in report.findings if finding.severity != "info"}
    assert len(alarming) < 0.04 * 13_100, "as few as in the 500 clips that they link to, whose texts these are not"
    started = time.monotonic()
    assert inspect(tmp_path / "set", cache_dir=tmp_path / "cache").summary == report.summary
    warm_s = time.monotonic() - started
    print(f"13,100 clips: {cold_s:.1f} s, again {warm_s:.1f} s")
