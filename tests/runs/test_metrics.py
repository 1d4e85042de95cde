"""metrics.jsonl: written line by line, read a little at a time, thinned with its peaks kept, at any length."""

from __future__ import annotations

import json
import math
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from piper_core.runs import metrics
from piper_core.runs.metrics import CHUNK_BYTES, MetricsReader, MetricsTable, MetricsWriter
from piper_core.runs.series import thin


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def write(file: Path, *steps: int, **values: float) -> None:
    with MetricsWriter(file) as writer:
        for step in steps:
            writer.append(step, values or {"mel": float(step)}, 1000.0 + step)


def points(table: MetricsTable, name: str) -> list[tuple[int, float]]:
    steps, values = table.points(name)
    return list(zip(steps.tolist(), values.tolist(), strict=True))


# Writing


def test_a_line_is_a_json_object_with_step_and_time(file: Path) -> None:
    with MetricsWriter(file) as writer:
        writer.append(3, {"epoch": 1, "mel": 12.345678901, "kl": math.nan, "fm": math.inf}, 1.5)
    assert json.loads(file.read_text()) == {"step": 3, "time": 1.5, "epoch": 1, "mel": 12.34568, "kl": None, "fm": None}


def test_what_was_flushed_is_seen_by_others_and_the_rest_within_seconds(file: Path) -> None:
    writer = MetricsWriter(file)
    reader = MetricsReader(file)
    writer.append(1, {"mel": 1.0}, 0)
    writer.flush()
    assert points(reader.read(), "mel") == [(1, 1.0)]
    time.sleep(1.05)
    writer.append(2, {"mel": 2.0}, 0)  # a second has passed since the last flush
    assert points(reader.read(), "mel") == [(1, 1.0), (2, 2.0)]
    writer.close()


def test_a_half_line_of_a_killed_trainer_spoils_no_other(file: Path) -> None:
    write(file, 1, 2)
    with file.open("a") as raw:
        raw.write('{"step": 3, "mel": 1')
    write(file, 3, 4)
    table = MetricsReader(file).read()
    assert [step for step, _ in points(table, "mel")] == [1, 2, 3, 4]
    assert table.skipped_lines == 1


# Reading


def test_an_absent_and_an_empty_file_are_an_empty_table(file: Path) -> None:
    reader = MetricsReader(file)
    for _ in range(2):
        table = reader.read()
        assert (len(table.steps), table.series, points(table, "mel")) == (0, {}, [])
        file.touch()


def test_series_of_different_density_keep_their_own_points(file: Path) -> None:
    write(file, 1, 2, mel=5.0)
    write(file, 2, val_mel=7.0)
    write(file, 3, mel=4.0)
    table = MetricsReader(file).read()
    assert points(table, "mel") == [(1, 5.0), (2, 5.0), (3, 4.0)]
    assert points(table, "val_mel") == [(2, 7.0)]
    assert table.steps.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(table.series["val_mel"], [math.nan, 7.0, math.nan])
    assert "time" not in table.series


def test_only_new_lines_are_read_and_nothing_new_is_the_same_table(file: Path) -> None:
    reader = MetricsReader(file)
    write(file, 1, 2)
    first = reader.read()
    assert reader.read() is first
    write(file, 3)
    assert [step for step, _ in points(reader.read(), "mel")] == [1, 2, 3]
    # The bytes before are not looked at again: spoil them, and nothing changes.
    with file.open("r+b") as raw:
        raw.write(b"#" * 10)
    write(file, 4)
    assert [step for step, _ in points(reader.read(), "mel")] == [1, 2, 3, 4]


def test_a_line_being_written_is_left_for_the_next_look(file: Path) -> None:
    reader = MetricsReader(file)
    with file.open("a") as raw:
        raw.write('{"step": 1, "mel": 1.0}\n{"step": 2, "me')
        raw.flush()
        assert points(reader.read(), "mel") == [(1, 1.0)]
        raw.write('l": 2.0}\n')
        raw.flush()
        table = reader.read()
    assert points(table, "mel") == [(1, 1.0), (2, 2.0)]
    assert table.skipped_lines == 0


@pytest.mark.parametrize(
    "bad", ["nonsense", "[1, 2]", "7", '{"mel": 1}', '{"step": "x"}', "", '{"step": 1}, {"step": 1}', "\x00\xff", "[["]
)
def test_lines_that_are_no_metrics_are_skipped_and_counted(file: Path, bad: str) -> None:
    file.write_text('{"step": 1, "mel": 1}\n' + bad + '\n{"step": 2, "mel": 2, "note": "hi", "list": [1]}\n')
    table = MetricsReader(file).read()
    assert points(table, "mel") == [(1, 1.0), (2, 2.0)]
    assert table.skipped_lines == 1
    assert list(table.series) == ["mel"]


def test_a_resumed_run_goes_over_old_ground(file: Path) -> None:
    """It goes on from the last checkpoint: steps 4 to 6 come twice, and the later ones count."""
    reader = MetricsReader(file)
    write(file, 1, 2, 3, 4, 5, 6)
    write(file, 6, val_mel=1.0)
    reader.read()
    write(file, 4, 5, mel=0.0)
    at_once = MetricsReader(file)
    for table in (reader.read(), at_once.read()):
        assert points(table, "mel") == [(1, 1.0), (2, 2.0), (3, 3.0), (4, 0.0), (5, 0.0)]
        assert points(table, "val_mel") == []


def test_a_file_that_was_cut_or_replaced_is_read_anew(file: Path, tmp_path: Path) -> None:
    reader = MetricsReader(file)
    write(file, 1, 2, 3)
    reader.read()
    file.write_text('{"step": 9, "mel": 9}\n')
    assert points(reader.read(), "mel") == [(9, 9.0)]
    other = tmp_path / "other.jsonl"
    write(other, *range(20, 40))
    other.replace(file)
    assert points(reader.read(), "mel")[0] == (20, 20.0)
    file.unlink()
    assert points(reader.read(), "mel") == []


# Thinning


def test_thinning_keeps_the_extremes_and_the_ends() -> None:
    rng = np.random.default_rng(0)
    steps, values = np.arange(100_000), rng.normal(size=100_000)
    values[31_234], values[77_777] = 99.0, -99.0
    kept_steps, kept = thin(steps, values, 500)
    assert len(kept) <= 500
    assert {0, 31_234, 77_777, 99_999} <= set(kept_steps.tolist())
    np.testing.assert_array_equal(kept, values[kept_steps])
    assert (np.diff(kept_steps) > 0).all()
    # As a band: of each stretch between two edges of the 249 both extremes are there.
    edge = np.linspace(0, 100_000, 250)
    for start, end in pairwise(edge):
        there = values[math.ceil(start) : math.ceil(end)]
        drawn = kept[(kept_steps >= start) & (kept_steps < end)]
        assert (drawn.min(), drawn.max()) == (there.min(), there.max())


def test_few_points_stay_as_they_are_and_gaps_do_no_harm() -> None:
    steps, values = np.array([1, 5, 9]), np.array([1.0, 2.0, 3.0])
    assert thin(steps, values, 4)[0].tolist() == [1, 5, 9]
    gap = np.concatenate([np.arange(1000), np.arange(10**9, 10**9 + 1000)])
    assert len(thin(gap, np.sin(gap), 50)[0]) <= 50
    same = np.zeros(100, np.int64)
    assert 1 <= len(thin(same, np.arange(100.0), 10)[0]) <= 10


def test_memory_stays_small_and_old_peaks_stay_visible(file: Path) -> None:
    """Read in many small pieces, as a page does that watches a long run."""
    reader = MetricsReader(file, max_points=50)
    peak = 1234
    for start in range(0, 20_000, 500):
        with MetricsWriter(file) as writer:
            for step in range(start, start + 500):
                writer.append(step, {"mel": 1000.0 if step == peak else math.sin(step)}, 0)
        reader.read()
    table = reader.read()
    steps, values = table.points("mel")
    assert len(steps) <= 50
    assert (steps[0], steps[-1]) == (0, 19_999)
    assert steps[values.argmax()] == peak
    assert len(reader._series["mel"].thinned(10**9)[0]) <= 2 * 8 * 50


@pytest.mark.slow
def test_a_million_lines_are_read_in_pieces_and_then_at_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page reads some of it at each poll; once it has caught up, a poll reads what is new alone."""
    line = '{{"step":{0},"time":1700000000.0,"epoch":1,"mel":{1}.5,"kl":1.25,"loss_g":30.1,"loss_d":2.1}}\n'
    with file.open("w") as raw:
        for start in range(0, 1_000_000, 10_000):
            raw.write("".join(line.format(step, step % 17) for step in range(start, start + 10_000)))
    reader = MetricsReader(file)
    unread = file.stat().st_size
    while unread:
        table = reader.read(max_bytes=2 * CHUNK_BYTES)
        assert table.unread_bytes < unread
        unread = table.unread_bytes
    assert table.points("mel")[0][-1] == 999_999
    assert all(len(table.points(name)[0]) <= 2000 for name in table.series)
    write(file, 1_000_000)
    parsed: list[bytes] = []
    really = metrics._parse
    monkeypatch.setattr(metrics, "_parse", lambda lines: (parsed.append(lines), really(lines))[1])
    table = reader.read()
    assert [json.loads(lines)["step"] for lines in parsed] == [1_000_000]
    assert table.points("mel")[0][-1] == 1_000_000
