"""Texts and names from a dataset, as a terminal or a page can show them."""

from __future__ import annotations

import re
from collections.abc import Iterable

_COMMANDS = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What commands a terminal, what turns the direction of reading (UAX #9: embeddings, overrides, isolates), and what
stands for bytes of a file's name that are no UTF-8. Marks of direction belong to Arabic and Hebrew texts and stay."""
_LONGEST_LINE = 500


def lines_for_terminal(lines: Iterable[str]) -> str:
    """`lines`, each printable and cut where it is longer than anybody reads."""
    return "\n".join(
        printable(line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…").replace("\n", "\\n")
        for line in lines
    )


def printable(text: str) -> str:
    """`text` with its commands written as escapes (`\\x1b`), so that they are seen and do nothing."""
    if text.isprintable():
        return text
    return _COMMANDS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
