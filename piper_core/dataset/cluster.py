"""The machines of a dask.distributed scheduler as workers: the same pure functions, on the same paths."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from piper_core.dataset.audio import MEASURE_VERSION, has_librosa
from piper_core.dataset.workers import Workers, WorkersError

_CONNECT_S = 10
_RETRIES = 2


@contextmanager
def cluster(address: str, folder: Path) -> Iterator[Workers]:
    """The workers of a dask.distributed scheduler, at `address` (`tcp://host:8786`) or named by its scheduler file.

    Each has to see the dataset under the same path, and to import this same piper_core. What a lost worker was at, the
    others do. Raises WorkersError.
    """
    try:
        from distributed import Client, KilledWorker
    except ImportError:
        raise WorkersError(
            "dask.distributed is not installed; install it with: pip install distributed (or inspect without --dask)."
        ) from None
    where = {"scheduler_file": address} if Path(address).is_file() else {"address": address}
    try:
        client = Client(**where, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:  # TimeoutError is an OSError
        raise WorkersError(
            f"There is no dask scheduler at {address} ({error}); start one with: dask scheduler."
        ) from None
    with client:
        slots = sum(client.nthreads().values())
        if not slots:
            raise WorkersError(
                f"The dask scheduler at {address} has no workers; start some with: dask worker {address}"
            )
        _check_workers(client, folder)
        try:
            yield Workers(client.get_executor(pure=False, retries=_RETRIES), slots)
        except KilledWorker as error:
            raise WorkersError(f"The dask workers died over the same clips again and again. {error}") from None


def _check_workers(client: Any, folder: Path) -> None:
    try:
        said = client.run(_what_a_worker_has, str(folder))
    except ImportError as error:
        raise WorkersError(
            f"A dask worker can't import what it needs ({error}); install the project's requirements there, and start"
            " it in the project's folder with PYTHONPATH=. set."
        ) from None
    for worker, (version, sees, hears) in said.items():
        if version != MEASURE_VERSION:
            raise WorkersError(f"The dask worker {worker} measures with another version of Piper Studio; update it.")
        if not sees:
            raise WorkersError(f"The dask worker {worker} sees no {folder}; mount it there under that very path.")
        if not hears:
            raise WorkersError(f"librosa is not installed for the dask worker {worker} (pip install librosa).")


def _what_a_worker_has(folder: str) -> tuple[int, bool, bool]:
    return MEASURE_VERSION, Path(folder).is_dir(), has_librosa()
