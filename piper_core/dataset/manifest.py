"""The cleaned manifest: the rows that stay, their texts as edited, beside the original metadata and never over it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cache_utils.atomic import write_atomically
from piper_core.dataset.cleaning import LeftOut, clean
from piper_core.dataset.export import Exported
from piper_core.dataset.export_log import log_bytes
from piper_core.dataset.layouts import Dataset, Utterance
from piper_core.dataset.layouts.delimited import read_columns
from piper_core.dataset.layouts.writing import ExportedClip, csv_column, nemo_line, one_line
from piper_core.dataset.metadata_file import CLEANED_SUFFIX, DatasetError


def write_cleaned_manifest(
    dataset: Dataset, *, texts: Mapping[int, str] | None = None, left_out: LeftOut | None = None
) -> Exported:
    """Write the rows of `dataset` that stay to metadata.cleaned.csv, and what was changed to metadata.cleaned-log.csv.

    `texts` and `left_out` are by row, as `cleaning.clean` takes them. Columns separated by '|' stay as they are but
    for edited texts; from every other layout a manifest in JSON lines is made, NeMo's, which names spans too:
    metadata.cleaned.jsonl. Where the inspected file is a cleaned one itself, its successor is numbered. Reading the new
    file gives the same utterances, in Piper's own reader too where it is in columns. Raises DatasetError when no row is
    left, or the folder can't be written.
    """
    cleaned = clean(dataset, texts, left_out)
    columns = _columns(dataset)
    before = {said.row: said for said in dataset.utterances}
    if all(said.row in columns and columns[said.row][-1] == before[said.row].text for said in cleaned.utterances):
        target = cleaned_path(dataset.metadata_path)
        rows = [_edited(columns[said.row], before[said.row], said.text) for said in cleaned.utterances]
        lines = ["|".join(map(csv_column, row)) for row in rows]
    else:
        named = dataset.metadata_path.name if CLEANED_SUFFIX in dataset.metadata_path.stem else "metadata.jsonl"
        target = cleaned_path(dataset.folder / named)
        lines = [nemo_line(_clip(dataset, said)) for said in cleaned.utterances]
    log = target.with_name(f"{target.stem}-log.csv")
    try:
        write_atomically(log, log_bytes(cleaned.log))
        write_atomically(target, ("\n".join(lines) + "\n").encode())
    except OSError as error:
        raise DatasetError(f"{target} can't be written ({error.strerror}); make its folder writable.") from error
    return Exported.of(target, dataset.folder, log, len(lines), cleaned.log)


def _edited(columns: list[str], before: Utterance, text: str) -> list[str]:
    """The columns of a row, its text last, with another text: also in place of the one as written, if that stands so
    beside the normalised one."""
    if text == before.text:
        return columns
    texts = 2 if before.written_text is not None and columns[-2:-1] == [before.written_text] else 1
    return [*columns[:-texts], *[one_line(text)] * texts]


def _columns(dataset: Dataset) -> dict[int, list[str]]:
    """The rows of metadata in columns as they stand, by number; none for another layout."""
    if dataset.layout not in ("ljspeech", "ljspeech-normalised", "piper"):
        return {}
    return dict(read_columns(dataset.metadata_path))


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
