"""What the voice said during training, by step, newest first; and what the trainer printed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from piper_core.runs.run import Run, RunError, read_json

_STEP = re.compile(r"step=(\d+)")
_LOG_BYTES = 64 * 1024
_LOG_LINES = 200
_SHORT_LINES = 12
_SHOWN_STEPS = 3
_NEWEST = f"The newest {_SHOWN_STEPS} steps"


@dataclass(frozen=True)
class Sample:
    """A sentence as the voice said it at a step."""

    step: int
    path: Path
    text: str
    """What was said; empty when the trainer did not note it."""


def samples(folder: Path) -> dict[int, list[Sample]]:
    """The samples in `folder` by step, newest first: `step=000200-1.wav` with `step=000200-1.json` beside it."""
    found: dict[int, list[Sample]] = {}
    for path in sorted(folder.glob("*.wav")):
        step = _STEP.search(path.name)
        if step:
            found.setdefault(int(step[1]), []).append(Sample(int(step[1]), path, _text(path)))
    return dict(sorted(found.items(), reverse=True))


def _text(path: Path) -> str:
    try:
        about = read_json(path.with_suffix(".json"))
    except RunError:
        return ""
    return str(about.get("text", "")) if about else ""


def tail(log: Path, lines: int = _LOG_LINES) -> str:
    """The last `lines` lines of `log`, of its last 64 KiB; empty when there is none."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _LOG_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def show_samples(run: Run) -> None:
    """The part that polls: players of the chosen steps."""
    by_step = samples(run.samples_dir)
    if not by_step:
        st.caption(f"The first sample is spoken {_first_step(run)}.")
        return
    steps = list(by_step)
    choices: list[int | str] = [_NEWEST, *steps]
    chosen = st.selectbox(
        "Step",
        choices,
        format_func=lambda step: f"Step {step:,}" if isinstance(step, int) else step,
        required=True,
        key=f"sample_step_{run.name}",
        label_visibility="collapsed",
    )
    for step in [chosen] if isinstance(chosen, int) else steps[:_SHOWN_STEPS]:
        # A container of its own, so that a new step above does not move a player that is being heard.
        with st.container(key=f"samples_{run.name}_{step}"):
            st.markdown(f"**Step {step:,}**")
            for sample in by_step[step]:
                if sample.text:
                    st.caption(f"“{sample.text}”")
                st.audio(str(sample.path), alt=f"Sample of step {step}: {sample.text or sample.path.stem}")


def _first_step(run: Run) -> str:
    try:
        return f"at step {run.config().sample_every_steps:,}"
    except RunError:
        return "after some steps"


def show_log(run: Run) -> None:
    """The part that polls: the end of the log."""
    text = tail(run.log_path)
    if not text:
        st.caption("The trainer has printed nothing yet.")
        return
    long = text.count("\n") > _SHORT_LINES
    with st.container(height=420 if long else "content", autoscroll=long, key="log"):
        st.code(text, language=None, wrap_lines=True)
    st.caption(f"The whole log: {run.log_path}")
