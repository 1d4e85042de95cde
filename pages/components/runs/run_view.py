"""One run on the Monitor page: what it does, how far it is, and the buttons that steer it."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Literal

import streamlit as st

from pages.components import notice, quantities
from pages.components.runs import run_state
from piper_core.runs import control, launcher
from piper_core.runs.run import Run, RunError
from piper_core.runs.status import TrainingStatus, observe
from piper_core.settings import Settings


def observed(run: Run) -> TrainingStatus | RunError | None:
    """What the run does now; the error, as a value, when one of its files can't be read."""
    try:
        return observe(run, time.time())
    except RunError as error:
        return error


def header(run: Run, status: TrainingStatus | None, settings: Settings) -> None:
    """Name, state, and the buttons that make sense in this state."""
    look = run_state.look(status)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(run.name, anchor=False, width="content")
        st.badge(look.word, icon=look.icon, color=look.colour)
        st.space("stretch")
        longer = _buttons(run, status)
    if longer is not None:
        with st.spinner("Starting the trainer; it speaks up after 5 to 20 s …", show_time=True):
            outcome = launcher.resume(run, settings=settings, max_steps=longer or None)
        if isinstance(outcome, launcher.Started):
            st.rerun()
        notice.leave(_place(run, status), outcome.sentence, good=False)
    notice.show(_place(run, status))


def _place(run: Run, status: TrainingStatus | None) -> str:
    # What was said of one phase is old news in the next.
    return f"{run.folder} {run_state.phase(status)}"


def _buttons(run: Run, status: TrainingStatus | None) -> int | None:
    """The buttons; when the run is to be started again, its new number of steps, 0 for the one that it has."""
    state = status.state if status else None
    ask = functools.partial(_ask, run, _place(run, status))
    if state in ("preparing", "training", "validating"):
        ask("Pause", ":material/pause:", control.request_pause, "Waits after the step at hand.")
    if state == "paused":
        ask("Go on", ":material/play_arrow:", control.request_resume, "Goes on with the next step.", "primary")
    if state in ("preparing", "training", "validating", "paused"):
        ask("Stop", ":material/stop:", control.request_stop, "Saves a checkpoint, then ends. It can be resumed.")
    if run_state.resumable(status):
        label = "Start" if status is None else "Resume"
        return 0 if st.button(label, icon=":material/replay:", type="primary", key="run_resume") else None
    if status is not None and state == "finished":
        with st.popover("Train longer", icon=":material/more_time:", key="run_longer"):
            done = status.progress.step
            steps = st.number_input("Steps in all", done + 1, value=2 * max(1, done), step=100, key="run_longer_steps")
            if st.button("Go on training", type="primary", key="run_longer_go"):
                return int(steps)
    return None


def _ask(
    run: Run,
    place: str,
    label: str,
    icon: str,
    request: Callable[[Run], None],
    help_text: str,
    kind: Literal["primary", "secondary"] = "secondary",
) -> None:
    args = (run, place, label, request)
    st.button(label, icon=icon, key=f"run_{label}", help=help_text, type=kind, on_click=_send, args=args)


def _send(run: Run, place: str, label: str, request: Callable[[Run], None]) -> None:
    try:
        request(run)
    except (RunError, OSError) as error:
        notice.leave(place, f"The request could not be written: {error}", good=False)
    else:
        notice.leave(place, f"Asked to {label.lower()}; the trainer does so between two steps.")


def progress(run: Run, phase: str) -> None:
    """The part that polls: message, bar and figures. The page is run anew only when its phase is another one."""
    status = observed(run)
    if isinstance(status, RunError):
        st.error(str(status))
        return
    if run_state.phase(status) != phase:
        st.rerun()
    if status is None:
        st.caption("This run has a configuration, but no trainer was started for it yet.")
        return
    _message(status)
    st.progress(run_state.share(status.progress), run_state.progress_line(status))
    _figures(status)


def _message(status: TrainingStatus) -> None:
    if status.state not in ("failed", "crashed"):
        if message := run_state.message(status):
            st.caption(message)
        return
    lines = [run_state.message(status)]
    if status.error and status.error not in status.message:
        lines.append(f"The last it said: “{status.error}”")
    lines.append(run_state.resume_sentence(status))
    st.error("\n\n".join(lines), title=f"The run has {run_state.look(status).word.lower()}")


def _figures(status: TrainingStatus) -> None:
    progress = status.progress
    left, spread = run_state.time_left(status)
    with st.grid(6, min_column_width=130):
        _figure("Time left", left, spread, "From this run's speed so far, its breaks included; below, how sure it is.")
        _figure("Steps a second", _rate(progress.steps_per_second), "batches", "How many batches are trained a second.")
        _figure("Clips a second", _rate(progress.samples_per_second), "utterances", "Steps times the batch size.")
        _figure("Epoch", f"{progress.epoch:,}", "passes", "Whole passes over the dataset so far.")
        mel, val_mel = status.losses.get("mel"), status.losses.get("val_mel")
        validation = f"validation {val_mel:.2f}" if val_mel is not None else "not validated yet"
        _figure(
            "Mel loss", "–" if mel is None else f"{mel:.2f}", validation, "Distance of the sound from the recording."
        )
        _figure("Memory", *_memory(status), "Of the trainer's process; all of it is given back when the run ends.")


def _figure(label: str, value: str, note: str, help_text: str) -> None:
    st.metric(
        label, value, note or None, delta_color="off", delta_arrow="off", help=help_text, border=True, height="stretch"
    )


def _rate(per_second: float | None) -> str:
    return "–" if per_second is None else quantities.rate(per_second)


def _memory(status: TrainingStatus) -> tuple[str, str]:
    memory = status.memory
    if not status.is_alive_state:
        return "–", "given back"
    if memory.device == "cpu":
        return quantities.size(memory.rss_bytes), "on the processor"
    return quantities.size(memory.reserved_bytes), f"of {quantities.size(memory.total_bytes)} on {memory.device}"
