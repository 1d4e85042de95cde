"""Characters and words of texts."""

from __future__ import annotations

import numpy as np

from piper_core.dataset.layouts import read_dataset
from piper_core.dataset.vocabulary import vocabulary


def test_words_and_their_growth() -> None:
    seen = vocabulary(["The dog saw the cat.", "The cat, it's said, saw the wolf-dog!"])
    assert dict(zip(seen.words, seen.counts.tolist(), strict=True)) == {
        "the": 4, "saw": 2, "cat": 2, "dog": 1, "it's": 1, "said": 1, "wolf-dog": 1,
    }  # fmt: skip
    assert seen.words[0] == "the"
    assert seen.read[-1] == 12
    assert seen.distinct[-1] == 7
    assert seen.distinct[4] == 4, "the fifth word is an old one"
    assert seen.spoken_once == 4


def test_characters_and_the_odd_ones_among_them() -> None:
    seen = vocabulary(["Room 12 & a\u200b dog", "Ночь", "a\nb and c"])
    counts = dict(seen.characters)
    assert counts["a"] == 3
    assert counts["\n"] == 1, "the line feed inside a text, not those between texts"
    assert " " not in counts
    assert seen.odd.keys() == {"1", "2", "&", "\u200b", "\n", "Н", "о", "ч", "ь"}
    assert "digit" in seen.odd["1"]
    assert "script" in seen.odd["ч"]


def test_no_texts() -> None:
    for texts in ([], [""], ["..."]):
        seen = vocabulary(texts)
        assert seen.words == ()
        assert seen.read.size == seen.distinct.size == seen.counts.size == 0


def test_real_texts(kathleen) -> None:  # type: ignore[no-untyped-def]
    texts = [utterance.text for utterance in read_dataset(kathleen).utterances]
    seen = vocabulary(texts)
    assert seen.words[0] == "the"
    assert seen.odd == {}, "clean prose has no odd character"
    assert np.all(np.diff(seen.distinct) >= 0)
    assert seen.distinct[-1] == len(seen.words)
    assert sum(dict(seen.characters).values()) == sum(len(text.replace(" ", "")) for text in texts)
