"""The cache of features: how large it is, and less of it."""

from __future__ import annotations

from argparse import Namespace

from cache_utils.store import CacheStore
from piper_core.settings import GIGABYTE, Settings


def cache(options: Namespace) -> int:
    settings = Settings.load()
    store = CacheStore(settings.cache_dir, settings.max_cache_bytes, settings.cache_cleanup_threshold)
    freed = store.clean() if options.clean else store.clear() if options.clear else None
    if freed is not None:
        print(f"freed {freed.size_bytes} bytes in {freed.entries} entries")
    entries = len(store.entries())
    limit_gb = settings.max_cache_bytes / GIGABYTE
    print(f"{store.volume()} bytes in {entries} entries, of {settings.max_cache_bytes} ({limit_gb:g} GB)")
    return 0
