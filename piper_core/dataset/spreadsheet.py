"""What a table is written as, so that a spreadsheet shows it and runs none of it."""

from __future__ import annotations

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def no_formula(value: object) -> object:
    """`value`; a spreadsheet would run a text that starts like a formula (OWASP: CSV injection)."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
