"""The clips of a dataset in recording order, as arrays to draw. No Streamlit."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

METADATA, FILE_NAME, LAST_NUMBER = "As in the metadata", "By file name", "By the last number in the file name"
ORDERS = (METADATA, FILE_NAME, LAST_NUMBER)
"""What may be the order of recording. Numbers count as numbers: clip2 comes before clip10."""


def recording_order(rows: pd.DataFrame, order: str = METADATA) -> np.ndarray:
    """Positions in `rows` (the clip table's) in recording order."""
    if order == METADATA:
        return np.argsort(rows["row"].to_numpy(), kind="stable")
    key: Callable[[str], Any] = _natural if order == FILE_NAME else _last_number
    keys = [key(PurePosixPath(path).stem) for path in rows["path"]]
    return np.array(sorted(range(len(rows)), key=keys.__getitem__), dtype=int)


def numbers(rows: pd.DataFrame, column: str) -> np.ndarray | None:
    """A measurement [N] as floats, NaN where unknown; None where no clip has it (yet)."""
    if column not in rows:
        return None
    values = pd.to_numeric(rows[column], errors="coerce").to_numpy(dtype=float)
    return values if np.isfinite(values).any() else None


def speaking_rates(rows: pd.DataFrame) -> tuple[np.ndarray, str] | None:
    """Phonemes a second of speech [N], or characters where phonemes were not counted; None before any is known."""
    for column, unit in (("phonemes_per_s", "phonemes"), ("characters_per_s", "characters")):
        rates = numbers(rows, column)
        if rates is not None:
            return rates, unit
    durations = numbers(rows, "duration_s")
    if durations is None:
        return None
    for column in ("leading_silence_s", "trailing_silence_s"):
        silence = numbers(rows, column)
        durations = durations - (0.0 if silence is None else np.nan_to_num(silence))
    letters = rows["text"].str.replace(r"[\W_]+", "", regex=True).str.len().to_numpy(dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(durations > 0.05, letters / durations, np.nan), "letters"


def _natural(name: str) -> list[tuple[int, int, str]]:
    pieces = re.split(r"(\d+)", name.casefold())
    return [(1, int(piece), "") if piece.isdecimal() else (0, 0, piece) for piece in pieces if piece]


def _last_number(name: str) -> tuple[int, list[tuple[int, int, str]]]:
    found = re.findall(r"\d+", name)
    return (int(found[-1]) if found else -1, _natural(name))
