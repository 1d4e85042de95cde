"""Quantities as people read them: durations, sizes, times, rates. Pure."""

from __future__ import annotations

_UNITS = ("B", "kB", "MB", "GB", "TB")


def size(size_bytes: float) -> str:
    """`1536` -> `1.5 kB`, in steps of 1024 as file managers count."""
    value = float(size_bytes)
    for unit in _UNITS:
        if abs(value) < 1024 or unit == _UNITS[-1]:
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "B" or abs(value) >= 100 else f"{value:.1f} {unit}"


def duration(minutes: float) -> str:
    """`95` -> `1 h 35 min`; under a minute in seconds, over two days in days."""
    seconds = round(minutes * 60)
    if seconds < 60:
        return f"{seconds} s"
    whole = round(minutes)
    if whole < 60:
        return f"{whole} min"
    if whole < 48 * 60:
        return f"{whole // 60} h {whole % 60:02d} min"
    return f"{whole / 1440:.1f} days"


def duration_range(low_minutes: float, high_minutes: float) -> str:
    """`43 to 48 min`, `8.3 to 10.6 h`: both in the unit that suits the longer one."""
    units = (("days", 1440.0, 1), ("h", 60.0, 1), ("min", 1.0, 0), ("s", 1 / 60, 0))
    unit, minutes, digits = next((one for one in units if high_minutes >= 2 * one[1]), units[-1])
    low, high = f"{low_minutes / minutes:.{digits}f}", f"{high_minutes / minutes:.{digits}f}"
    return f"about {high} {unit}" if low == high else f"{low} to {high} {unit}"


def ago(seconds: float) -> str:
    """How long since: `just now`, `40 s ago`, `3 min ago`, `5 h ago`, `2.4 days ago`."""
    if seconds < 5:
        return "just now"
    if seconds < 60:
        return f"{seconds:.0f} s ago"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min ago"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.0f} h ago"
    return f"{seconds / 86400:.1f} days ago"


def rate(per_second: float) -> str:
    """A rate with three digits that count; slow ones stay readable: `0.042`, `2.81`, `112`."""
    if per_second >= 100:
        return f"{per_second:,.0f}"
    if per_second >= 10:
        return f"{per_second:.1f}"
    return f"{per_second:.2g}" if per_second < 0.1 else f"{per_second:.2f}"
