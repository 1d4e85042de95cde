"""The pictures of a dataset hold its data, stay small at 100,000 clips, and read on both backgrounds."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from pages.components.dataset.figures import order, phonemes, pitches, rates, words
from pages.components.dataset.figures.histograms import durations
from pages.components.dataset.pictures import clips, recording, speaking
from pages.components.theme import ACCENT, SECOND, SEVERITY
from piper_core.dataset.change_points import ChangePoint, change_points

MANY = 100_000
MOST_BYTES = 2_000_000


def names(count: int) -> np.ndarray:
    return np.array([f"clip_{i:06d}" for i in range(count)], dtype=object)


def trace(figure: go.Figure, name: str) -> go.Scatter:
    (found,) = [trace for trace in figure.data if str(trace.name).startswith(name)]
    return found


def test_outliers_are_judged_among_the_speakers_own() -> None:
    slow, fast = np.linspace(9, 11, 50), np.linspace(19, 21, 50)
    speakers = ["slow"] * 51 + ["fast"] * 50
    beyond = rates.outliers(np.concatenate([slow, [20.0], fast]), speakers, 2.0)
    assert np.flatnonzero(beyond).tolist() == [50], "twenty is usual for one and far off for the other"
    assert beyond[50] > 2
    assert not rates.outliers(np.array([1.0, 1.0, 9.0]), ["a"] * 3, 2.0).any(), "three clips tell nothing"
    assert rates.outliers(np.array([np.nan, 1, 2, 3, 4, -50.0]), ["a"] * 6, 2.0)[-1] < 0


def test_rates_of_a_small_set_are_points_with_their_clips() -> None:
    values = np.array([10.0, 11.0, 12.0, np.nan, 40.0])
    figure = rates.rate_against_duration(
        np.array([1.0, 2, 3, 4, 5]), values, np.array([0, 0, 0, 0, 3.5]), names(5), unit="phonemes"
    )
    usual, far = trace(figure, "usual"), trace(figure, "far")
    assert usual.customdata.ravel().tolist() == [0, 1, 2]
    assert (far.x.tolist(), far.y.tolist(), list(far.text)) == ([5.0], [40.0], ["clip_000004"])
    assert figure.layout.yaxis.title.text == "phonemes a second of speech"
    assert figure.layout.xaxis.title.text == "seconds"


def test_rates_of_many_clips_are_a_density_that_counts_each_of_them() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(14, 1, MANY)
    values[:3000] = rng.uniform(40, 60, 3000)
    beyond = rates.outliers(values, [None] * MANY, 2.0)
    figure = rates.rate_against_duration(rng.uniform(1, 12, MANY), values, beyond, names(MANY), unit="letters")
    density = figure.data[0]
    assert int(np.sum(density.customdata)) == int((beyond == 0).sum())
    far = trace(figure, "far")
    assert far.x.size == rates.MOST_OUTLIERS
    assert f"{np.count_nonzero(beyond):,}" in far.name, "the legend tells how many there are, not how many are drawn"
    furthest = np.sort(np.abs(beyond))[-rates.MOST_OUTLIERS :]
    assert np.abs(beyond[far.customdata.ravel()]).min() == furthest[0]
    assert len(figure.to_json()) < MOST_BYTES


def test_recording_order_marks_levels_and_steps() -> None:
    values = np.concatenate([np.full(40, -60.0), np.full(60, -54.0)]) + np.random.default_rng(0).normal(0, 0.3, 100)
    steps = change_points(values)
    figure = order.along_recording(values, steps, names(100), title="Noise", unit="dBFS", step_unit="dB")
    assert trace(figure, "clips").y == pytest.approx(np.round(values, 2))
    level = trace(figure, "level")
    assert list(level.x) == [1, 40, None, 41, 100, None]
    assert level.y[0] == pytest.approx(-60, abs=0.2)
    assert level.y[3] == pytest.approx(-54, abs=0.2)
    (mark,) = figure.layout.annotations
    assert re.fullmatch(r"\+[56]\.\d dB", mark.text)
    assert figure.layout.yaxis.title.text == "dBFS"


def test_of_many_steps_the_largest_are_labelled_and_all_are_marked() -> None:
    steps = [ChangePoint(10 * i, 0.0, float(i), 3.0) for i in range(1, 10)]
    figure = order.along_recording(np.zeros(100), steps, names(100), title="Noise", unit="dBFS", step_unit="dB")
    assert len(figure.layout.shapes) == 9
    assert [note.text for note in figure.layout.annotations if note.text] == [f"+{i}.0 dB" for i in range(4, 10)]


def test_a_value_far_off_stands_at_the_edge_and_tells_what_it_is() -> None:
    values = np.random.default_rng(0).normal(-60, 1, 100)
    values[7] = -200.0
    figure = order.along_recording(values, [], names(100), title="Noise", unit="dBFS", step_unit="dB")
    points = trace(figure, "clips")
    assert points.y[7] > -80
    assert points.marker.symbol[7] == "triangle-down"
    assert set(points.marker.symbol[:7]) == {"circle"}
    assert "-200" in points.text[7]


def test_a_long_recording_is_an_envelope_in_which_single_clips_show() -> None:
    values = np.random.default_rng(0).normal(-60, 1, MANY)
    values[70_000] = -20.0
    values[100:900] = np.nan
    figure = order.along_recording(values, [], names(MANY), title="Noise", unit="dBFS", step_unit="dB")
    assert max(trace(figure, "greatest").y) == pytest.approx(-60 + 8.5 * 1.35, abs=0.5), "at the edge"
    assert min(trace(figure, "least").y) == pytest.approx(np.nanmin(values), abs=0.01)
    assert np.median(trace(figure, "median").y) == pytest.approx(-60, abs=0.1)
    assert len(figure.to_json()) < MOST_BYTES / 20


def test_pitch_by_speaker_has_a_box_each_low_voices_first() -> None:
    low, high = np.linspace(95, 105, 21), np.linspace(190, 210, 21)
    figure = pitches.pitch_by_speaker(
        np.concatenate([high, low, [300.0, np.nan]]), ["ann"] * 21 + ["bob"] * 21 + ["bob"] * 2, names(44)
    )
    box = trace(figure, "speakers")
    assert list(box.x) == ["bob", "ann"]
    assert box.median.tolist() == pytest.approx([100, 200], abs=1)
    assert (box.q1[1], box.q3[1]) == pytest.approx((195, 205), abs=0.5)
    far = trace(figure, "far")
    assert (list(far.text), far.y.tolist()) == (["clip_000042"], [300.0])
    assert not pitches.pitch_by_speaker(np.array([np.nan]), [None], ["a"]).data


def test_pitch_of_many_clips_and_speakers_is_small() -> None:
    rng = np.random.default_rng(4)
    figure = pitches.pitch_by_speaker(rng.lognormal(5, 0.3, MANY), [f"s{i % 300}" for i in range(MANY)], names(MANY))
    assert len(trace(figure, "speakers").x) == pitches.MOST_SPEAKERS
    assert len(figure.to_json()) < MOST_BYTES / 20


def test_alphabet_keeps_odd_characters_however_rare() -> None:
    counts = [(chr(0x4E00 + i), 1000 - i) for i in range(900)] + [("7", 1), ("\u200b", 1)]
    figure = words.alphabet(counts, {"7": "a digit", "\u200b": "can't be seen"})
    usual, odd = trace(figure, "usual"), trace(figure, "to look at")
    assert len(usual.x) == words.MOST_CHARACTERS - 2
    assert (list(odd.x), list(odd.y)) == (["7", "U+200B"], [1, 1])
    assert usual.marker.color != odd.marker.color


def test_word_figures_hold_counts_and_growth() -> None:
    counts = np.sort(np.random.default_rng(0).zipf(1.5, 50_000))[::-1]
    figure = words.word_frequencies(counts, [f"w{i}" for i in range(50_000)])
    line = figure.data[0]
    assert (line.x[0], line.y[0], line.text[0]) == (1, counts[0], "w0")
    assert (line.x[-1], line.y[-1]) == (50_000, counts[-1])
    assert len(line.x) <= 300
    growth = words.vocabulary_growth(np.array([1, 10, 20]), np.array([1, 8, 12])).data[0]
    assert (growth.x.tolist(), growth.y.tolist()) == ([1, 10, 20], [1, 8, 12])


def test_lengths_of_many_clips_are_few_bars() -> None:
    figure = durations(np.random.default_rng(0).gamma(4, 1, MANY), longest_s=15)
    assert sum(figure.data[0].y) == MANY
    assert len(figure.to_json()) < MOST_BYTES / 100


def rows(count: int = 4, **columns: object) -> pd.DataFrame:
    plain: dict[str, object] = {
        "utterance_id": names(count), "row": range(1, count + 1), "text": ["Four words of text."] * count,
        "path": [f"wavs/clip{i}_{99 - i}.wav" for i in range(count)], "speaker": [None] * count,
    }  # fmt: skip
    return pd.DataFrame(plain | columns)


def test_recording_orders() -> None:
    frame = rows(12, row=[5, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12])
    assert clips.recording_order(frame).tolist()[:5] == [1, 2, 3, 4, 0]
    assert clips.recording_order(frame, clips.FILE_NAME).tolist() == list(range(12)), "clip2 comes before clip10"
    assert clips.recording_order(frame, clips.LAST_NUMBER).tolist() == list(range(12))[::-1]
    nameless = rows(2, path=["b.wav", "a.wav"])
    assert clips.recording_order(nameless, clips.LAST_NUMBER).tolist() == [1, 0]


def test_speaking_rates_take_the_best_that_is_known() -> None:
    frame = rows(duration_s=[3.0, 3.0, 3.0, np.nan], leading_silence_s=0.5, trailing_silence_s=[0.5, 0.5, np.nan, 0.5])
    known = clips.speaking_rates(frame)
    assert known is not None
    values, unit = known
    assert unit == "letters"
    assert values[:3] == pytest.approx([7.5, 7.5, 6.0])
    assert np.isnan(values[3])
    better = clips.speaking_rates(frame.assign(characters_per_s=7.0, phonemes_per_s=[12.0, None, 11.0, None]))
    assert better is not None
    assert better[1] == "phonemes"
    assert clips.speaking_rates(rows()) is None


def test_steps_of_several_measurements_at_one_place_are_one_story() -> None:
    told = recording.stories(
        {
            "noise_dbfs": [ChangePoint(311, -60, -54, 4.0)],
            "loudness_lufs": [ChangePoint(313, -20, -23, -3.0), ChangePoint(400, -23, -20, 3.0)],
        },
        names(500),
    )
    assert len(told) == 2
    assert "clip 312 (`clip_000311`)" in told[0]
    assert "6.0 dB noisier" in told[0]
    assert "3.0 LU quieter" in told[0]
    assert "3.0 LU louder" in told[1]
    assert recording.stories({}, names(3)) == []


@pytest.mark.parametrize(
    ("point", "place"),
    [
        ({"customdata": [7], "text": "clip"}, 7),
        ({"customdata": {"0": 7}, "text": "clip"}, 7),
        ({"customdata": 40, "x": 1.0}, None),
        ({"x": 1.0}, None),
    ],
)
def test_a_click_tells_its_clip_and_a_density_none(point: dict[str, object], place: int | None) -> None:
    assert speaking.clicked_place(point) == place


def test_what_stands_out_differs_from_the_rest_in_more_than_hue() -> None:
    figure = rates.rate_against_duration(
        np.array([1.0, 2.0]), np.array([1.0, 9.0]), np.array([0.0, 3.0]), names(2), unit="letters"
    )
    usual, far = trace(figure, "usual"), trace(figure, "far")
    assert (usual.marker.color, far.marker.color) == (ACCENT, SECOND)
    assert far.marker.size > usual.marker.size


def test_sounds_are_coloured_by_what_they_mean() -> None:
    figure = phonemes.sounds_counted({"a": 40, "b": 3, "c": 0, "q": 1}, ["a", "b", "c"], wanted=10, texts=5)
    assert {t.name: (list(t.x), list(t.y)) for t in figure.data} == {
        "10 times and more": (["a"], [40]),
        "fewer than 10": (["b"], [3]),
        "rare in the language, or foreign": (["q"], [1]),
        "missing": (["c"], [1]),
    }
    assert trace(figure, "missing").marker.color == SEVERITY["error"]
    assert list(figure.layout.xaxis.categoryarray) == ["a", "b", "c", "q"]
    assert not phonemes.sounds_counted({}, [], wanted=10, texts=0).data
