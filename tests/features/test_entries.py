"""An entry comes back as it was packed; a damaged one is known, whatever its length, and made again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cache_utils.store import CacheStore
from piper_core.features.entries import entry_size_bytes, feature_key, load_features, pack, stored_counts, unpack
from piper_core.features.settings import FeatureError, FeatureSettings

IDS, AUDIO = np.array([1, 0, 165, 2]), np.array([-32768, 0, 32767], np.int16)


def test_packing() -> None:
    ids, audio = unpack(pack(IDS, AUDIO))
    np.testing.assert_array_equal(ids, IDS)
    np.testing.assert_array_equal(audio, AUDIO)
    assert (ids.dtype, audio.dtype) == (np.int64, np.int16)


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:-1] + b"\0", lambda b: b[:20] + b"\xff" + b[21:]])
def test_a_damaged_entry_is_removed_and_says_so(tmp_path: Path, damage) -> None:
    """Cut off, and of the right size with other bytes in it, as a power cut may leave it."""
    store = CacheStore(tmp_path, 10**6)
    store.put("abcd", damage(pack(IDS, AUDIO)))
    with pytest.raises(FeatureError, match="damaged"):
        load_features(store, "abcd")
    assert not store.contains("abcd")
    with pytest.raises(FeatureError, match="removed"):
        load_features(store, "abcd")


def test_counts_are_read_off_a_whole_entry_only(tmp_path: Path) -> None:
    path = tmp_path / "entry"
    path.write_bytes(pack(IDS, AUDIO))
    size_bytes = path.stat().st_size
    assert size_bytes == entry_size_bytes(4, 3)
    assert stored_counts(path, size_bytes) == (4, 3)
    assert stored_counts(path, size_bytes - 1) is None
    assert stored_counts(tmp_path / "gone", size_bytes) is None
    path.write_bytes(b"PSF1")
    assert stored_counts(path, 4) is None


def test_every_part_makes_another_key() -> None:
    settings = FeatureSettings(16000, "en-us")
    energy = FeatureSettings(16000, "en-us", trim="energy")
    keys = {
        feature_key(content, text, chosen.identity)
        for content in (b"a", b"b")
        for text in ("one", "two", "\udc80 of a file name")
        for chosen in (settings, energy, FeatureSettings(22050, "en-us"), FeatureSettings(16000, "de"))
    }
    assert len(keys) == 2 * 3 * 4
