"""Limits that stand elsewhere than in the table: in words, and as a person writes them, `duration-long=12`."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from piper_core.dataset.checks import CHECKS, LIMITS, Check, Limit, limits_of

OFF = "off"
"""Written in place of a number: the limit is not checked."""


@dataclass(frozen=True)
class MovedLimit:
    """A limit of the table and where it stands now."""

    usual: Limit
    now: Limit

    @property
    def words(self) -> str:
        """As “duration-long: 12 s instead of 15 s”."""
        at_least = " or what the set itself suggests" if self.usual.fence_iqr is not None else ""
        return f"{self.now.key}: {_value(self.now)} instead of {_value(self.usual)}{at_least}"


def moved_limits(checks: Mapping[str, Check]) -> tuple[MovedLimit, ...]:
    """The limits of `checks` that do not stand where the table has them, in the table's order."""
    now = limits_of(checks)
    return tuple(MovedLimit(usual, now[key]) for key, usual in limits_of(CHECKS).items() if now[key] != usual)


def known(values: Mapping[str, float]) -> dict[str, float]:
    """Those of `values` that name a limit: a journal may come from another version."""
    return {key: value for key, value in values.items() if key in LIMITS}


def written(assignments: Iterable[str]) -> dict[str, float | None]:
    """`duration-long=12` or `noise=off`, several, as `checks.moved` takes them; of one limit the last counts.

    Raises ValueError with a sentence for what is no limit, or no number.
    """
    values: dict[str, float | None] = {}
    for assignment in assignments:
        key, sign, value = (part.strip() for part in assignment.partition("="))
        if not sign:
            raise ValueError(f"--limit {assignment}: write a limit and its value, as duration-long=12.")
        if key not in LIMITS:
            raise ValueError(f"--limit {assignment}: {_unknown(key)}")
        values[key] = None if value.casefold() == OFF else _number(value, assignment, LIMITS[key])
    return values


def to_dict(checks: Mapping[str, Check]) -> dict[str, dict[str, object]]:
    """Every limit of `checks` by key, as the JSON report holds it.

    `value` None: not checked. Where `fence_iqr` is set, the value is the least, and the findings' `threshold` says
    where the set's own limit lay.
    """
    return {
        key: {
            "code": limit.code, "measure": limit.measure, "side": limit.side, "severity": limit.severity,
            "value": limit.value, "default": LIMITS[key].value, "unit": limit.unit, "fence_iqr": limit.fence_iqr,
            "moved": limit != LIMITS[key],
        }
        for key, limit in limits_of(checks).items()
    }  # fmt: skip


def _value(limit: Limit) -> str:
    return OFF if limit.value is None else f"{limit.value:g} {limit.unit}"


def _unknown(key: str) -> str:
    if key in CHECKS and (own := [limit.key for limit in CHECKS[key].limits]):
        return f"{key} has several limits; name one of {', '.join(own)}."
    if key in CHECKS:
        return f"{key} has no limit that could be moved."
    near = difflib.get_close_matches(key, LIMITS, 1)
    meant = f"did you mean {near[0]}? All are" if near else "there are"
    return f"there is no limit {key!r}; {meant} {', '.join(LIMITS)}."


def _number(value: str, assignment: str, limit: Limit) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"--limit {assignment}: {value!r} is no number; write one in {limit.unit}, or {OFF}.")
    return number
