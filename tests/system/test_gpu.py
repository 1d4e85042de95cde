"""GPU memory without a GPU, without a driver, without the package; and with NVIDIA's library played by a stand-in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from piper_core.system import gpu
from piper_core.system.gpu import GpuDevice, GpuProcess, GpuUnavailable

ROOT = Path(__file__).resolve().parents[2]


class StandInError(Exception):
    """NVMLError."""


class StandInNotSupported(StandInError):
    """NVMLError_NotSupported."""


class StandInNvml:
    """NVIDIA's library with one card; nothing of it is measured."""

    NVMLError = StandInError
    NVMLError_NotSupported = StandInNotSupported

    def __init__(self, cards: int = 1, broken: str = "") -> None:
        self.cards, self.broken, self.open = cards, broken, 0

    def nvmlInit(self) -> None:
        if self.broken == "init":
            raise StandInError("Driver Not Loaded")
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        if self.broken == "count":
            raise StandInError("Unknown Error")
        return self.cards

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetName(self, handle: int) -> bytes:
        return b"Card %d" % handle

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> SimpleNamespace:
        return SimpleNamespace(total=24 * 2**30, used=2**30, free=23 * 2**30)

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[SimpleNamespace]:
        if self.broken == "processes":
            raise StandInNotSupported("Not Supported")
        return [SimpleNamespace(pid=5, usedGpuMemory=10**9), SimpleNamespace(pid=6, usedGpuMemory=None)]

    def nvmlDeviceGetCudaComputeCapability(self, handle: int) -> list[int]:
        return [8, 6]


def with_nvml(monkeypatch: pytest.MonkeyPatch, nvml: StandInNvml) -> StandInNvml:
    monkeypatch.setitem(sys.modules, "pynvml", nvml)  # type: ignore[arg-type]
    return nvml


def test_what_this_machine_has_is_a_list_or_a_sentence() -> None:
    found = gpu.devices()
    if isinstance(found, GpuUnavailable):
        assert found.reason.endswith(".")
    else:
        assert all(0 <= device.used_bytes <= device.total_bytes for device in found)


def test_cards_with_their_memory_and_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = with_nvml(monkeypatch, StandInNvml(cards=2))
    processes = (GpuProcess(5, 10**9), GpuProcess(6, None))
    assert gpu.devices() == [
        GpuDevice(0, "Card 0", 24 * 2**30, 2**30, processes, (8, 6)),
        GpuDevice(1, "Card 1", 24 * 2**30, 2**30, processes, (8, 6)),
    ]
    assert nvml.open == 0


def test_a_card_that_does_not_tell_its_processes_is_still_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with_nvml(monkeypatch, StandInNvml(broken="processes"))
    found = gpu.devices()
    assert isinstance(found, list)
    assert found[0].processes == ()


@pytest.mark.parametrize(
    ("nvml", "says"),
    [
        (StandInNvml(broken="init"), "Driver Not Loaded"),
        (StandInNvml(broken="count"), "does not answer"),
        (StandInNvml(cards=0), "sees no GPU"),
    ],
)
def test_no_card_to_be_seen_is_a_sentence(monkeypatch: pytest.MonkeyPatch, nvml: StandInNvml, says: str) -> None:
    with_nvml(monkeypatch, nvml)
    found = gpu.devices()
    assert isinstance(found, GpuUnavailable)
    assert says in found.reason
    assert nvml.open == 0


def test_without_the_package_a_sentence_says_so() -> None:
    program = (
        "import sys; sys.modules['pynvml'] = None; from piper_core.system.gpu import devices; print(devices().reason)"
    )
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "nvidia-ml-py is not installed" in said


def test_looking_at_the_card_loads_no_torch() -> None:
    program = "import sys; from piper_core.system.gpu import devices; devices(); print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.strip() == "False"
