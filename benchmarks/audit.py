"""Does the transcript audit tell a clip's own text from another's? Against the hardest exchange.

    python -m benchmarks.audit --dataset FOLDER [--language en-us] [--repeats 3]

Every clip is heard twice: with its own text, and with the text of the clip nearest in duration. `auc` and
`recall_at_2_percent` (wrong texts found when 2 of 100 right ones are suspected) are for sets in which a random half of
the texts is exchanged, so that what the audit learns is half wrong, once each way round; `few` exchanges a tenth, and
`all` compares the set as it is with one in which no text is right. `ms_per_clip` is processor time of one thread, from
the file to its cost, espeak-ng's speech included; compiling, once a machine, is not.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.prepare import processor
from piper_core.dataset.audio import Unreadable, read_header
from piper_core.dataset.audit import AuditItem, transcript_costs
from piper_core.dataset.layouts import read_dataset

FALSE_ALARMS = 0.02


def exchanged(items: Sequence[AuditItem], durations_s: Sequence[float]) -> list[AuditItem]:
    """Each item with the text of the one nearest in duration that says something else."""
    lasts = np.asarray(durations_s)
    said = ["".join(filter(str.isalnum, item.text.casefold())) for item in items]
    given = []
    for item, own, duration_s in zip(items, said, durations_s, strict=True):
        nearest = np.argsort(np.abs(lasts - duration_s), kind="stable")
        given.append(replace(item, text=next(items[i].text for i in nearest if said[i] != own)))
    return given


def auc(right: np.ndarray, wrong: np.ndarray) -> float:
    """How often a wrong text costs more than a right one (Mann-Whitney's U over the number of pairs)."""
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([right, wrong]))[len(right) :]
    return float((ranks.sum() - len(wrong) * (len(wrong) + 1) / 2) / (len(right) * len(wrong)))


def recall(right: np.ndarray, wrong: np.ndarray) -> float:
    """Share of wrong texts found when `FALSE_ALARMS` of the right ones are suspected."""
    return float(np.mean(wrong > np.quantile(right, 1 - FALSE_ALARMS)))


def mixed(
    items: Sequence[AuditItem], wrong: Sequence[AuditItem], language: str, share: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Costs of right and of wrong texts, each clip in both, from sets of which `share` is wrong."""
    order = np.random.default_rng(seed).permutation(len(items))
    costs = np.full((2, len(items)), np.nan)
    for part in np.array_split(order, max(1, round(1 / share))):
        is_wrong = np.zeros(len(items), bool)
        is_wrong[part] = True
        heard = [bad if swap else good for good, bad, swap in zip(items, wrong, is_wrong, strict=True)]
        got = costs_of(heard, language)
        costs[1, is_wrong] = got[is_wrong]
        costs[0, ~is_wrong] = got[~is_wrong]
    return costs[0], costs[1]


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """The options that every benchmark of the audit has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True, help="real speech with right texts")
    parser.add_argument("--language", default="en-us")
    return parser


def items_of(dataset: Path) -> tuple[list[AuditItem], list[float]]:
    """Every clip that can be heard and has a text, and how long it lasts in seconds."""
    items, durations_s = [], []
    for utterance in read_dataset(dataset).usable:
        header = read_header(utterance.path, utterance.offset_s, utterance.length_s)
        if not isinstance(header, Unreadable) and utterance.text.strip():
            items.append(
                AuditItem(utterance.path, utterance.text, utterance.speaker, utterance.offset_s, utterance.length_s)
            )
            durations_s.append(header.duration_s)
    return items, durations_s


def costs_of(items: Sequence[AuditItem], language: str) -> np.ndarray:
    """Of each item, on one thread; NaN where it has none."""
    return np.array([np.nan if cost is None else cost for cost in transcript_costs(items, language, jobs=1)])


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    items, durations_s = items_of(options.dataset)
    wrong = exchanged(items, durations_s)
    transcript_costs(items[:2], options.language, jobs=1)  # compiles

    def whole(of: Sequence[AuditItem]) -> np.ndarray:
        started = time.process_time()
        costs = costs_of(of, options.language)
        times_ms.append((time.process_time() - started) / len(of) * 1000)
        return costs

    times_ms: list[float] = []
    right = whole(items)
    known = np.isfinite(right)
    every = (right[known], whole(wrong)[known])
    while len(times_ms) < options.repeats:
        whole(items)
    halves = [
        [part[known] for part in mixed(items, wrong, options.language, 0.5, seed)] for seed in range(options.repeats)
    ]
    few = [part[known] for part in mixed(items, wrong, options.language, 0.1, 0)]
    aucs, recalls = [auc(*pair) for pair in halves], [recall(*pair) for pair in halves]
    print(
        json.dumps(
            {
                "benchmark": "audit",
                "auc": round(statistics.median(aucs), 4),
                "recall_at_2_percent": round(statistics.median(recalls), 3),
                "ms_per_clip": round(statistics.median(times_ms), 1),
                "few": {"auc": round(auc(*few), 4), "recall_at_2_percent": round(recall(*few), 3)},
                "all": {"auc": round(auc(*every), 4), "recall_at_2_percent": round(recall(*every), 3)},
                "clips": len(items),
                "not_heard": int(np.count_nonzero(~known)),
                "mean_duration_s": round(statistics.fmean(durations_s), 2),
                "language": options.language,
                "repeats": options.repeats,
                "spread": {
                    "auc": [round(min(aucs), 4), round(max(aucs), 4)],
                    "recall_at_2_percent": [round(min(recalls), 3), round(max(recalls), 3)],
                    "ms_per_clip": [round(min(times_ms), 1), round(max(times_ms), 1)],
                },
                "machine": processor(),
                "python": platform.python_version(),
                "versions": {
                    name: importlib.metadata.version(name) for name in ("numpy", "scipy", "numba", "espeakng-loader")
                },
            }
        )
    )


if __name__ == "__main__":
    main()
