"""Thresholds: move a limit and see at once what it would cost, hear the clips nearest to it, leave out those beyond."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from pages.components import quantities
from pages.components.dataset import clip_view, journal_state, measurements, moved_limits_view
from pages.components.dataset.figures.histograms import cut_histogram
from pages.components.dataset.inspection_job import Inspected
from pages.components.dataset.report_view import plain_text
from pages.components.theme import CHART_CONFIG
from piper_core.dataset import sandbox
from piper_core.dataset.checks import LIMITS, Limit, limits_of
from piper_core.dataset.clip_columns import Columns
from piper_core.dataset.clip_rules import Clip
from piper_core.dataset.decisions import Reason
from piper_core.dataset.journal import JournalError
from piper_core.dataset.limits import beyond, in_force
from piper_core.dataset.moved_limits import moved_limits
from piper_core.dataset.report import DatasetReport
from piper_core.dataset.sandbox import Loss, PhonemeKinds

_PREPARED = "thresholds_prepared"
_LIMIT = "thresholds_limit"
_SLIDER = "thresholds_slider_"
_NUMBER = "thresholds_value_"
_STEPS = 200
"""Of the slider, at most about."""
_MOST_APART, _OTHERWISE = 0.5, "duration-long"
"""Share of the clips that a limit worth beginning with has beyond it, and the one to begin with where none has."""
_HARDEST = 6
"""Phonemes that are named."""


@dataclass(frozen=True)
class _Prepared:
    """What limits are laid on: the same, wherever they stand."""

    clips: Sequence[Clip]
    columns: Columns
    kinds: PhonemeKinds | None
    """None where the phonemes of no clip are known."""


def show(inspected: Inspected, folder: Path, language: str) -> None:
    """The limit, where it cuts the clips, what it costs alone and with all that were moved; the nearest clips.

    A limit that is moved holds from then on, on every view: no fragment, for the whole page follows.
    """
    prepared, rows = _prepared(inspected, folder), inspected.rows.sort_index(kind="stable")
    known = [
        limit.key
        for limit in LIMITS.values()
        if not limit.of_set and limit.value is not None and np.isfinite(prepared.columns[limit.measure]).any()
    ]
    if not known:
        st.info("Known once the clips have been measured.", icon=":material/hourglass_empty:")
        return
    limit = _choose(known, inspected.report, prepared.columns)
    values = prepared.columns[limit.measure]
    threshold = _place(limit, values, folder)
    clips = np.flatnonzero(beyond(limit, values, threshold))
    st.caption(f"**{plain_text(_label(limit.key))}**")
    _cost(sandbox.loss_of(clips, prepared.columns, prepared.kinds), prepared, "beyond")
    moves = [one.now for one in moved_limits(inspected.report.checks) if not one.now.of_set]
    if [one.key for one in moves] != [limit.key] and moves:
        st.caption(f"**All {len(moves)} moved limits together**, each clip counted once")
        _cost(sandbox.together(prepared.columns, moves, prepared.kinds), prepared, "beyond any")
    _leave_out(limit, threshold, clips, rows, values, folder)
    _nearest(limit, threshold, prepared, rows, inspected, folder, language)


def _prepared(inspected: Inspected, folder: Path) -> _Prepared:
    kept: dict[str, _Prepared] = st.session_state.setdefault(_PREPARED, {})
    evidence, found = inspected.report.evidence, kept.get(str(folder))
    if found is None or found.columns is not evidence.columns:
        kinds = found.kinds if found and found.clips is evidence.clips else None
        if kinds is None and any(clip.phonemes for clip in evidence.clips):
            kinds = sandbox.phoneme_kinds([clip.phonemes for clip in evidence.clips])
        found = kept[str(folder)] = _Prepared(evidence.clips, evidence.columns, kinds)
    return found


def _choose(known: list[str], report: DatasetReport, columns: Columns) -> Limit:
    """The limit that is looked at, as it stands: at first the one that tells most apart."""
    now = limits_of(report.checks)
    # A limit that no clip crosses, or nearly all, shows little.
    apart = [share if (share := _share_beyond(now[key], columns)) < _MOST_APART else 0.0 for key in known]
    first = known[int(np.argmax(apart))] if any(apart) else _OTHERWISE
    key = st.selectbox(
        "Limit", known, key=_LIMIT, format_func=_label, width=420, index=known.index(first) if first in known else 0
    )
    limit = now[key]
    st.caption(f"{plain_text(limit.help)} :gray[{plain_text(limit.source)}]")
    return limit


def _share_beyond(limit: Limit, columns: Columns) -> float:
    values = columns[limit.measure]
    return float(np.mean(beyond(limit, values, float(in_force(limit, values)))))


def _place(limit: Limit, values: np.ndarray, folder: Path) -> float:
    """Draw the clips and where the limit cuts them, let it be moved; where it is in force."""
    threshold, usual = float(in_force(limit, values)), float(in_force(LIMITS[limit.key], values))
    low, high, step = _reach(values, usual)
    slider, number = _SLIDER + limit.key, _NUMBER + limit.key
    # The journal says where the limit stands: so do both widgets, after an undo too.
    for widget, at in ((slider, min(high, max(low, threshold))), (number, threshold)):
        if st.session_state.get(widget) != at:  # one that is being dragged would jump back
            st.session_state[widget] = at

    def move(widget: str) -> None:
        value = float(st.session_state[widget])
        back = abs(value - usual) < step / 2 if widget == slider else value == usual
        moved_limits_view.do(lambda: journal_state.of(folder).limit(limit.key, None if back else value))

    over = beyond(limit, values, threshold)
    figure = cut_histogram(
        values, over, threshold, usual, (low, high), limit.unit,
        f"{limit.key}: {int(over.sum()):,} of {over.size:,} clips {limit.side} {threshold:.4g} {limit.unit}",
    )  # fmt: skip
    named = measurements.label_and_unit(limit.measure)[0].lower()
    alt = f"Histogram of the clips' {named}, with the limit at {threshold:.4g} {limit.unit}"
    st.plotly_chart(figure, config=CHART_CONFIG, key="thresholds_chart", alt=alt)
    st.slider(
        f"Move the limit ({limit.unit})", low, high, step=step, key=slider, on_change=move, args=(slider,),
        format="%.4g", label_visibility="collapsed",
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input(
            f"Clips {limit.side} this are beyond it ({limit.unit})", step=step, format="%.6g", key=number,
            on_change=move, args=(number,), width=280,
        )  # fmt: skip
        st.button(
            f"Reset to {usual:.4g} {limit.unit}", icon=":material/restart_alt:", key="thresholds_reset",
            on_click=lambda: moved_limits_view.do(lambda: journal_state.of(folder).limit(limit.key, None)),
            disabled=limit == LIMITS[limit.key],
        )  # fmt: skip
    return threshold


def _reach(values: np.ndarray, usual: float) -> tuple[float, float, float]:
    """From where to where the slider goes, and its step: over the clips and the usual limit, unless that is far off."""
    known = values[np.isfinite(values)]
    low, high = float(known.min()), float(known.max())
    spread = high - low
    if np.isfinite(usual) and low - spread <= usual <= high + spread:
        low, high = min(low, usual), max(high, usual)
    room = 0.03 * (high - low) or max(1.0, 0.1 * abs(high))
    least = (high - low + 2 * room) / _STEPS
    tens = 10.0 ** np.floor(np.log10(least))
    step = float(next(tens * digit for digit in (1, 2, 5, 10) if tens * digit >= least))
    return float(np.floor((low - room) / step) * step), float(np.ceil((high + room) / step) * step), step


def _label(key: str) -> str:
    limit = LIMITS[key]
    return f"{key} ({limit.severity}, {limit.side} {limit.value:g} {limit.unit})"


def _cost(loss: Loss, prepared: _Prepared, word: str) -> None:
    all_s = float(np.nansum(prepared.columns["duration_s"]))
    with st.grid(4, min_column_width=170):
        st.metric(f"Clips {word}", f"{loss.clips.size:,} of {len(prepared.clips):,}", border=True)
        st.metric(f"Audio {word}", quantities.duration(loss.duration_s / 60), border=True,
                  help=f"{loss.duration_s / all_s:.1%} of all." if all_s else None)  # fmt: skip
        st.metric(f"Phonemes {word}", f"{loss.phoneme_count:,}", border=True, help="Spoken in these clips.")
        st.metric("Kinds of phonemes lost", "unknown" if prepared.kinds is None else f"{len(loss.last_phonemes)}",
                  border=True, help="No other clip holds them: the voice would never hear them.")  # fmt: skip
    if loss.last_phonemes:
        st.warning(
            f"No other clip holds {plain_text(' '.join(loss.last_phonemes))}.", icon=":material/hearing_disabled:"
        )
    partly = [phoneme for phoneme in loss.phonemes if phoneme.lost < phoneme.of]
    rare = [phoneme.name for phoneme in partly if phoneme.gets_rare]
    if rare:
        names = plain_text(" ".join(rare))
        st.warning(f"Fewer than {sandbox.RARE} would be left of {names}.", icon=":material/trending_down:")
    if partly:
        hardest = ", ".join(
            f"**{plain_text(one.name)}** {one.lost:,} of {one.of:,} ({one.share:.0%})" for one in partly[:_HARDEST]
        )
        st.caption(f"Of these phonemes the most would be lost: {hardest}.")


def _leave_out(
    limit: Limit, threshold: float, clips: np.ndarray, all_rows: pd.DataFrame, measure: np.ndarray, folder: Path
) -> None:
    out = journal_state.left_out(all_rows, folder)
    rows = all_rows.iloc[clips]
    stays = ~rows["row"].isin(out).to_numpy(bool)
    rows, values = rows[stays], measure[clips][stays]
    told = "the clip" if len(rows) == 1 else f"the {len(rows):,} clips"
    if st.button(f"Leave out {told} beyond", icon=":material/remove_circle:", disabled=rows.empty,
                 key="thresholds_leave_out", help="Taken back under Clips, or undone in Triage."):  # fmt: skip
        reasons = [Reason(limit.code, float(value), threshold, limit.unit, limit.help) for value in values]
        try:
            journal_state.of(folder).leave_out(journal_state.names(rows), reasons)
        except JournalError as error:
            st.error(str(error))
            return
        st.rerun()
    if (gone := len(clips) - len(rows)) > 0:
        st.caption(f"{gone:,} of the clips beyond {'is' if gone == 1 else 'are'} left out already.")


@st.fragment
def _nearest(
    limit: Limit,
    threshold: float,
    prepared: _Prepared,
    all_rows: pd.DataFrame,
    inspected: Inspected,
    folder: Path,
    language: str,
) -> None:
    outside, inside = sandbox.borderline(prepared.columns, limit)
    places = np.concatenate([outside[::-1], inside])
    st.subheader("Nearest to the limit", anchor=False)
    rows = all_rows.iloc[places]
    listed = pd.DataFrame({
        "clip": rows["utterance_id"].to_numpy(),
        "side": ["beyond"] * len(outside) + ["within"] * len(inside),
        "value": prepared.columns[limit.measure][places],
        "text": rows["text"].str.slice(0, 200).to_numpy(),
    })  # fmt: skip
    table, detail = st.columns([3, 2], gap="medium")
    event = table.dataframe(
        listed,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            "clip": "Clip",
            "side": "Side",
            "value": st.column_config.NumberColumn(
                f"{measurements.label_and_unit(limit.measure)[0]} ({limit.unit})", format="%.4g"
            ),
            "text": "Text",
        },
        key=f"thresholds_nearest_{limit.key}_{threshold}",
        alt="The clips nearest to the limit on each side",
    )
    if len(rows):
        chosen = next((row for row in event.selection.rows if row < len(rows)), 0)
        clip = {str(name): value for name, value in rows.iloc[chosen].items()}
        with detail.container(border=True):
            clip_view.show(clip, inspected.findings_of(clip), folder, language)
