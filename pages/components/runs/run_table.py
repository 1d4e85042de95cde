"""All runs in a table that polls: state, progress, time left, and a button that opens one."""

from __future__ import annotations

import time
from typing import Any

import pandas as pd
import streamlit as st

from pages.components import quantities
from pages.components.runs import run_state
from pages.components.runs.run_view import observed
from piper_core.runs.run import Run, RunError

_OPEN = "run_table_open"


def rows(runs: list[Run], now: float) -> list[dict[str, Any]]:
    """A row a run: what the table shows."""
    return [_row(run, now) for run in runs]


def _row(run: Run, now: float) -> dict[str, Any]:
    status = observed(run)
    row: dict[str, Any] = {"Run": run.name, "Progress": 0.0, "Step": None, "Time left": "", "Mel loss": None}
    if isinstance(status, RunError):
        return row | {"State": [run_state.UNREADABLE.word], "Last word": str(status)}
    row |= {"State": [run_state.look(status).word], "Last word": ""}
    if status is not None:
        row |= {
            "Progress": 100 * run_state.share(status.progress) if status.state != "preparing" else 0.0,
            "Step": status.progress.step,
            "Time left": run_state.time_left(status)[0],
            "Mel loss": status.losses.get("val_mel", status.losses.get("mel")),
            "Last word": quantities.ago(now - status.updated_at),
        }
    return row


def show(runs: list[Run]) -> None:
    """The part that polls."""
    looks = [*run_state.LOOKS.values(), run_state.NOT_STARTED, run_state.UNREADABLE]
    table = pd.DataFrame(rows(runs, time.time()))
    table["Open"] = "Watch"
    st.dataframe(
        table,
        hide_index=True,
        key="run_table",
        placeholder="",
        alt="All runs with their state, progress and time left",
        column_order=["Run", "State", "Progress", "Step", "Time left", "Mel loss", "Last word", "Open"],
        column_config={
            "Run": st.column_config.TextColumn(pinned=True),
            "State": st.column_config.MultiselectColumn(
                options=[look.word for look in looks], color=[look.colour for look in looks]
            ),
            "Progress": st.column_config.ProgressColumn(min_value=0, max_value=100, format="%.0f %%"),
            "Step": st.column_config.NumberColumn(format="localized"),
            "Mel loss": st.column_config.NumberColumn(format="%.2f"),
            "Open": st.column_config.ButtonColumn("", key=_OPEN, on_click=_open, args=([run.name for run in runs],)),
        },
    )


def _open(names: list[str]) -> None:
    click = st.session_state[_OPEN]
    if click is not None:
        st.session_state["run"] = names[click.row]
