"""Errors leave a dataset unless somebody overruled them, and what was left out by hand is."""

from __future__ import annotations

from piper_core.dataset.checks import CHECKS
from piper_core.dataset.cleaning import exclusions
from piper_core.dataset.decisions import Fitted, Reason


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
