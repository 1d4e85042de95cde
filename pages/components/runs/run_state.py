"""How a run's state and progress read on a page. Pure: status in, words out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from pages.components import quantities
from piper_core.runs.status import Progress, State, TrainingStatus

Colour = Literal["red", "orange", "blue", "green", "gray"]


@dataclass(frozen=True)
class Look:
    """A state's word, colour and icon."""

    word: str
    colour: Colour
    """Of st.badge."""
    icon: str


LOOKS: dict[State, Look] = {
    "preparing": Look("Preparing", "blue", ":material/hourglass_top:"),
    "training": Look("Training", "green", ":material/play_arrow:"),
    "validating": Look("Training", "green", ":material/play_arrow:"),
    "paused": Look("Paused", "orange", ":material/pause:"),
    "stopping": Look("Stopping", "orange", ":material/hourglass_bottom:"),
    "stopped": Look("Stopped", "gray", ":material/stop:"),
    "finished": Look("Finished", "blue", ":material/check_circle:"),
    "failed": Look("Failed", "red", ":material/error:"),
    "crashed": Look("Crashed", "red", ":material/warning:"),
}
NOT_STARTED = Look("Not started", "gray", ":material/schedule:")
UNREADABLE = Look("Unreadable", "red", ":material/error:")
_SAID_ELSEWHERE = re.compile(
    r"^Training: step \d+( of \d+)?\.|Resume goes on from step \d+\.$|It had saved no checkpoint yet\.$"
)
_RESUMABLE: frozenset[State] = frozenset({"stopped", "failed", "crashed"})


def look(status: TrainingStatus | None) -> Look:
    """The look of a run with this status; None: it was never started."""
    return NOT_STARTED if status is None else LOOKS[status.state]


def phase(status: TrainingStatus | None) -> str:
    """What the page is laid out for; training and validating take turns, and look the same."""
    if status is None:
        return "not started"
    return "training" if status.state == "validating" else status.state


def resumable(status: TrainingStatus | None) -> bool:
    """Whether the run has ended early, or never began, so that it can go on."""
    return status is None or status.state in _RESUMABLE


def share(progress: Progress) -> float:
    """How far, 0 to 1; while preparing, of the clips."""
    if progress.progress_percent is not None and progress.step:
        return min(1.0, max(0.0, progress.progress_percent / 100))
    if progress.total_clips and not progress.step:
        return min(1.0, progress.prepared_clips / progress.total_clips)
    return 0.0


def progress_line(status: TrainingStatus) -> str:
    """The line above the progress bar: `Step 1,250 of 10,000 · 12.5 %`."""
    progress = status.progress
    if status.state == "preparing" and progress.total_clips:
        return f"Preparing: {progress.prepared_clips:,} of {progress.total_clips:,} clips"
    if progress.total_steps is None:
        return f"Step {progress.step:,}" if progress.step else "Not training yet"
    percent = "" if progress.progress_percent is None else f" · {progress.progress_percent:.1f} %"
    validating = " · validating" if status.state == "validating" else ""
    return f"Step {progress.step:,} of {progress.total_steps:,}{percent}{validating}"


def message(status: TrainingStatus) -> str:
    """The trainer's sentence, without what the page says already: the step, and where a resume goes on."""
    return _SAID_ELSEWHERE.sub("", status.message).strip()


def time_left(status: TrainingStatus) -> tuple[str, str]:
    """The time left and its range, as `("45 min", "43 to 48 min")`; a dash and why when it is not known."""
    progress = status.progress
    if not status.is_alive_state:
        return "–", "the run has ended"
    if status.state == "paused":
        return "–", "paused"
    if not progress.eta_minutes:
        return "–", "soon known"
    if progress.eta_low_minutes is None or progress.eta_high_minutes is None:
        return quantities.duration(progress.eta_minutes), "until training begins" if status.state == "preparing" else ""
    return (
        quantities.duration(progress.eta_minutes),
        quantities.duration_range(progress.eta_low_minutes, progress.eta_high_minutes),
    )


def resume_sentence(status: TrainingStatus) -> str:
    """What a resume of this ended run will do."""
    if status.checkpoint is None:
        return "It had saved no checkpoint, so Resume starts from the beginning; the prepared clips are kept."
    lost = status.progress.step - status.checkpoint.step
    again = f"; the {lost:,} steps since then are done again" if lost > 0 else ""
    return f"Resume goes on from the checkpoint of step {status.checkpoint.step:,}{again}."
