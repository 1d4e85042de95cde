"""The transcript audit on real speech: right texts cost less than wrong ones, whatever else is in the set."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.audit import auc, exchanged
from piper_core.dataset.audio import load_clip
from piper_core.dataset.audit import AuditItem, audit_problem, transcript_costs
from piper_core.dataset.audit_calibration import DOUBTFUL
from piper_core.dataset.audit_comparison import Comparison, NotCompared, compare
from piper_core.dataset.inspection import inspect
from piper_core.dataset.layouts import read_dataset
from piper_core.dataset.text import TextError


def items_of(folder: Path, count: int | None = None) -> list[AuditItem]:
    return [AuditItem(u.path, u.text, u.speaker) for u in read_dataset(folder).utterances[:count]]


def durations_s(items: Sequence[AuditItem]) -> list[float]:
    return [soundfile.info(item.path).duration for item in items]


def known(costs: Sequence[float | None]) -> np.ndarray:
    assert None not in costs
    return np.array(costs, dtype=float)


@pytest.fixture(scope="module")
def sixty(kathleen: Path) -> list[AuditItem]:
    return items_of(kathleen, 60)


@pytest.fixture(scope="module")
def right(sixty: list[AuditItem]) -> np.ndarray:
    return known(transcript_costs(sixty, "en-us"))


def test_a_set_of_wrong_texts_costs_more_than_the_same_with_its_own(sixty: list[AuditItem], right: np.ndarray) -> None:
    wrong = known(transcript_costs(exchanged(sixty, durations_s(sixty)), "en-us"))
    assert auc(right, wrong) > 0.985
    assert np.median(right) < 0 < np.median(wrong)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_wrong_texts_stand_out_of_a_set_that_holds_many(sixty: list[AuditItem], share: float) -> None:
    is_wrong = np.random.default_rng(1).random(len(sixty)) < share
    other = exchanged(sixty, durations_s(sixty))
    heard = [bad if swap else good for good, bad, swap in zip(sixty, other, is_wrong, strict=True)]
    costs = known(transcript_costs(heard, "en-us"))
    assert auc(costs[~is_wrong], costs[is_wrong]) > 0.985


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_noisy_set_is_not_warned_of_for_its_noise(tmp_path: Path, sixty: list[AuditItem], share: float) -> None:
    chance = np.random.default_rng(0)
    is_wrong = chance.random(len(sixty)) < share
    heard = []
    for good, bad, swap in zip(sixty, exchanged(sixty, durations_s(sixty)), is_wrong, strict=True):
        audio, rate = load_clip(good.path)
        noise = chance.normal(scale=audio.std() * 10 ** (-5 / 20), size=audio.size)  # 5 dB below the speech
        soundfile.write(tmp_path / good.path.name, audio + noise, rate)
        heard.append(replace(bad if swap else good, path=tmp_path / good.path.name))
    above = known(transcript_costs(heard, "en-us")) > DOUBTFUL
    assert above[~is_wrong].mean() < 0.08  # 0.10 and 0.34 by the limit that all sets share
    assert above[is_wrong].all()


def test_two_speakers_are_told_from_their_texts_too(multispeaker: Path) -> None:
    items = items_of(multispeaker)
    own, other = transcript_costs(items, "en-us"), transcript_costs(exchanged(items, durations_s(items)), "en-us")
    assert auc(known(own), known(other)) > 0.985


def test_five_clips_are_enough_to_tell(sixty: list[AuditItem]) -> None:
    few = sixty[:5]
    swapped = [replace(few[0], text=few[1].text), replace(few[1], text=few[0].text), *few[2:]]
    costs = known(transcript_costs(swapped, "en-us"))
    assert costs[:2].min() > costs[2:].max()


def test_what_cannot_be_compared_has_no_cost(tmp_path: Path, sixty: list[AuditItem]) -> None:
    audio, rate = load_clip(sixty[0].path)
    soundfile.write(tmp_path / "silence.wav", np.zeros(rate), rate)
    soundfile.write(tmp_path / "short.wav", audio[: rate // 20], rate)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    items = [
        replace(sixty[0], text=""),
        replace(sixty[0], text="... !"),
        *(AuditItem(tmp_path / f"{name}.wav", "Some text.") for name in ("silence", "short", "broken", "missing")),
        sixty[1],
    ]
    costs = transcript_costs(items, "en-us")
    assert costs[:-1] == [None] * 6
    assert costs[-1] is not None
    assert costs[-1] < 0
    assert transcript_costs([], "en-us") == []


def test_pictures_are_not_spoken(sixty: list[AuditItem]) -> None:
    """In German, espeak-ng ends the process at the second of these after the first."""
    texts = ["Ein \U0001f600 Bild.", "Ein \U0001f920 Hut.", "\U0001f600 \U0001f920"]
    items = [replace(item, text=text) for item, text in zip(sixty, texts, strict=False)]
    assert [cost is None for cost in transcript_costs(items, "de")] == [False, False, True]


def test_the_inspection_warns_of_wrong_texts_alone(tmp_path: Path, kathleen: Path) -> None:
    (tmp_path / "wavs").mkdir()
    said = list(read_dataset(kathleen).utterances[:40])
    texts = [u.text for u in said]
    texts[3], texts[4], texts[7], texts[8] = texts[4], texts[3], texts[8], texts[7]
    for utterance in said:
        (tmp_path / "wavs" / utterance.path.name).symlink_to(utterance.path)
    rows = [f"{u.utterance_id}|{text}" for u, text in zip(said, texts, strict=True)]
    (tmp_path / "metadata.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    report = inspect(tmp_path, audit=True)
    found = {finding.utterance_id for finding in report.findings if finding.code == "transcript-mismatch"}
    assert found == {said[place].utterance_id for place in (3, 4, 7, 8)}


def test_a_wrong_word_is_found_in_its_place(sixty: list[AuditItem]) -> None:
    item = sixty[0]
    assert "apologized" in item.text
    plain = compare(item.path, item.text, "en-us")
    other = compare(item.path, item.text.replace("apologized", "elephants"), "en-us")
    assert isinstance(plain, Comparison)
    assert isinstance(other, Comparison)
    assert [word.text for word in plain.words] == [word.strip(",.") for word in item.text.split()]
    assert plain.cost < other.cost
    costs = {word.text: word.cost for word in other.words}
    assert costs["elephants"] > {word.text: word.cost for word in plain.words}["apologized"] + 1
    assert all(np.diff(plain.times_s) > 0)
    assert all(np.diff(plain.spoken_times_s) >= 0)
    assert len(plain.times_s) == len(plain.spoken_times_s) == len(plain.costs)
    assert plain.spoken.size > plain.spoken_rate
    assert plain.words[-1].end_s <= len(plain.audio) / plain.sample_rate


def test_nothing_to_compare_is_a_sentence(tmp_path: Path, sixty: list[AuditItem]) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(22050), 22050)
    assert compare(tmp_path / "silence.wav", "Some text.", "en-us") == NotCompared("There is no sound in the clip.")
    assert isinstance(compare(tmp_path / "missing.wav", "Some text.", "en-us"), NotCompared)
    assert isinstance(compare(sixty[0].path, " ... ", "en-us"), NotCompared)


def test_texts_and_clips_of_any_length_are_compared(tmp_path: Path, sixty: list[AuditItem]) -> None:
    audio = np.concatenate([load_clip(item.path)[0] for item in sixty[:24]])
    soundfile.write(tmp_path / "minute.wav", audio, 22050)
    whole = " ".join(item.text for item in sixty[:24])
    right, wrong, endless = transcript_costs(
        [
            AuditItem(tmp_path / "minute.wav", whole),
            AuditItem(tmp_path / "minute.wav", " ".join(item.text for item in sixty[24:48])),
            AuditItem(sixty[0].path, "Chapter four begins. " * 5000),
        ],
        "en-us",
    )
    assert right is not None
    assert wrong is not None
    assert endless is not None
    assert right < -0.5 < wrong
    assert endless > 0


def test_a_language_that_espeak_lacks_is_refused(sixty: list[AuditItem]) -> None:
    with pytest.raises(TextError, match="no language"):
        transcript_costs(sixty[:1], "xx-unknown")


def test_progress_is_told_and_can_stop(sixty: list[AuditItem]) -> None:
    told: list[tuple[int, int]] = []
    transcript_costs(sixty[:8], "en-us", on_progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 8) for done in range(1, 9)]

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        transcript_costs(sixty[:8], "en-us", on_progress=stop)
    assert len(transcript_costs(sixty[:1], "en-us")) == 1  # espeak-ng was let go


def test_products_take_one_thread_while_it_runs_and_as_many_as_before_after_it(sixty: list[AuditItem]) -> None:
    threadpoolctl = pytest.importorskip("threadpoolctl")
    import scipy.linalg  # noqa: F401 - its BLAS has to be loaded to be counted

    def threads() -> set[int]:
        return {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}

    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        during: list[set[int]] = []
        transcript_costs(sixty[:2], "en-us", on_progress=lambda done, total: during.append(threads()))
        assert during == [{1}, {1}]
        assert threads() == {2}


def test_without_threadpoolctl_the_costs_are_the_same(
    sixty: list[AuditItem], right: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "threadpoolctl" else find(name))
    costs = known(transcript_costs(sixty, "en-us"))
    assert np.abs(costs - right).max() < 0.3  # espeak-ng's noise goes on


def test_the_audit_is_possible_here() -> None:
    assert audit_problem() is None
