"""Which entries go first: the one least recently used, never one that is leased."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A file in the cache."""

    key: str
    size_bytes: int
    last_used: float
    """Unix time in seconds of the last real use: written by us at each put, get and path."""


def order_of_eviction(entries: Iterable[Entry], leased: Collection[str], bytes_to_free: int) -> list[Entry]:
    """The fewest entries, least recently used first, whose sizes add up to `bytes_to_free`.

    Leased ones are passed over, so the sum may fall short. Equal times go by key, the same way each time.
    """
    chosen: list[Entry] = []
    for entry in sorted(entries, key=lambda entry: (entry.last_used, entry.key)):
        if bytes_to_free <= 0:
            break
        if entry.key in leased:
            continue
        chosen.append(entry)
        bytes_to_free -= entry.size_bytes
    return chosen
