"""The CUDA devices and who uses their memory, by NVIDIA's management library: no torch, nothing allocated.

nvidia-ml-py is optional; without it, or without a driver, `devices` says so in a sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class GpuProcess:
    """A process that holds memory on a device."""

    pid: int
    used_bytes: int | None
    """None where the driver does not tell, as inside containers."""


@dataclass(frozen=True)
class GpuDevice:
    """A CUDA device and its memory, in bytes."""

    index: int
    name: str
    total_bytes: int
    used_bytes: int
    processes: tuple[GpuProcess, ...]
    compute_capability: tuple[int, int] | None = None
    """(8, 0) and above multiply in bfloat16."""


@dataclass(frozen=True)
class GpuUnavailable:
    """No device can be seen."""

    reason: str
    """A sentence."""


def devices() -> list[GpuDevice] | GpuUnavailable:
    """Every CUDA device with its memory and processes at this moment, or why there is none."""
    try:
        import pynvml
    except ImportError:
        return GpuUnavailable(
            "GPU memory can't be shown: the package nvidia-ml-py is not installed. Training works without it."
        )
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return GpuUnavailable(f"There is no NVIDIA GPU to be seen ({error}). Training uses the processor.")
    try:
        count = pynvml.nvmlDeviceGetCount()
        found = [_device(pynvml, index) for index in range(count)]
    except pynvml.NVMLError as error:
        return GpuUnavailable(f"The NVIDIA driver does not answer ({error}); nvidia-smi may tell more.")
    finally:
        pynvml.nvmlShutdown()
    return found or GpuUnavailable("The NVIDIA driver works, but sees no GPU. Training uses the processor.")


def _device(pynvml: Any, index: int) -> GpuDevice:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    name = pynvml.nvmlDeviceGetName(handle)
    try:
        running = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
        capability = tuple(pynvml.nvmlDeviceGetCudaComputeCapability(handle))
    except pynvml.NVMLError_NotSupported:  # older consumer cards
        running, capability = [], None
    return GpuDevice(
        index=index,
        name=name.decode() if isinstance(name, bytes) else name,
        total_bytes=int(memory.total),
        used_bytes=int(memory.used),
        processes=tuple(GpuProcess(int(one.pid), one.usedGpuMemory) for one in running),
        compute_capability=capability,
    )
