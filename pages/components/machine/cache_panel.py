"""The feature cache: how full it is, and how to empty it."""

from __future__ import annotations

import time

import streamlit as st

from cache_utils.store import CacheStore, Freed
from pages.components import notice, quantities
from piper_core.settings import Settings

POLL_S = 10
_PLACE = "cache"


def show(settings: Settings) -> None:
    """The panel; it counts anew every few seconds."""
    with st.container(border=True, height="stretch"):
        st.subheader("Feature cache", icon=":material/database:", anchor=False)
        st.fragment(_panel, run_every=POLL_S)(settings)


def _panel(settings: Settings) -> None:
    try:
        store = _store(settings)
        entries, leased = store.entries(), store.leased()
    except OSError as error:
        st.warning(f"The cache in {settings.cache_dir} can't be read: {error.strerror}.")
        return
    volume = sum(entry.size_bytes for entry in entries)
    limit = settings.max_cache_bytes
    st.progress(min(1.0, volume / limit), f"{quantities.size(volume)} of {quantities.size(limit)}")
    if entries:
        used = quantities.ago(time.time() - max(entry.last_used for entry in entries))
        in_use = sum(entry.key in leased for entry in entries)
        st.caption(f"{len(entries):,} entries, last used {used}; {in_use:,} in use by a run.")
    else:
        st.caption("Empty. Each run keeps its prepared clips here, so that the next one starts at once.")
    target = int(limit * settings.cache_cleanup_threshold)
    with st.container(horizontal=True):
        st.button(
            "Clean",
            icon=":material/mop:",
            key="cache_clean",
            on_click=_clean,
            args=(settings,),
            disabled=volume <= target,
            help=f"Removes what was not used for longest, down to {quantities.size(target)}."
            " It happens by itself when a run starts, and past the limit.",
        )
        with st.popover("Clear", icon=":material/delete:", disabled=not entries, key="cache_clear"):
            st.markdown("Remove every entry that no run is using? Clips are prepared again when they are next needed.")
            st.button("Clear the cache", type="primary", key="cache_clear_sure", on_click=_clear, args=(settings,))
    notice.show(_PLACE)


def _store(settings: Settings) -> CacheStore:
    return CacheStore(settings.cache_dir, settings.max_cache_bytes, settings.cache_cleanup_threshold)


def _clean(settings: Settings) -> None:
    notice.leave(_PLACE, _freed(_store(settings).clean()))


def _clear(settings: Settings) -> None:
    notice.leave(_PLACE, _freed(_store(settings).clear()))


def _freed(freed: Freed) -> str:
    if not freed.entries:
        return "Nothing was removed: all that is there is in use."
    return f"Removed {freed.entries:,} entries, {quantities.size(freed.size_bytes)}."
