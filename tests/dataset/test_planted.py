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
