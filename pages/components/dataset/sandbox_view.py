"""Thresholds: move a limit and see at once what it would cost, hear the clips nearest to it, leave out those beyond."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from pages.components import quantities
from pages.components.dataset import clip_view, journal_state
from pages.components.dataset.figures.histograms import histogram, mark_limit
from pages.components.dataset.inspection_job import Inspected
from pages.components.dataset.report_view import plain_text
from pages.components.theme import CHART_CONFIG
from piper_core.dataset import clip_columns, sandbox
from piper_core.dataset.checks import LIMITS, Limit, limits_of, moved
from piper_core.dataset.clip_columns import Columns
from piper_core.dataset.decisions import Reason
from piper_core.dataset.journal import JournalError
from piper_core.dataset.limits import beyond, in_force
from piper_core.dataset.sandbox import Loss, PhonemeKinds

_PREPARED = "thresholds_prepared"
_LIMIT = "thresholds_limit"


@dataclass(frozen=True)
class _Prepared:
    """What limits are laid on: worked out once a report."""

    inspected: Inspected
    rows: pd.DataFrame
    """A row a clip in the order of `columns`."""
    columns: Columns
    kinds: PhonemeKinds | None
    """None where the phonemes of no clip are known."""


@st.fragment
def show(inspected: Inspected, folder: Path, language: str) -> None:
    """The limit, what it costs, the nearest clips. A fragment: moving the limit draws this part anew alone."""
    prepared = _prepared(inspected, folder)
    known = [
        limit.key
        for limit in LIMITS.values()
        if not limit.of_set and limit.value is not None and np.isfinite(prepared.columns[limit.measure]).any()
    ]
    if not known:
        st.info("Known once the clips have been measured.", icon=":material/hourglass_empty:")
        return
    limit, threshold = _choose(known, prepared.columns)
    values = prepared.columns[limit.measure]
    clips = np.flatnonzero(beyond(limit, values, threshold))
    _cost(sandbox.loss_of(clips, prepared.columns, prepared.kinds), prepared)
    _leave_out(limit, threshold, clips, prepared, folder)
    figure = histogram(values, limit.unit, f"{limit.key}: {len(clips):,} clips {limit.side} the limit", limit.unit)
    mark_limit(figure, threshold, "limit", values)
    alt = f"Histogram of {limit.measure} of the clips, with the limit at {threshold:.4g} {limit.unit}"
    st.plotly_chart(figure, config=CHART_CONFIG, key="thresholds_chart", alt=alt)
    _nearest(limit, threshold, prepared, folder, language)


def _prepared(inspected: Inspected, folder: Path) -> _Prepared:
    kept: dict[str, _Prepared] = st.session_state.setdefault(_PREPARED, {})
    found = kept.get(str(folder))
    if found is None or found.inspected is not inspected:
        rows = inspected.rows.sort_index(kind="stable")
        phonemes = {row.row: row.known.phonemes for row in inspected.report.utterances}
        kinds = sandbox.phoneme_kinds([phonemes[row] for row in rows["row"]]) if any(phonemes.values()) else None
        found = _Prepared(inspected, rows, clip_columns.of_rows(rows, LIMITS["sample-rate"].value), kinds)
        kept[str(folder)] = found
    return found


def _choose(known: list[str], columns: Columns) -> tuple[Limit, float]:
    """The limit that is looked at, and where it was put: where it is in force, until somebody moves it."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        key = st.selectbox("Limit", known, key=_LIMIT, format_func=_label, width=380)
        limit = LIMITS[key]
        usual = float(in_force(limit, columns[limit.measure]))
        place = f"thresholds_value_{key}"

        def reset() -> None:
            st.session_state[place] = usual

        if place not in st.session_state:
            st.session_state[place] = usual
        spread = float(np.ptp(columns[limit.measure][np.isfinite(columns[limit.measure])]))
        threshold = st.number_input(
            f"Clips {limit.side} this are beyond it ({limit.unit})",
            step=_step(spread),
            format="%.4g",
            key=place,
            width=280,
        )
        st.button(
            "Reset", icon=":material/restart_alt:", on_click=reset, disabled=threshold == usual, key="thresholds_reset"
        )
    st.caption(f"{plain_text(limit.help)} Usually {usual:.4g} {limit.unit}. :gray[{plain_text(limit.source)}]")
    return limit, float(threshold)


def _label(key: str) -> str:
    limit = LIMITS[key]
    return f"{key} ({limit.severity}, {limit.side} {limit.value:g} {limit.unit})"


def _step(spread: float) -> float:
    """A fiftieth of what the clips span, as a power of ten."""
    return float(10.0 ** np.floor(np.log10(spread / 50))) if spread > 0 else 1.0


def _cost(loss: Loss, prepared: _Prepared) -> None:
    all_s = float(np.nansum(prepared.columns["duration_s"]))
    with st.grid(4, min_column_width=140):
        st.metric("Clips beyond", f"{loss.clips.size:,} of {len(prepared.rows):,}", border=True)
        st.metric("Audio beyond", quantities.duration(loss.duration_s / 60), border=True,
                  help=f"{loss.duration_s / all_s:.1%} of all." if all_s else None)  # fmt: skip
        st.metric("Phonemes beyond", f"{loss.phoneme_count:,}", border=True, help="Spoken in these clips.")
        st.metric("Kinds of phonemes lost", "unknown" if prepared.kinds is None else f"{len(loss.last_phonemes)}",
                  border=True, help="No other clip holds them: the voice would never hear them.")  # fmt: skip
    if loss.last_phonemes:
        st.warning(
            f"No other clip holds {plain_text(' '.join(loss.last_phonemes))}.", icon=":material/hearing_disabled:"
        )


def _leave_out(limit: Limit, threshold: float, clips: np.ndarray, prepared: _Prepared, folder: Path) -> None:
    out = journal_state.left_out(prepared.inspected.rows, folder)
    rows = prepared.rows.iloc[clips]
    stays = ~rows["row"].isin(out).to_numpy(bool)
    rows, values = rows[stays], prepared.columns[limit.measure][clips][stays]
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


def _nearest(limit: Limit, threshold: float, prepared: _Prepared, folder: Path, language: str) -> None:
    put = limits_of(moved({limit.key: threshold}))[limit.key]
    outside, inside = sandbox.borderline(prepared.columns, put)
    places = np.concatenate([outside[::-1], inside])
    st.subheader("Nearest to the limit", anchor=False)
    rows = prepared.rows.iloc[places]
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
            "value": st.column_config.NumberColumn(f"{limit.measure} ({limit.unit})", format="%.4g"),
            "text": "Text",
        },
        key=f"thresholds_nearest_{limit.key}_{threshold}",
        alt="The clips nearest to the limit on each side",
    )
    if len(rows):
        chosen = next((row for row in event.selection.rows if row < len(rows)), 0)
        clip = {str(name): value for name, value in rows.iloc[chosen].items()}
        with detail.container(border=True):
            clip_view.show(clip, prepared.inspected.findings_of(clip), folder, language)
