"""The figures that several views draw, under one name; all of them are in `figures`."""

from __future__ import annotations

from pages.components.dataset.figures.clip import mel_spectrogram, waveform
from pages.components.dataset.figures.findings import findings_by_kind
from pages.components.dataset.figures.histograms import durations, loudness

__all__ = ["durations", "findings_by_kind", "loudness", "mel_spectrogram", "waveform"]
