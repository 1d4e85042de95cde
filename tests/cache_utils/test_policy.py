"""The order of eviction: least recently used first, leased never, no more than needed."""

from __future__ import annotations

import random

from cache_utils.policy import Entry, order_of_eviction


def test_the_least_recently_used_go_first_and_no_more_than_needed() -> None:
    entries = [Entry("new", 10, 3.0), Entry("old", 10, 1.0), Entry("middle", 10, 2.0)]
    assert [entry.key for entry in order_of_eviction(entries, set(), 11)] == ["old", "middle"]
    assert [entry.key for entry in order_of_eviction(entries, set(), 10)] == ["old"]
    assert order_of_eviction(entries, set(), 0) == []


def test_leased_entries_are_passed_over_even_when_too_little_comes_free() -> None:
    entries = [Entry("old", 10, 1.0), Entry("new", 10, 2.0)]
    assert [entry.key for entry in order_of_eviction(entries, {"old"}, 100)] == ["new"]


def test_equal_times_go_by_key_in_any_order_of_listing() -> None:
    entries = [Entry(key, 1, 5.0) for key in "dbca"]
    random.Random(0).shuffle(entries)
    assert [entry.key for entry in order_of_eviction(entries, set(), 3)] == ["a", "b", "c"]
