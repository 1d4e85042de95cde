"""Which clips a cleaned dataset leaves out, and by which rule: what a person decided, then what has an error."""

from __future__ import annotations

from collections.abc import Iterable

from piper_core.dataset.checks import Finding
from piper_core.dataset.decisions import Fitted, Reason

BEYOND_KEEPING = frozenset({"missing-audio", "unreadable", "path-escape", "columns", "non-finite", "empty-text"})
"""Errors that no ear can overrule: there is nothing to train on."""
MENDED_BY_TEXT = frozenset({"empty-text", "text-symbols", "transcript-mismatch", "duplicate-audio", "unknown-phoneme"})
"""Errors that another text takes away."""


def exclusions(findings: Iterable[Finding], decided: Fitted) -> dict[int, Reason]:
    """Row -> why it is left out: by a person, or for its first error that nobody overruled.

    Who keeps a clip overrules its errors, as far as there is something to train on; who edits its text those about it.
    """
    found = dict(decided.left_out)
    for finding in findings:
        row = finding.row
        if finding.severity != "error" or row is None or row in found:
            continue
        if row in decided.kept and finding.code not in BEYOND_KEEPING:
            continue
        if decided.texts.get(row, "").strip() and finding.code in MENDED_BY_TEXT:
            continue
        found[row] = Reason(finding.code, finding.value, finding.threshold, finding.unit, finding.message)
    return found
