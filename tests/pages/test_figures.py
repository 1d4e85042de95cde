"""The figures show what they are given, in colours that can be told from both backgrounds."""

from __future__ import annotations

import io
import re
import wave
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

from pages.components import theme
from pages.components.dataset import dataset_figures
from piper_core.wav import wav_bytes


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2.1)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("background", [theme.LIGHT_BACKGROUND, theme.DARK_BACKGROUND])
@pytest.mark.parametrize("colour", [*theme.CATEGORICAL, theme.MUTED, *theme.SEVERITY.values()])
def test_every_colour_is_seen_on_both_backgrounds(colour: str, background: str) -> None:
    assert contrast(colour, background) >= 3.0


@pytest.mark.parametrize("background", [theme.LIGHT_BACKGROUND, theme.DARK_BACKGROUND])
def test_points_are_seen_through_their_opacity(background: str) -> None:
    def channel(at: int) -> int:
        over, under = (int(colour[at : at + 2], 16) for colour in (theme.ACCENT, background))
        return round(theme.POINT_OPACITY * over + (1 - theme.POINT_OPACITY) * under)

    assert contrast("#" + "".join(f"{channel(at):02x}" for at in (1, 3, 5)), background) >= 2.6


def test_backgrounds_are_those_of_the_pages(project_root: Path) -> None:
    config = (project_root / ".streamlit/config.toml").read_text()
    backgrounds = re.findall(r'^backgroundColor = "(#\w{6})"', config, flags=re.MULTILINE)
    assert theme.LIGHT_BACKGROUND in backgrounds
    assert theme.DARK_BACKGROUND in backgrounds


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_and_buttons_are_readable(project_root: Path, mode: str) -> None:
    config = (project_root / ".streamlit/config.toml").read_text()
    section = config.split(f"[theme.{mode}]")[1].split("\n[")[0]
    colours = dict(re.findall(r'^(\w+) = "(#\w{6})"', section, flags=re.MULTILINE))
    assert contrast(colours["textColor"], colours["backgroundColor"]) >= 7
    assert contrast(colours["textColor"], colours["secondaryBackgroundColor"]) >= 7
    assert contrast(colours["linkColor"], colours["backgroundColor"]) >= 4.5
    assert contrast("#FFFFFF", colours["primaryColor"]) >= 4.3


def test_spectrum_gets_lighter_all_the_way() -> None:
    lightness = [luminance(colour) for _, colour in theme.SPECTRUM]
    assert lightness == sorted(lightness)
    assert len(set(lightness)) == len(lightness)


def test_durations_count_every_clip_and_mark_a_limit_that_is_near() -> None:
    figure = dataset_figures.durations([1.0, 2.0, 2.5, 3.0, float("nan")], longest_s=3.2, shortest_s=-50)
    assert sum(figure.data[0].y) == 4
    assert [line.x0 for line in figure.layout.shapes] == [3.2]
    assert [note.text for note in figure.layout.annotations] == ["long"]


def test_loudness_marks_the_median() -> None:
    figure = dataset_figures.loudness([-20.0, -24.0, -31.0])
    assert figure.layout.shapes[0].x0 == -24


@pytest.mark.parametrize("values", [[], [float("nan")], [3.0], [3.0, 3.0]])
def test_histograms_of_next_to_nothing(values: list[float]) -> None:
    figure = dataset_figures.durations(values)
    assert sum(figure.data[0].y) == sum(np.isfinite(values))


def test_findings_put_the_worst_kind_on_top() -> None:
    figure = dataset_figures.findings_by_kind(
        {("loudness", "warning"): 40, ("silent", "error"): 1, ("unreadable", "error"): 3, ("channels", "info"): 90}
    )
    from_below = list(figure.layout.yaxis.categoryarray)
    assert from_below[::-1] == ["unreadable", "silent", "loudness", "channels"]
    assert {bar.name: list(bar.x) for bar in figure.data} == {"error": [3, 1], "warning": [40], "info": [90]}
    assert [bar.marker.color for bar in figure.data] == list(theme.SEVERITY.values())


def test_no_findings_make_an_empty_figure() -> None:
    assert len(dataset_figures.findings_by_kind({}).data) == 0


def test_waveform_shows_a_quiet_clip_as_quiet() -> None:
    quiet = np.full(100, 0.01)
    figure = dataset_figures.waveform(-quiet, quiet, duration_s=2.0)
    low, high = figure.layout.yaxis.range
    assert low <= -1 < 1 <= high
    assert figure.data[1].x[-1] == pytest.approx(1.98)
    loud = dataset_figures.waveform(-150 * quiet, 150 * quiet, duration_s=2.0)
    assert loud.layout.yaxis.range[1] > 1.5


def test_mel_spectrogram_keeps_its_peak_when_it_is_put_together() -> None:
    mel_db = np.full((80, 5000), -100.0)
    mel_db[40, 2500] = -10.0
    heat = dataset_figures.mel_spectrogram(mel_db, duration_s=58.0).data[0]
    shown = np.asarray(heat.z)
    assert shown.shape == (80, 800)
    assert shown.dtype == np.int8
    assert shown.max() == 0
    assert shown.min() == -80
    band, column = np.unravel_index(shown.argmax(), shown.shape)
    assert band == 40
    assert heat.x[column] == pytest.approx(29.0, abs=0.1)


def test_mel_spectrogram_of_silence() -> None:
    heat = dataset_figures.mel_spectrogram(np.full((80, 10), -np.inf), duration_s=0.1).data[0]
    assert np.isfinite(np.asarray(heat.z)).all()


def test_theme_leaves_fonts_and_backgrounds_to_the_page() -> None:
    figure = theme.apply_theme(go.Figure(), "A title")
    assert figure.layout.font.color is None
    assert figure.layout.paper_bgcolor == "rgba(0,0,0,0)"
    assert figure.layout.title.text == "A title"


def test_player_keeps_a_clip_at_its_own_loudness() -> None:
    tone = 0.1 * np.sin(2 * np.pi * 440 * np.arange(22050) / 22050)
    with wave.open(io.BytesIO(wav_bytes(tone.astype(np.float32), 22050))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (22050, 1, 22050)
        samples = np.frombuffer(file.readframes(22050), dtype="<i2")
    assert np.abs(samples).max() == pytest.approx(0.1 * 32767, rel=0.01)


def test_player_survives_samples_that_are_no_numbers() -> None:
    data = wav_bytes(np.array([np.nan, np.inf, -np.inf, 0.5], dtype=np.float32), 16000)
    with wave.open(io.BytesIO(data)) as file:
        samples = np.frombuffer(file.readframes(4), dtype="<i2")
    assert samples.tolist() == [0, 32767, -32767, 16384]
