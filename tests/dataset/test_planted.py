"""Every code is found where it was planted, at every strength that matters; docs/checks.md says the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from piper_core.dataset.checks import CHECKS, LIMITS
from tests.planted import Planting, limits_table, look, plantings

ALL = [planting for planting in plantings() if planting.must]


def test_every_code_is_planted() -> None:
    assert {planting.code for planting in plantings()} == set(CHECKS)


@pytest.mark.parametrize("planting", ALL, ids=lambda planting: f"{planting.code}: {planting.strength}")
def test_what_was_planted_is_found(planting: Planting, kathleen: Path) -> None:
    found = look(planting, kathleen.parent)
    assert found.found == len(planting.clips), found


def test_the_page_lists_every_limit_as_it_stands(project_root: Path) -> None:
    page = (project_root / "docs/checks.md").read_text(encoding="utf-8")
    assert limits_table() in page, "write it again: python -m tests.planted DATA docs/checks.md"
    assert [key for key in LIMITS if f"`{key}`" not in page] == []


def test_the_page_says_what_is_found(project_root: Path) -> None:
    """A row a planting, each that matters found in every clip, and every limit crossed by one."""
    page = (project_root / "docs/checks.md").read_text(encoding="utf-8")
    table = page.partition("<!-- planted -->")[2].partition("<!-- end of planted -->")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")][1:]
    weak = " (weak)"
    assert [(code, strength) for code, strength, *_ in rows] == [
        (planting.code, planting.strength + weak * (not planting.must)) for planting in plantings()
    ], "write it again: python -m tests.planted DATA docs/checks.md"
    found = [row[2].split(" of ") for row in rows if not row[1].endswith(weak)]
    assert [many for many, of in found if many != of] == []
    assert [key for key in LIMITS if f"`{key}`" not in table] == []
