"""Where a run goes on: its place between two steps, read from a checkpoint and set in Lightning's counters.

Lightning takes up its own counters, which are right for the most part: saved at an epoch's last batch they begin the
next epoch without its start (so that its learning rate never decays), and saved over another dataset or batch size
they end the first epoch anywhere. So the place is written down by us, and its counters are made from it.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from piper_core.voices.checkpoint import STUDIO_KEY


@dataclass(frozen=True)
class Position:
    """Between two steps."""

    step: int
    """Batches trained on since step 0, over all resumes."""
    epoch: int
    """Of the next batch."""
    batch: int
    """Batches of that epoch that are done."""


def position_of(checkpoint: dict[str, Any], batches_per_epoch: int) -> Position:
    """Where a run of `batches_per_epoch` goes on from a checkpoint of ours, or of Piper's trainer.

    Inside an epoch only where an epoch is made of as many batches as before; otherwise at the next one's start.
    """
    ours = checkpoint.get(STUDIO_KEY)
    if not isinstance(ours, dict) or "step" not in ours:
        # Two optimizers step a batch. An epoch that was begun elsewhere can't be ended here.
        loops = checkpoint.get("loops") or {}
        begun = loops.get("fit_loop", {}).get("epoch_progress", {}).get("current", {}).get("ready")
        return Position(int(checkpoint.get("global_step", 0)) // 2, int(begun or checkpoint.get("epoch", 0)), 0)
    step, epoch, batch = (int(ours.get(name, 0)) for name in ("step", "epoch", "batches_done_in_epoch"))
    same_epochs = ours.get("batches_per_epoch", batches_per_epoch) == batches_per_epoch
    if batch == 0 or (same_epochs and batch < batches_per_epoch):
        return Position(step, epoch, batch)
    return Position(step, epoch + 1, 0)


def loops_at(position: Position, fit_loop: dict[str, Any]) -> dict[str, Any]:
    """Lightning's counters at `position`, made from the state of a fresh fit loop: a checkpoint's `loops`.

    Inside an epoch as Lightning leaves them in `on_train_batch_end`, where our checkpoints are written.
    """
    state = deepcopy(fit_loop)
    begun = position.epoch + (1 if position.batch else 0)
    for span in ("current", "total"):
        state["epoch_progress"][span] = {
            "ready": begun, "started": begun, "processed": position.epoch, "completed": position.epoch,
        }  # fmt: skip
    inside = 1 if position.batch else 0
    batches = state["epoch_loop.batch_progress"]
    for span, count in (("current", position.batch), ("total", position.step)):
        batches[span] = {"ready": count, "started": count, "processed": count, "completed": count - inside}
    batches["is_last_batch"] = False
    steps = 2 * position.step  # one of each optimizer a batch
    state["epoch_loop.manual_optimization.optim_step_progress"]["total"] = {"ready": steps, "completed": steps}
    return {"fit_loop": state}
