"""Two reports of one dataset: what was mended, what is new, which clips came, went or changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from piper_core.dataset.comparison import ReportError, compare, read_report
from piper_core.dataset.demo import write_demo
from piper_core.dataset.inspection import inspect


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The demo with planted defects, before and after the clips with errors were taken out and a text was mended."""
    folder = tmp_path_factory.mktemp("reports")
    demo = write_demo(folder / "demo", clips=24, defects=True)
    report = inspect(demo)
    report.write_json(folder / "before.json")
    good = {row.row for row in report.utterances if row.usable}
    lines = (demo / "metadata.csv").read_text(encoding="utf-8").splitlines()
    kept = [line for number, line in enumerate(lines, start=1) if number in good]
    kept[0] += " And more."
    (demo / "metadata.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")
    inspect(demo).write_json(folder / "after.json")
    return folder / "before.json", folder / "after.json"


def test_what_was_mended_is_gone(reports: tuple[Path, Path]) -> None:
    before, after = map(read_report, reports)
    compared = compare(before, after)
    errors = [problem for problem in compared.gone if problem[0] == "error"]
    assert len(errors) == before["summary"]["errors"] > 0
    assert compared.new_of("error") == 0
    assert compared.summary["errors"] == (before["summary"]["errors"], 0)
    unusable = {clip["utterance_id"] for clip in before["utterances"] if not clip["usable"]}
    assert {name.partition(" (")[0] for name in compared.clips_gone} == unusable
    assert compared.clips_new == ()
    assert len(compared.texts_changed) == 1
    assert compared.audio_changed == ()
    assert "gone error" in compared.summary_text()
    assert json.loads(json.dumps(compared.to_dict()))["schema_version"] == 1


def test_backwards_the_same_is_new(reports: tuple[Path, Path]) -> None:
    before, after = map(read_report, reports)
    there, back = compare(before, after), compare(after, before)
    assert back.new == there.gone
    assert back.gone == there.new
    assert back.clips_new == there.clips_gone


def test_a_report_beside_itself_shows_nothing(reports: tuple[Path, Path]) -> None:
    report = read_report(reports[0])
    same = compare(report, report)
    assert not any((same.gone, same.new, same.clips_gone, same.clips_new, same.texts_changed, same.audio_changed))


def test_a_changed_recording_is_told(reports: tuple[Path, Path]) -> None:
    before, after = read_report(reports[0]), read_report(reports[0])
    clip = next(clip for clip in after["utterances"] if clip["usable"])
    clip["audio_hash"] = "another"
    assert compare(before, after).audio_changed == (clip["utterance_id"],)


def test_another_limit_is_told(reports: tuple[Path, Path]) -> None:
    before, after = read_report(reports[0]), read_report(reports[0])
    after["limits"]["duration-long"]["value"] = 3.5
    after["limits"]["noise"]["value"] = None
    compared = compare(before, after)
    assert {*compared.limits} == {"duration-long", "noise"}
    assert "another limit: duration-long 15 -> 3.5" in compared.summary_text()
    assert compared.to_dict()["limits"]["noise"]["after"] is None
    del before["limits"]
    assert compare(before, after).limits == {}, "of an earlier version"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "no JSON"),
        ("[]", "schema_version"),
        ('{"schema_version": 2}', "schema_version 1"),
        ('{"schema_version": 1}', "lacks"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_what_is_no_report_is_refused_with_a_sentence(tmp_path: Path, content: str, reason: str) -> None:
    file = tmp_path / "report.json"
    file.write_text(content)
    with pytest.raises(ReportError, match=reason):
        read_report(file)
    with pytest.raises(ReportError, match="can't be read"):
        read_report(tmp_path / "none.json")


def test_a_damaged_report_is_refused(reports: tuple[Path, Path]) -> None:
    report = read_report(reports[0])
    with pytest.raises(ReportError, match="damaged"):
        compare(report, report | {"utterances": [{"path": 3}]})
    with pytest.raises(ReportError, match="damaged"):
        compare(report, report | {"findings": ["none"]})
