"""How many cores this process may use."""

from __future__ import annotations

import os
from pathlib import Path

CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def cores() -> int:
    """The cores that this process may run on, no more than its container's quota of processor time."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota = CGROUP_QUOTA.read_text(encoding="ascii").split()  # "max 100000" or "200000 100000", microseconds
    except OSError:  # no cgroups here
        return allowed
    if len(quota) == 2 and quota[0].isdigit():
        return min(allowed, max(1, int(quota[0]) // int(quota[1])))
    return allowed
