"""What most clips share is said once, and made once: about the set, with the clips it stands for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from piper_core.dataset import rules, set_rules
from piper_core.dataset.audio import ClipMeasurements, measure
from piper_core.dataset.clip_rules import Clip
from piper_core.dataset.layouts import read_dataset
from piper_core.dataset.report import UtteranceRow

NARROW_HZ = 4000.0


@pytest.fixture(scope="module")
def clips(kathleen: Path) -> list[Clip]:
    """Twenty real clips."""
    found = []
    for said in read_dataset(kathleen).utterances[:20]:
        measured = measure(said.path)
        assert isinstance(measured, ClipMeasurements)
        found.append(Clip(said, f"wavs/{said.path.name}", measured))
    return found


def narrow(clips: list[Clip], count: int) -> list[Clip]:
    """`clips`, of which the last `count` have lost what is above 4 kHz."""
    whole = len(clips) - count
    cut = [replace(clip, measured=replace(clip.measured, bandwidth_hz=NARROW_HZ)) for clip in clips[whole:]]
    return [*clips[:whole], *cut]


def test_a_trait_is_one_finding_made_once_with_the_clips_that_share_it(clips: list[Clip]) -> None:
    told = rules.findings(rules.Evidence.of(narrow(clips, 11)))
    (trait,) = [finding for finding in told.findings if finding.code == "bandwidth"]
    assert (trait.clips, trait.utterance_id, trait.row, trait.limit) == (11, None, None, "bandwidth")
    assert trait.value == pytest.approx(NARROW_HZ / 11025)
    assert trait.message.startswith(f"11 of 20 clips share this, for example {clips[9].utterance.utterance_id}: ")
    assert [(code, places.tolist()) for code, places in told.traits] == [("bandwidth", list(range(9, 20)))]


def test_what_half_of_the_clips_have_is_said_of_each(clips: list[Clip]) -> None:
    told = rules.findings(rules.Evidence.of(narrow(clips, 10)))
    assert [f.row for f in told.findings if f.code == "bandwidth"] == [clip.utterance.row for clip in clips[10:]]
    assert told.traits == []


def test_errors_stay_apart_however_many(clips: list[Clip]) -> None:
    silent = [replace(clip, measured=replace(clip.measured, loudest_frame_dbfs=-90.0)) for clip in clips]
    told = rules.findings(rules.Evidence.of(silent))
    assert sum(finding.code == "silent" for finding in told.findings) == 20
    assert "silent" not in {code for code, _ in told.traits}


def test_spans_of_one_file_share_a_trait_too(clips: list[Clip]) -> None:
    """They are as many clips as there are rows, not as there are files."""
    found = [clip.finding(rules.CHECKS["text-symbols"], "Holds a sign.") for clip in clips]
    of_one_file = [replace(finding, path="wavs/all.wav") for finding in found]
    (folded,) = set_rules.fold_traits(of_one_file, len(clips))
    assert folded.clips == 20


def test_a_clip_has_one_speaking_rate_in_its_finding_and_in_its_row(clips: list[Clip]) -> None:
    """The long pause inside a slow clip is a finding of its own, and counts in neither."""
    spoken = [replace(clip, phoneme_count=round(12 * clip.measured.speech_s)) for clip in clips]
    paused = replace(spoken[3].measured, longest_pause_s=1.0)
    spoken[3] = replace(spoken[3], measured=paused, phoneme_count=20)
    (slow,) = [f for f in rules.findings(rules.Evidence.of(spoken)).findings if f.code == "speaking-rate"]
    row = UtteranceRow(spoken[3], usable=True, codes=("speaking-rate",)).to_dict()
    assert slow.row == row["row"]
    assert f"{row['phonemes_per_s']:.1f} phonemes a second" in slow.message
    assert row["phonemes_per_s"] == pytest.approx(20 / (paused.speech_s - 1.0))
    assert row["characters_per_s"] == pytest.approx(len(row["text"]) / (paused.speech_s - 1.0))
