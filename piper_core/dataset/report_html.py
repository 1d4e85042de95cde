"""The report as one HTML page: no script, no file beside it, light and dark."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from piper_core.dataset.audio import ClipMeasurements
from piper_core.dataset.checks import CHECKS, Finding
from piper_core.dataset.moved_limits import moved_limits
from piper_core.dataset.printable import printable
from piper_core.dataset.report_pictures import histogram

if TYPE_CHECKING:
    from piper_core.dataset.report import DatasetReport, UtteranceRow

_MAX_EXAMPLES = 200
"""Findings of one kind that are listed; the JSON report holds all."""
_MAX_CLIPS = 20_000
"""Clips that are listed one by one; of a larger set those with a finding, since a browser draws no more."""
_PICTURES = (
    ("duration_s", "Length", "s"),
    ("loudness_lufs", "Loudness", "LUFS"),
    ("snr_db", "Signal over noise (WADA-SNR)", "dB"),
    ("bandwidth_hz", "Bandwidth", "Hz"),
    ("characters_per_s", "Speaking rate", "characters a second"),
    ("pitch_hz", "Pitch", "Hz"),
)
"""Measurements that are drawn: name in the report, title, unit."""
_STYLE = """
:root{color-scheme:light dark;--line:color-mix(in srgb,currentColor 18%,transparent)}
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:1rem}
dt{opacity:.7}dd{margin:0;font-size:1.3rem;font-weight:600}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.error{color:light-dark(#b3261e,#ff8a80)}.warning{color:light-dark(#8a5a00,#ffc65c)}.info{opacity:.75}
.pictures{display:grid;grid-template-columns:repeat(auto-fit,minmax(16rem,1fr));gap:1.5rem}
figure{margin:0}figcaption{font-size:.9rem;opacity:.8}svg{width:100%;height:auto}
svg .bars{fill:light-dark(#1f8a9e,#4fb3c5)}svg line{stroke:currentColor;stroke-dasharray:3 3}
svg text{fill:currentColor;font-size:11px;opacity:.75}
details{border-bottom:1px solid var(--line);padding:.4rem 0}summary{cursor:pointer}
"""


def page(report: DatasetReport) -> str:
    """The whole page. Everything that comes from the dataset is escaped."""
    name = escape(report.dataset.rstrip("/").rpartition("/")[2] or report.dataset)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Dataset report: {name}</title><style>{_STYLE}</style></head><body>\n"
        f"<h1>Dataset report: {name}</h1>\n<p>{escape(report.dataset)}, read from {escape(report.metadata)}"
        f" ({escape(report.layout)}), texts as {escape(report.language)}.</p>\n"
        + _totals(report)
        + "".join(f"<p><strong>Not checked:</strong> {escape(sentence)}</p>\n" for sentence in report.not_checked)
        + "".join(f"<p><strong>Limit moved:</strong> {escape(one.words)}</p>\n" for one in moved_limits(report.checks))
        + _pictures(report)
        + "<h2>Findings</h2>\n"
        + (_findings(report.findings) or "<p>Nothing was found.</p>\n")
        + "<h2>Clips</h2>\n"
        + _clips(report.utterances)
        + "</body></html>\n"
    )


def escape(text: str) -> str:
    """`text` as a page shows it, whatever it holds."""
    return html.escape(printable(text))


def _totals(report: DatasetReport) -> str:
    summary = report.summary
    values = (
        ("clips", f"{summary.utterances:,}"),
        ("usable", f"{summary.usable:,}"),
        ("minutes", f"{summary.duration_s / 60:.1f}"),
        ("usable minutes", f"{summary.usable_duration_s / 60:.1f}"),
        ("speakers", str(summary.speakers)),
        ("sample rates", ", ".join(f"{rate} Hz" for rate in summary.sample_rates) or "unknown"),
        ("errors", f"{summary.errors:,}"),
        ("warnings", f"{summary.warnings:,}"),
    )
    return "<dl>" + "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in values) + "</dl>\n"


def _pictures(report: DatasetReport) -> str:
    rows = [row.to_dict() for row in report.utterances]
    drawn = "".join(histogram((row.get(name) for row in rows), title, unit) for name, title, unit in _PICTURES)
    return f'<h2>Pictures</h2>\n<div class="pictures">{drawn}</div>\n' if drawn else ""


def _findings(findings: Iterable[Finding]) -> str:
    kinds: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        kinds.setdefault((finding.severity, finding.code), []).append(finding)
    parts = []
    for (severity, code), found in kinds.items():
        check = CHECKS.get(code)
        count = sum(finding.clips for finding in found)
        help_text = f"<p>{escape(check.help)} <small>Source: {escape(check.source)}.</small></p>" if check else ""
        items = "".join(
            f"<li>{f'<b>{escape(where)}</b>: ' if (where := f.utterance_id or f.path) else ''}{escape(f.message)}"
            f"{_limit(f)}</li>"
            for f in found[:_MAX_EXAMPLES]
        )
        more = f"<li>and {len(found) - _MAX_EXAMPLES:,} more</li>" if len(found) > _MAX_EXAMPLES else ""
        parts.append(
            f'<details{" open" if severity == "error" else ""}><summary><span class="{severity}">{severity}</span>'
            f" <b>{escape(code)}</b> ({count:,})</summary>{help_text}<ul>{items}{more}</ul></details>\n"
        )
    return "".join(parts)


def _limit(finding: Finding) -> str:
    """The value beside its threshold, where the rule has one."""
    if finding.value is None or finding.threshold is None:
        return ""
    return f" <small>({finding.value:.4g} against {finding.threshold:.4g} {escape(finding.unit)})</small>"


def _clips(rows: Sequence[UtteranceRow]) -> str:
    note = ""
    if len(rows) > _MAX_CLIPS:
        listed = [row for row in rows if row.codes][:_MAX_CLIPS]
        note = f"<p>{len(listed):,} of {len(rows):,} clips are listed: those with a finding.</p>\n"
        rows = listed
    head = (
        '<div class="scroll"><table><thead><tr><th>clip</th><th>text</th><th>speaker</th><th class="n">seconds</th>'
        '<th class="n">Hz</th><th class="n">peak dBFS</th><th class="n">LUFS</th><th>findings</th></tr></thead>'
        "\n<tbody>"
    )
    return note + head + "".join(map(_clip, rows)) + "</tbody></table></div>\n"


def _clip(row: UtteranceRow) -> str:
    measured = row.clip if isinstance(row.clip, ClipMeasurements) else None
    numbers = (
        _number(row.duration_s, ".2f"),
        _number(row.sample_rate, "d"),
        _number(measured.peak_dbfs if measured else None, ".1f"),
        _number(measured.loudness_lufs if measured else None, ".1f"),
    )
    return (
        f"<tr><td>{escape(row.utterance_id)}</td><td>{escape(row.text)}</td><td>{escape(row.speaker or '')}</td>"
        + "".join(f'<td class="n">{number}</td>' for number in numbers)
        + f"<td{'' if row.usable else ' class=error'}>{escape(' '.join(row.codes))}</td></tr>\n"
    )


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
