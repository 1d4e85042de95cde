"""Errors leave a dataset unless somebody overruled them, what was left out by hand is, and more if it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from piper_core.dataset.checks import CHECKS
from piper_core.dataset.cleaning import as_inspected, clean, exclusions
from piper_core.dataset.decisions import Fitted, Reason
from piper_core.dataset.export_log import EDITED, LEFT_OUT
from piper_core.dataset.inspection import inspect
from piper_core.dataset.layouts import DatasetError, read_dataset
from tests.dataset import layouts_by_hand as by_hand


def test_errors_go_unless_they_were_overruled() -> None:
    findings = [
        CHECKS["silent"].finding("silent", row=1, value=-80.0, threshold=-60.0),
        CHECKS["silent"].finding("silent", row=2),
        CHECKS["missing-audio"].finding("missing", row=3),
        CHECKS["empty-text"].finding("empty", row=4),
        CHECKS["empty-text"].finding("empty", row=5),
        CHECKS["noise"].finding("noisy", row=6),
        CHECKS["duplicate-id"].finding("twice", row=7),
        CHECKS["dataset-size"].finding("small", severity="error"),
    ]
    by_hand = Reason(words="a cough")
    decided = Fitted({4: "Four.", 7: "Seven."}, {8: by_hand, 1: by_hand}, frozenset({2, 3, 5, 6}), ())
    assert exclusions(findings, decided) == {
        1: by_hand,
        3: Reason("missing-audio", words="missing"),
        5: Reason("empty-text", words="empty"),
        7: Reason("duplicate-id", words="twice"),
        8: by_hand,
    }
    nobody = Fitted({}, {}, frozenset(), ())
    told = exclusions(findings, nobody)
    assert told.keys() == {1, 2, 3, 4, 5, 7}
    assert told[1].value == -80.0
    assert told[1].code == "silent"


def test_codes_and_severities_go_when_asked_for_and_a_persons_word_stands() -> None:
    noisy = CHECKS["noise"].finding("noisy", row=1, value=12.0, threshold=20.0, utterance_id="a")
    sign = CHECKS["text-symbols"].finding("a sign", row=2, utterance_id="b")
    stereo = CHECKS["channels"].finding("stereo", row=3, utterance_id="c")
    mine = CHECKS["noise"].finding("noisy", row=4, utterance_id="d")
    decided = Fitted({2: "Words."}, {}, frozenset({4}), ())
    findings = [noisy, sign, stereo, mine]
    assert exclusions(findings, decided) == {}
    assert exclusions(findings, decided, {"warning"}).keys() == {1}, "an edit mends the sign, and 4 was kept"
    assert exclusions(findings, decided, {"channels"}).keys() == {3}
    assert exclusions(findings, Fitted({}, {}, frozenset(), ()), {"warning", "info"}).keys() == {1, 2, 3, 4}


def test_clips_that_share_a_trait_go_by_their_codes() -> None:
    trait = CHECKS["bandwidth"].finding("3 of 4 clips share this", value=0.5, threshold=0.8, clips=3)
    own = CHECKS["loudness"].finding("quiet", row=4, utterance_id="d", severity="info")
    codes = {1: ("bandwidth",), 2: ("bandwidth", "loudness"), 3: ("bandwidth",), 4: ("loudness",)}
    decided = Fitted({}, {}, frozenset({3}), ())
    assert exclusions([trait, own], decided, (), codes) == {}
    gone = exclusions([trait, own], decided, {"bandwidth"}, codes)
    assert gone.keys() == {1, 2}
    assert (gone[1].code, gone[1].value, gone[1].threshold) == ("bandwidth", None, 0.8), "the middle is not its value"


def test_of_two_texts_for_one_recording_the_one_that_was_kept_is_written(tmp_path: Path) -> None:
    by_hand.ljspeech(tmp_path)
    metadata = tmp_path / "metadata.csv"
    metadata.write_text(metadata.read_text(encoding="utf-8") + "a1|Another text.\n", encoding="utf-8")
    dataset = read_dataset(tmp_path)
    assert [said.row for said in clean(dataset).utterances] == [2, 3], "nobody said which is right"
    left_out = exclusions(dataset.findings, Fitted({}, {}, frozenset({4}), ()))
    assert [said.row for said in clean(dataset, left_out=left_out).utterances] == [2, 3, 4]


def test_a_text_that_was_edited_to_nothing_leaves_with_its_clip(tmp_path: Path) -> None:
    by_hand.ljspeech(tmp_path)
    dataset = read_dataset(tmp_path)
    cleaned = clean(dataset, texts={1: " ", 2: "Other."})
    assert (cleaned.utterances[0].row, cleaned.utterances[0].text) == (2, "Other.")
    assert [(entry.row, entry.what, entry.reason.code) for entry in cleaned.log] == [
        (1, LEFT_OUT, "by hand"), (2, EDITED, "by hand")
    ]  # fmt: skip


def test_rows_that_moved_since_the_inspection_are_refused(tmp_path: Path) -> None:
    """A finding about row 3 must not leave out what stands there now."""
    by_hand.ljspeech(tmp_path)
    report = inspect(tmp_path, validate_audio=False)
    assert as_inspected(report).utterances == read_dataset(tmp_path).utterances
    lines = (tmp_path / "metadata.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "metadata.csv").write_text("".join(lines[1:]), encoding="utf-8")
    with pytest.raises(DatasetError, match=r"metadata.csv has changed since it was inspected; inspect it again\."):
        as_inspected(report)
