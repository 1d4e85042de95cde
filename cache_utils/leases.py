"""Which entries a live process uses: one JSON file an owner and process, dead as soon as the process is."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from cache_utils.atomic import write_atomically

FOREIGN_LEASE_S = 24 * 3600.0
"""How long the lease of another machine or container, whose processes can't be seen from here, counts."""


@dataclass(frozen=True)
class Lease:
    """The entries that `owner`, in process `pid` of `host`, works with."""

    owner: str
    pid: int
    process: str
    """The process's identity beyond its reusable pid; see `process_identity`."""
    host: str
    taken_at: float
    """Unix time, seconds."""
    keys: tuple[str, ...]

    def alive(self, now: float) -> bool:
        """Whether the process that took it still runs; on another host: whether it is younger than a day."""
        if self.host != platform.node():
            return now - self.taken_at < FOREIGN_LEASE_S
        return process_identity(self.pid) == self.process


def process_identity(pid: int) -> str | None:
    """What tells a process from a later one with the same pid: boot id and start time. None when it is gone.

    A zombie counts as gone. Where /proc can't be read, a process that exists is just "alive".
    """
    try:
        # proc(5): the command's name, in parentheses, may hold anything; the state follows it, field 22 is the start.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return "alive" if not Path("/proc/self/stat").exists() and _exists(pid) else None
    except ProcessLookupError:  # it ended while its file was being read
        return None
    except PermissionError:
        return "alive" if _exists(pid) else None
    if fields[0] in (b"Z", b"X"):
        return None
    return f"{boot}:{int(fields[19])}"


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def take(folder: Path, owner: str, keys: Iterable[str]) -> Path:
    """Write this process's lease for `owner`, in place of the one it had. Returns the file."""
    pid = os.getpid()
    lease = Lease(owner, pid, process_identity(pid) or "alive", platform.node(), time.time(), tuple(sorted(set(keys))))
    path = _file(folder, owner, pid)
    write_atomically(path, json.dumps(asdict(lease)).encode())
    return path


def give_back(folder: Path, owner: str) -> None:
    """Remove this process's lease for `owner`, and those of `owner`'s processes that are gone."""
    _file(folder, owner, os.getpid()).unlink(missing_ok=True)
    now = time.time()
    for path, lease in read_all(folder):
        if lease is not None and lease.owner == owner and not lease.alive(now):
            path.unlink(missing_ok=True)


def read_all(folder: Path) -> list[tuple[Path, Lease | None]]:
    """Every lease file with its content; None where it is not a lease that we wrote."""
    return [(path, lease) for path in sorted(folder.glob("*.json")) for lease in _read(path)]


def _read(path: Path) -> list[Lease | None]:
    try:
        values = json.loads(path.read_bytes())
        return [Lease(**values | {"keys": tuple(values["keys"])})]
    except FileNotFoundError:  # given back since it was listed
        return []
    except (ValueError, TypeError, KeyError):
        return [None]


def _file(folder: Path, owner: str, pid: int) -> Path:
    # Owners are run folders: their paths are no file names.
    return folder / f"{hashlib.sha256(owner.encode()).hexdigest()[:16]}-{pid}.json"
