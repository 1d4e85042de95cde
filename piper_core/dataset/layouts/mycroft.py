"""Mimic Recording Studio, Mycroft's: `<name>-metadata.txt` with `file.wav|text|length`, beside the recordings.

Piper's preprocessing took every such file beneath the folder, and its folder's name for the speaker; so does this.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from piper_core.dataset.layouts.rows import Row, Rows, renumbered
from piper_core.dataset.metadata_file import DatasetError, read_lines

SUFFIX = "-metadata.txt"


def read_mycroft(folder: Path, metadata_paths: Sequence[Path]) -> Rows:
    """The rows of each file; several files are several speakers. Raises DatasetError."""
    read = Rows("mycroft", metadata_paths[0] if len(metadata_paths) == 1 else folder, ids_are_file_names=True)
    several = len({path.parent for path in metadata_paths}) > 1
    first_number = 0
    for path in metadata_paths:
        inside = path.relative_to(folder)
        prefix = "" if inside.parent == Path() else inside.parent.as_posix() + "/"
        lines = read_lines(path, folder)
        read.findings += renumbered(lines.findings, first_number)
        for number, line in enumerate(lines.lines, start=first_number + 1):
            if not line.strip():
                continue
            # The text may hold the delimiter: the name is first, the length last.
            name, *middle = line.split("|")
            name, text = name.strip(), "|".join(middle[:-1] if len(middle) > 1 else middle).strip()
            if not name or not middle or (len(middle) > 1 and not _is_number(middle[-1].strip())):
                read.leave_out(number, "is no `file.wav|text|length`; it is left out.", name, value=len(middle) + 1)
                continue
            read.rows.append(Row(number, prefix + name, text, path.parent.name if several and prefix else None))
        first_number += len(lines.lines)
    if not read.rows:
        raise DatasetError(f"{metadata_paths[0].name} has no rows; write a line `file.wav|text|length` for each clip.")
    return read


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()
