"""The importable names in pickles, read off their opcodes: what unpickling would look up, and nothing looked up."""

from __future__ import annotations

import io
import pickletools
import struct

_UNREADABLE = (ValueError, TypeError, struct.error, OverflowError)
"""What damaged opcodes make pickletools raise."""


def names_in(content: bytes) -> set[str]:
    """`{"os.system", ...}` of all pickles that `content` begins with, one after the other, as far as they go."""
    found: set[str] = set()
    pickles = io.BytesIO(content)
    while pickles.tell() < len(content):
        try:
            _add_names(pickles, found)
        except _UNREADABLE:
            break
    return found


def _add_names(pickles: io.BytesIO, found: set[str]) -> None:
    """Adds those of the pickle that begins here. Protocol 4 puts a name together from two strings on the stack, each
    written out or taken from the memo, so strings are followed through both."""
    strings: list[str] = []
    memo: dict[int, str] = {}
    latest = ""
    for operation, argument, _ in pickletools.genops(pickles):
        if operation.name in ("GLOBAL", "INST"):
            found.add(str(argument).replace(" ", "."))
        elif operation.name == "STACK_GLOBAL":
            found.add(".".join(strings[-2:]))
        elif operation.name == "MEMOIZE":
            memo[len(memo)] = latest
        elif "PUT" in operation.name:
            memo[int(str(argument))] = latest
        elif "GET" in operation.name:
            strings.append(memo.get(int(str(argument)), ""))
        else:
            latest = argument if isinstance(argument, str) else ""
            strings += [latest] if latest else []
