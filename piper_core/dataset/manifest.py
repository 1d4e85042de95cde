"""The cleaned manifest: the rows that are kept, written beside the original metadata and never over it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from cache_utils.atomic import write_atomically
from piper_core.dataset.layouts import Dataset
from piper_core.dataset.layouts.delimited import read_columns
from piper_core.dataset.metadata_file import CLEANED_SUFFIX, DatasetError

if TYPE_CHECKING:
    from piper_core.dataset.report import DatasetReport


def write_cleaned_manifest(source: DatasetReport | Dataset, excluded: Collection[str] = ()) -> Path:
    """Write the rows of `source` that are usable and not `excluded` (utterance ids) to metadata.cleaned.csv.

    The columns stay as they are; where the inspected file is a cleaned one itself, its successor is numbered.
    Reading the new file gives the same utterances, in Piper's own reader too. Returns its path.
    Raises DatasetError when no row is left, the metadata changed since, or the folder can't be written.
    """
    if isinstance(source, Dataset):
        metadata_path = source.metadata_path
        bad = {finding.row for finding in source.findings if finding.severity == "error"}
        kept = {u.row: u.text for u in source.utterances if u.row not in bad and u.utterance_id not in excluded}
    else:
        metadata_path = Path(source.dataset) / source.metadata
        kept = {u.row: u.text for u in source.utterances if u.usable and u.utterance_id not in excluded}
    if not kept:
        raise DatasetError("No clip is left to write; take some back, or mend what the findings say.")
    columns = {row: values for row, values in read_columns(metadata_path) if row in kept}
    if any(row not in columns or columns[row][-1] != text for row, text in kept.items()):
        raise DatasetError(f"{metadata_path.name} has changed since it was inspected; inspect the dataset again.")
    lines = ["|".join(map(_quoted, columns[row])) for row in sorted(kept)]
    target = cleaned_path(metadata_path)
    try:
        write_atomically(target, ("\n".join(lines) + "\n").encode())
    except OSError as error:
        raise DatasetError(f"{target} can't be written ({error.strerror}); make its folder writable.") from error
    return target


def cleaned_path(metadata_path: Path) -> Path:
    """Where the cleaned manifest of `metadata_path` goes."""
    stem, mark, number = metadata_path.stem.partition(CLEANED_SUFFIX)
    if not mark:
        return metadata_path.with_name(f"{stem}{CLEANED_SUFFIX}{metadata_path.suffix}")
    following = int(number[1:]) + 1 if number[1:].isdigit() else 2
    return metadata_path.with_name(f"{stem}{CLEANED_SUFFIX}-{following}{metadata_path.suffix}")


def _quoted(column: str) -> str:
    """A column that starts with a double quote has to be quoted as CSV, for csv.reader to give it back unchanged."""
    return '"' + column.replace('"', '""') + '"' if column.startswith('"') else column
