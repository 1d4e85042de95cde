"""Sounds of a language by espeak-ng alone, what texts hold of them, and what to record."""

from __future__ import annotations

import json
import subprocess
import unicodedata
from pathlib import Path

import pytest

from piper_core.dataset import coverage, recording_sentences, text
from piper_core.dataset.coverage import sentences_to_record
from piper_core.dataset.layouts import read_dataset
from piper_core.dataset.sounds import Inventory, inventory, pairs, sounds, sounds_of
from piper_core.dataset.spoken_apart import spoken_apart


def test_marks_join_the_symbol_before_them_and_stress_is_no_sound() -> None:
    assert sounds("ˈiː tʲa ɑ̃, ˌbi.") == ["iː", " ", "tʲ", "a", " ", "ɑ̃", " ", "b", "i", " "]
    assert sounds("") == []
    assert sounds("ma5") == ["m", "a", "5"], "the number of a tone"
    assert pairs(["a", " ", "b", "c"]) == [("a", "b"), ("b", "c")]


EXPECTED = {
    "en-us": "p b t d k ɡ f v θ ð s z ʃ ʒ h m n ŋ l ɹ j w iː ɪ ɛ æ ɑː ɔː ʊ uː ʌ ə ɚ ɜː ɾ",
    "de": "p b t d k ɡ f v s z ʃ ç x h m n ŋ l ɾ j iː ɪ yː ʏ eː ɛ øː œ a ɑː ɔ oː ʊ uː ə",
    "nl": "p b t d k f v s z x ɣ h m n ŋ l r ʋ j i ɪ y ɵ eː ɛ øː œ aː ɑ oː ɔ u ə",
    "fr-fr": "p b t d k ɡ f v s z ʃ ʒ m n ɲ l ʁ j w i e ɛ a ɔ o u y ø œ ə ɑ̃ ɛ̃ ɔ̃",
    "pl": "p b t d k ɡ f v s z ʃ ʒ ɕ ʑ x m n ɲ ŋ l r w j i ɨ ɛ a ɔ u",
    "es": "p b t d k ɡ f θ s x m n ɲ l ʎ ɾ r a e i o u β ð ɣ",
    "ru": "p b t d k ɡ f v s z ʃ ʒ x ɕ m n ɭ r j pʲ bʲ tʲ dʲ sʲ rʲ nʲ mʲ ɭʲ a e i o u",
}
"""The phonemes that grammars of these languages list, in espeak-ng's symbols."""


@pytest.mark.parametrize("language", EXPECTED)
def test_the_inventory_holds_the_languages_phonemes_and_little_else(language: str) -> None:
    found = inventory(language)
    assert found.has_words
    missing = set(unicodedata.normalize("NFD", EXPECTED[language]).split()) - set(found.words)
    assert not missing
    assert len(found.usual) <= 1.75 * len(EXPECTED[language].split()), "allophones, yes; other languages' sounds, no"
    assert len(found.pairs) > 300


def test_sounds_of_the_real_texts_are_in_the_inventory(kathleen: Path) -> None:
    texts = [utterance.text for utterance in read_dataset(kathleen).utterances]
    counted = coverage.count(texts, "en-us")
    known = inventory("en-us")
    strangers = {sound: n for sound, n in counted.sounds.items() if sound not in known.words}
    assert sum(strangers.values()) < 0.001 * sum(counted.sounds.values()), strangers
    seen = coverage.coverage(counted, known)
    assert seen.share > 0.9
    assert 0.5 < seen.pair_share < 1
    assert counted.texts == 500
    assert "ʒ" in counted.example
    assert "ʒ" in sounds_of(counted.example["ʒ"], "en-us")


def test_a_language_without_names_is_heard_by_its_letters() -> None:
    found = inventory("uk", "CYRILLIC")
    assert not found.has_words
    assert set("pbtdkszmnlr") <= set(found.words)
    assert "bʰ" not in found.words, "no letters of other scripts"


def test_a_picture_that_ends_espeak_costs_only_itself() -> None:
    heard = spoken_apart(["😀", "\U0001f920", "Hund"], "de")
    assert heard[0].strip()
    assert "h" in heard[2]


def test_the_rest_is_spoken_after_a_death(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [(-11, '"a"\n"b"\n'), (0, '"d"\n')]

    def run(command: list[str], *, input: str, **_: object) -> subprocess.CompletedProcess[str]:
        code, out = answers.pop(0)
        if not answers:
            assert json.loads(input)["texts"] == ["4"]
        return subprocess.CompletedProcess(command, code, out, "")

    monkeypatch.setattr(subprocess, "run", run)
    assert spoken_apart(["1", "2", "3", "4"], "de") == ["a", "b", "", "d"]


def test_foreign_words_do_not_count() -> None:
    native, foreign = text.phonemize_own(["Haus", "Baby"], "de")
    assert native.strip()
    assert not foreign.strip(), "espeak-ng reads it in English"
    with pytest.raises(text.TextError):
        text.phonemize_own(["a"], "no-such-language")


def known(*usual: str) -> Inventory:
    return Inventory("xx", dict.fromkeys(usual, 100), frozenset({("a", "b"), ("b", "a")}), True)


def test_coverage_tells_missing_and_thin() -> None:
    counted = coverage.Counted({"a": 50, "b": 3, "q": 1}, frozenset({("a", "b")}), {}, 9)
    seen = coverage.coverage(counted, known("a", "b", "c"))
    assert (seen.missing, seen.thin) == (("c",), ("b",))
    assert seen.share == pytest.approx(2 / 3)
    assert seen.pair_share == 0.5
    assert list(seen.counts.items()) == [("a", 50), ("b", 3), ("c", 0), ("q", 1)]


def test_sentences_cover_what_is_missing_with_few_words() -> None:
    candidates = {
        "long": ["x"] * 30 + ["a"], "both": ["a", "b", "x"], "a only": ["a", "x", "x"], "nothing": ["x", "x"],
    }  # fmt: skip
    found = sentences_to_record(candidates, {"x": 99, "b": 9}, ["a", "b", "x"], want_per_phoneme=10)
    assert found[0].sentence == "both"
    assert found[0].adds == {"a": 1, "b": 1}
    assert found[1].adds == {"a": 1}, "b has its ten now"
    assert "nothing" not in [one.sentence for one in found]
    assert sentences_to_record(candidates, {"a": 10}, ["a"], want_per_phoneme=10) == []
    assert len(sentences_to_record(candidates, {}, ["a"], most=1)) == 1


def test_english_sentences_add_every_sound_that_a_small_set_lacks(kathleen: Path) -> None:
    texts = [utterance.text for utterance in read_dataset(kathleen).utterances][:40]
    counted = coverage.count(texts, "en-us")
    seen = coverage.coverage(counted, inventory("en-us"))
    needed = [*seen.missing, *seen.thin]
    assert "ʒ" in needed
    spoken = {sentence: sounds_of(sentence, "en-us") for sentence in recording_sentences.SENTENCES}
    found = sentences_to_record(spoken, counted.sounds, needed)
    added = {sound: sum(one.adds.get(sound, 0) for one in found) for sound in needed}
    left = [s for s in needed if counted.sounds.get(s, 0) + added[s] < coverage.WANTED]
    assert len(left) <= 6, left
    assert "ʒ" not in left
    assert len(found) < 60
    for one in found:
        assert all(spoken[one.sentence].count(sound) >= number for sound, number in one.adds.items())


def test_sentences_of_a_pasted_text() -> None:
    pasted = "Dr. Who came. He left at 3.5 o'clock! Why?\nA line without an end\n今日は良い天気です。明日も晴れます。\n"
    found = coverage.sentences_of(pasted)
    assert "He left at 3.5 o'clock!" in found
    assert "A line without an end" in found
    assert "Why?" not in found
    assert "今日は良い天気です。" in found
    assert coverage.sentences_of("word " * 100) == []


def test_the_bank_is_varied_and_read_as_it_is_written() -> None:
    bank = recording_sentences.SENTENCES
    assert len(set(bank)) == len(bank) > 150
    assert all(len(sentence) <= 90 and sentence[-1] in ".!?" for sentence in bank)


def test_an_english_base_never_heard_french_nasals() -> None:
    base = coverage.base_voice("en-us")
    assert base.knows("iː")
    assert not base.knows("ɑ̃")
    assert not base.knows("y")
    own = coverage.base_voice("fr-fr")
    assert all(own.knows(sound) for sound in inventory("fr-fr").usual)


def test_what_can_not_be_told_of_a_base_is_not_guessed() -> None:
    with pytest.raises(coverage.BaseError, match="no words of uk"):
        coverage.base_voice("uk")


def test_a_base_by_its_json_has_only_the_symbols_of_its_map() -> None:
    ids = {symbol: [1] for symbol in "abdefhiklmnopstuvz"}
    base = coverage.read_base(json.dumps({"espeak": {"voice": "en-us"}, "phoneme_id_map": ids}).encode())
    assert base.knows("s")
    assert not base.knows("ʃ"), "it has no id"


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"espeak": 3}', b"\xff\x00"])
def test_a_json_of_something_else_is_told_so(content: bytes) -> None:
    with pytest.raises(coverage.BaseError, match=r"onnx\.json"):
        coverage.read_base(content)
