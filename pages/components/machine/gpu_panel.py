"""The GPU: whose memory is on it, and asking trainers to give back what they cache."""

from __future__ import annotations

import time

import streamlit as st

from pages.components import notice, quantities
from piper_core.runs.memory import release_memory
from piper_core.runs.run import Run, list_runs
from piper_core.runs.status import TrainingStatus, live_runs
from piper_core.settings import Settings
from piper_core.system import gpu

POLL_S = 5
RELEASE_WAIT_S = 20.0
_PLACE = "memory"


def show(settings: Settings) -> None:
    """The panel; it looks anew every few seconds."""
    with st.container(border=True, height="stretch"):
        st.subheader("GPU memory", icon=":material/memory:", anchor=False)
        st.fragment(_panel, run_every=POLL_S)(settings)


def _panel(settings: Settings) -> None:
    live = live_runs(list_runs(settings.runs_dir), time.time())
    devices = gpu.devices()
    if isinstance(devices, gpu.GpuUnavailable):
        st.caption(devices.reason)
    else:
        owners = {status.pid: run.name for run, status in live}
        for device in devices:
            st.progress(
                min(1.0, device.used_bytes / max(1, device.total_bytes)),
                f"{device.name}: {quantities.size(device.used_bytes)} of {quantities.size(device.total_bytes)}",
            )
            for process in device.processes:
                owner = f"Run “{owners[process.pid]}”" if process.pid in owners else f"Process {process.pid}"
                held = "a share that the driver does not tell"
                st.caption(f"{owner}: {held if process.used_bytes is None else quantities.size(process.used_bytes)}")
    for run, status in live:
        st.caption(f"Run “{run.name}” holds {_held(status)}.")
    pressed = st.button(
        "Clear memory",
        icon=":material/cleaning_services:",
        key="memory_clear",
        disabled=not live,
        help="Each live trainer gives back, between two steps, the memory that it keeps for later."
        " Training goes on; it takes back what it needs.",
    )
    if not live:
        st.caption("No run is alive, so none holds memory: a trainer gives all of it back when it ends.")
    if pressed:
        with st.spinner("Asking the trainers …"):
            notice.leave(_PLACE, _release([run for run, _ in live]))
    notice.show(_PLACE)


def _held(status: TrainingStatus) -> str:
    memory = status.memory
    if memory.device == "cpu":
        return f"{quantities.size(memory.rss_bytes)} of the machine's memory"
    reserved, allocated = quantities.size(memory.reserved_bytes), quantities.size(memory.allocated_bytes)
    return f"{reserved} on {memory.device}, {allocated} of it in use"


def _release(runs: list[Run]) -> str:
    released = release_memory(runs, timeout_s=RELEASE_WAIT_S)
    said = []
    for name, released_bytes in released.items():
        if released_bytes is None:
            said.append(f"“{name}” has not answered yet; it does so between two steps.")
        elif released_bytes == 0:
            said.append(f"“{name}” had nothing to give back.")
        else:
            said.append(f"“{name}” gave back {quantities.size(released_bytes)}.")
    return " ".join(said) or "No run is alive any more."
