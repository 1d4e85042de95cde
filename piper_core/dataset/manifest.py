"""The cleaned manifest: the rows that are kept, written beside the original metadata and never over it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from cache_utils.atomic import write_atomically
from piper_core.dataset.layouts import Dataset, Utterance, read_dataset
from piper_core.dataset.layouts.delimited import read_columns
from piper_core.dataset.layouts.writing import ExportedClip, csv_column, nemo_line
from piper_core.dataset.metadata_file import CLEANED_SUFFIX, DatasetError

if TYPE_CHECKING:
    from piper_core.dataset.report import DatasetReport


def write_cleaned_manifest(source: DatasetReport | Dataset, excluded: Collection[str] = ()) -> Path:
    """Write the rows of `source` that are usable and not `excluded` (utterance ids) to metadata.cleaned.csv.

    Columns separated by '|' stay as they are; from every other layout a manifest in JSON lines is made, NeMo's, which
    names spans too: metadata.cleaned.jsonl. Where the inspected file is a cleaned one itself, its successor is
    numbered. Reading the new file gives the same utterances, in Piper's own reader too where it is in columns. Returns
    its path. Raises DatasetError when no row is left, the metadata changed since, or the folder can't be written.
    """
    if isinstance(source, Dataset):
        dataset = source
        kept = {u.row: u.text for u in source.usable if u.utterance_id not in excluded}
    else:
        kept = {u.row: u.text for u in source.utterances if u.usable and u.utterance_id not in excluded}
        dataset = read_dataset(Path(source.dataset), source.metadata)
    if not kept:
        raise DatasetError("No clip is left to write; take some back, or mend what the findings say.")
    utterances = {u.row: u for u in dataset.utterances}
    if any(row not in utterances or utterances[row].text != text for row, text in kept.items()):
        raise DatasetError(f"{dataset.metadata_path.name} has changed since it was inspected; inspect it again.")
    columns = {row: values for row, values in _columns(dataset) if row in kept}
    if all(row in columns and columns[row][-1] == text for row, text in kept.items()):
        target = cleaned_path(dataset.metadata_path)
        lines = ["|".join(map(csv_column, columns[row])) for row in sorted(kept)]
    else:
        named = dataset.metadata_path.name if CLEANED_SUFFIX in dataset.metadata_path.stem else "metadata.jsonl"
        target = cleaned_path(dataset.folder / named)
        lines = [nemo_line(_clip(dataset, utterances[row])) for row in sorted(kept)]
    try:
        write_atomically(target, ("\n".join(lines) + "\n").encode())
    except OSError as error:
        raise DatasetError(f"{target} can't be written ({error.strerror}); make its folder writable.") from error
    return target


def _columns(dataset: Dataset) -> list[tuple[int, list[str]]]:
    """The rows of metadata in columns as they stand; none for another layout."""
    if dataset.layout not in ("ljspeech", "ljspeech-normalised", "piper"):
        return []
    return read_columns(dataset.metadata_path)


def _clip(dataset: Dataset, said: Utterance) -> ExportedClip:
    return ExportedClip(
        said.utterance_id, said.text, said.speaker, said.written_text, said.path.relative_to(dataset.folder).as_posix(),
        said.offset_s, said.length_s,
    )  # fmt: skip


def cleaned_path(metadata_path: Path) -> Path:
    """Where the cleaned manifest of `metadata_path` goes."""
    stem, mark, number = metadata_path.stem.partition(CLEANED_SUFFIX)
    if not mark:
        return metadata_path.with_name(f"{stem}{CLEANED_SUFFIX}{metadata_path.suffix}")
    following = int(number[1:]) + 1 if number[1:].isdigit() else 2
    return metadata_path.with_name(f"{stem}{CLEANED_SUFFIX}-{following}{metadata_path.suffix}")
