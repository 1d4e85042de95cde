"""Rank 0 and the others, from the first process to the last word. Torch-free until they gather."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from piper_core.runs.run import Run
from piper_core.training.config import TrainingConfig
from piper_core.training.ranks import Others, Place, forget_last_words, last_words

if TYPE_CHECKING:
    from piper_core.training.together import Work

CLOSING_S = 30.0
"""How long the others may take to end once rank 0 has."""


class NotTogether(ValueError):
    """Processes and configuration that do not fit each other. The message says how to start them."""


class Company:
    """The processes that train `run` together, as rank 0 sees them; a run on one device has none but itself."""

    def __init__(self, run: Run, config: TrainingConfig, place: Place | None) -> None:
        """`place` is rank 0's where others started the processes. Raises NotTogether."""
        self._run = run
        self._started_by_others = place
        self._others: Others | None = None
        self._told = False
        forget_last_words(run)
        world = config.devices * config.num_nodes
        if place is not None and place.world != world:
            raise NotTogether(
                f"{place.world} processes were started, and the configuration asks for {config.devices} on each of"
                f" {config.num_nodes} machines: start as many as that."
            )
        if place is None and config.num_nodes > 1:
            raise NotTogether(
                f"The run asks for {config.num_nodes} machines: start it on each of them by torchrun or srun, as"
                " docs/several-devices.md shows."
            )
        self.place = place or Place(0, world, 0, world)

    def gather(self, work: Work, on_loss: Callable[[str], None]) -> None:
        """Starts the others where nobody has, tells them the work, and joins them. `on_loss`: see Others.watch."""
        if self.place.world == 1:
            return
        from piper_core.training.together import Meeting

        if self._started_by_others is None:
            self._others = Others(self._run, self.place.world)
            self._others.watch(on_loss)
        meeting = Meeting(self.place)
        meeting.tell(work)
        self._told = True
        meeting.join()

    def trouble(self, error: BaseException) -> str | None:
        """The sentence for an `error` that comes from another process's end; None for one of this process's own."""
        if not self._told:
            return None
        from piper_core.training.together import is_lost_peer

        if not is_lost_peer(error):
            return None
        words = last_words(self._run, self._others)
        return words or "Another process of this run is gone, and with it the run; its log says why."

    def close(self) -> None:
        """Sends home those who wait for work that never came, and ends those that rank 0 started."""
        if self._others is not None:
            self._others.close(CLOSING_S)
        elif self._started_by_others is not None and not self._told:
            from piper_core.training.together import Meeting

            Meeting(self._started_by_others).tell(None)
