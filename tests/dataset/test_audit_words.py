"""Words heard beside words written: pocketsphinx on real English speech, and the difference of the two."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from piper_core.dataset.audit_words import (
    HeardWord,
    WordPair,
    WordsUnavailable,
    word_diff,
    words_heard,
    words_heard_apart,
    words_problem,
)
from piper_core.dataset.layouts import read_dataset


def test_what_is_heard_stands_beside_what_is_written() -> None:
    heard = [HeardWord(word, 0.0, 0.0) for word in ["now", "at", "this", "case", "tom", "said"]]
    assert word_diff("Not at this particular case, Tom -", heard) == [
        WordPair("other", ("Not",), ("now",)),
        WordPair("same", ("at", "this"), ("at", "this")),
        WordPair("missing", ("particular",), ()),
        WordPair("same", ("case,", "Tom"), ("case", "tom")),
        WordPair("added", (), ("said",)),
    ]
    assert word_diff("", []) == []


def test_pocketsphinx_hears_most_words_where_they_lie(kathleen: Path) -> None:
    pytest.importorskip("pocketsphinx")
    utterance = next(u for u in read_dataset(kathleen).utterances if "superlative degree" in u.text)
    heard = words_heard(utterance.path)
    pairs = word_diff(utterance.text, heard)
    same = sum(len(pair.written) for pair in pairs if pair.kind == "same")
    assert same >= 0.7 * len(utterance.text.split())
    assert all(word.start_s < word.end_s for word in heard)
    assert [word.start_s for word in heard] == sorted(word.start_s for word in heard)


def test_what_is_missing_is_a_sentence(monkeypatch: pytest.MonkeyPatch, kathleen: Path) -> None:
    assert "English alone" in (words_problem("de") or "")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "pip install pocketsphinx" in (words_problem("en-us") or "")
    with pytest.raises(WordsUnavailable, match="pip install pocketsphinx"):
        words_heard(read_dataset(kathleen).utterances[0].path)


def test_a_process_of_its_own_hears_the_same_and_says_what_went_wrong(
    monkeypatch: pytest.MonkeyPatch, kathleen: Path, tmp_path: Path
) -> None:
    pytest.importorskip("pocketsphinx")
    path = read_dataset(kathleen).utterances[0].path
    assert words_heard_apart(path, 0.5, 1.5) == words_heard(path, 0.5, 1.5)
    with pytest.raises(WordsUnavailable, match=r"gone\.wav can't be read"):
        words_heard_apart(tmp_path / "gone.wav")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(WordsUnavailable, match="could not listen"):
        words_heard_apart(path)
