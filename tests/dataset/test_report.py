"""The report as others read it."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile

from piper_core.dataset.inspection import inspect
from piper_core.dataset.report import DatasetReport, write_csv, write_json

RATE = 22050


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six clips: one empty file, one without text, one that asks for trouble, one whose text opens a quote."""
    folder = tmp_path / "a <set>"
    (folder / "wavs").mkdir(parents=True)
    for i in range(6):
        noise = np.random.default_rng(i).normal(scale=0.1, size=RATE)
        soundfile.write(folder / f"wavs/c{i}.wav", noise, RATE)
    (folder / "wavs/c1.wav").write_bytes(b"")
    rows = ["c0|Hello.", "c1|Empty file.", "c2|", "c3|<script>alert(1)</script>", 'c4|"Open quote.', "c5|=SUM(A1)"]
    (folder / "metadata.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def report(folder: Path) -> DatasetReport:
    return inspect(folder)


def test_json_has_the_documented_shape(report: DatasetReport, tmp_path: Path) -> None:
    write_json(report, tmp_path / "out/report.json")
    content = json.loads((tmp_path / "out/report.json").read_text())
    assert content["schema_version"] == 1
    assert content["layout"] == "ljspeech"
    summary = {
        "utterances",
        "usable",
        "duration_s",
        "usable_duration_s",
        "speakers",
        "sample_rates",
        "errors",
        "warnings",
    }
    assert summary <= set(content["summary"])
    assert (content["summary"]["utterances"], content["summary"]["usable"]) == (6, 4)
    assert content["summary"]["sample_rates"] == {"22050": 5}
    assert content["summary"]["duration_s"] == pytest.approx(5)
    assert content["summary"]["usable_duration_s"] == pytest.approx(4)
    finding = {"code", "severity", "utterance_id", "path", "message", "value", "threshold", "unit", "source"}
    assert all(finding <= set(entry) for entry in content["findings"])
    row = {"utterance_id", "path", "text", "speaker", "usable", "duration_s", "sample_rate", "channels"}
    assert all(row <= set(entry) for entry in content["utterances"])
    assert content["utterances"][0]["path"] == "wavs/c0.wav"
    assert content["utterances"][1]["duration_s"] is None
    assert [entry["severity"] for entry in content["findings"]] == sorted(
        (entry["severity"] for entry in content["findings"]), key=["error", "warning", "info"].index
    )


def test_html_stands_alone_and_escapes(report: DatasetReport, tmp_path: Path) -> None:
    report.write_html(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    tags: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.append(tag)
            assert not {"src", "href"} & {name for name, _ in attrs}

    Reader().feed(page)
    assert "script" not in tags
    assert tags.count("tr") == 1 + 6
    assert "&lt;script&gt;alert(1)" in page
    assert "a &lt;set&gt;" in page


def test_csv_starts_no_formula_in_a_spreadsheet(report: DatasetReport, tmp_path: Path) -> None:
    write_csv(report, tmp_path / "report.csv")
    with (tmp_path / "report.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert rows[5]["text"] == "'=SUM(A1)"
    assert not [value for row in rows for value in row.values() if value.startswith(("=", "+", "@"))]
    assert float(rows[0]["peak_dbfs"]) < 0, "numbers stay numbers"
    assert rows[1]["codes"] == "unreadable"


def test_terminal_summary(report: DatasetReport) -> None:
    lines = report.summary_text().splitlines()
    assert "6 clips" in lines[1]
    assert "4 usable" in lines[1]
    assert any(line.startswith("error") and "unreadable" in line and "c1" in line for line in lines)


def test_html_draws_what_was_measured_and_names_each_limit(report: DatasetReport, tmp_path: Path) -> None:
    report.write_html(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") >= 3
    assert "Length: from " in page
    limited = next(
        finding for finding in report.findings if finding.value is not None and finding.threshold is not None
    )
    assert f"({limited.value:.4g} against {limited.threshold:.4g}" in page


def test_a_histogram_counts_every_value_once() -> None:
    from piper_core.dataset.report_pictures import histogram

    drawn = histogram([1.0, 1.0, 2.0, 3.0, None, float("nan")], "Length", "s")
    heights = [float(height) for height in re.findall(r'height="([\d.]+)"/>', drawn)]
    assert heights == [70.0, 35.0, 35.0]
    assert 'aria-label="Length: from 1 to 3 s, median 1.5 s"' in drawn
    assert histogram([1.0], "Length", "s") == ""
    assert histogram([2.0, 2.0], "Length", "s") != ""
