"""A measurement's name as people read it: `peak_dbfs` is “Peak”, in dBFS. The name's end says the unit."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from pages.components import quantities

_UNITS = {
    "s": "s", "dbfs": "dBFS", "db": "dB", "lufs": "LUFS", "hz": "Hz", "bytes": "bytes", "percent": "%",
}  # fmt: skip
_WHOLE = {
    "sample_rate": ("Sample rate", "Hz"),
    "subtype": ("Encoding", ""),
    "rms_dbfs": ("RMS", "dBFS"),
    "snr_db": ("Signal to noise", "dB"),
    "floor_snr_db": ("Speech over its pauses", "dB"),
    "dc_offset_percent": ("DC offset", "%"),
    "non_finite_samples": ("Non-finite samples", ""),
    "characters_per_s": ("Characters a second", ""),
    "phonemes_per_s": ("Phonemes a second", ""),
    "phoneme_count": ("Phonemes", ""),
    "transcript_cost": ("Transcript cost", ""),
    "duration_s": ("Length", "s"),
    "size_bytes": ("Size", "bytes"),
    "offset_s": ("Begins at", "s"),
    "length_s": ("Cut length", "s"),
}
"""Names that their words alone would not explain."""
NOT_MEASURED = frozenset(
    ("utterance_id", "path", "text", "written_text", "speaker", "usable", "row", "worst", "findings", "folded",
     "audio_hash")
)  # fmt: skip
"""Columns of the clip table that say something else."""


def label_and_unit(name: str) -> tuple[str, str]:
    """`peak_dbfs` -> (“Peak”, “dBFS”)."""
    if name in _WHOLE:
        return _WHOLE[name]
    stem, _, last = name.rpartition("_")
    unit = _UNITS.get(last, "") if stem else ""
    words = (stem if unit else name).replace("_", " ")
    return words[:1].upper() + words[1:], unit


def label(name: str) -> str:
    """`peak_dbfs` -> “Peak, dBFS”."""
    return ", ".join(filter(None, label_and_unit(name)))


def measured(clip: Mapping[str, object]) -> dict[str, str]:
    """What was measured in `clip`, a row of the clip table, as label -> words with the unit."""
    return {label_and_unit(name)[0]: words(name, value) for name, value in clip.items() if _is_measurement(name, value)}


def words(name: str, value: object) -> str:
    """A measurement's value with its unit."""
    unit = label_and_unit(name)[1]
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if unit == "bytes":
        return quantities.size(float(str(value)))
    if isinstance(value, (float, np.floating)) and not float(value).is_integer():
        return f"{value:,.2f} {unit}".strip()
    if isinstance(value, (int, float, np.number)):
        return f"{value:,.0f} {unit}".strip()
    return str(value)


def numeric(rows: pd.DataFrame) -> list[str]:
    """The measurements in `rows` that clips can be put in order by: numbers that differ, the length first."""
    found = []
    for name in rows.columns:
        column = rows[name]
        if name in NOT_MEASURED or column.dtype.kind not in "if":
            continue
        values = column.to_numpy()
        known = values[np.isfinite(values)]
        if known.size and known.min() < known.max():
            found.append(str(name))
    return found


def _is_measurement(name: str, value: object) -> bool:
    if name in NOT_MEASURED or value is None or isinstance(value, (list, dict, tuple)):
        return False
    if name == "offset_s" and value == 0:
        return False
    return not (isinstance(value, float) and math.isnan(value))
