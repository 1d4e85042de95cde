"""Phonemes and ids as Piper makes them, and sentences for what espeak-ng can't do."""

from __future__ import annotations

import itertools
import threading

import pytest

from piper_core.dataset import text
from piper_core.dataset.text import TextError
from piper_core.dataset.text_rules import expected_script, main_script, normalised, oddities, pictures, without_pictures

SENTENCES = [
    "Hello there.",
    "Not at this particular case, Tom, apologized Whittemore. Was it? No!",
    "Dr. Smith paid $3.50 in 1999",
    "“Quoted” — and dashed; colon: done",
]


@pytest.mark.parametrize("words", SENTENCES)
def test_ids_are_pipers_own(words: str) -> None:
    """The chain of piper.train's loader: each sentence encoded, one after the other."""
    from piper.phoneme_ids import phonemes_to_ids
    from piper.phonemize_espeak import EspeakPhonemizer

    sentences = EspeakPhonemizer().phonemize("en-us", words)
    assert text.phonemize(words, "en-us") == sentences
    assert text.phoneme_ids(words, "en-us") == list(itertools.chain(*map(phonemes_to_ids, sentences)))


def test_the_encoding_of_one_sentence() -> None:
    """`^ _ p _ p _ ... $` with Piper's fixed ids."""
    assert text.phoneme_ids("Hi.", "en-us") == [1, 0, 20, 0, 120, 0, 14, 0, 74, 0, 10, 0, 2]


def test_phonemes_without_an_id_are_left_out_and_told() -> None:
    encoded = text.encode_phonemes([["a", "☃", "b"], ["☃"]])
    assert encoded.ids == (1, 0, 14, 0, 15, 0, 2, 1, 0, 2)
    assert encoded.unknown == ("☃", "☃")


def test_every_listed_language_speaks() -> None:
    languages = text.languages()
    codes = [language.code for language in languages]
    assert len(codes) == len(set(codes)) > 100
    assert {"en-us", "de", "fr", "es", "nl"} <= set(codes)
    assert [language.name for language in languages] == sorted(language.name for language in languages)
    for code in codes:
        assert text.phonemize("a", code) is not None, code


@pytest.mark.parametrize(("given", "code"), [("en-US", "en-us"), ("en_US", "en-us"), ("en-gb", "en"), ("fr-fr", "fr")])
def test_other_spellings_find_their_voice(given: str, code: str) -> None:
    assert text.check_language(given) == code
    assert text.phoneme_ids("a", given) == text.phoneme_ids("a", code)


@pytest.mark.parametrize("code", ["xx", "english", "", "../en"])
def test_an_unknown_language_is_refused_with_neighbours(code: str) -> None:
    """ "Failed to set eSpeak-ng voice" is all that Piper says (rhasspy/piper#545, #465)."""
    with pytest.raises(TextError, match=r"espeak-ng has no language .*en-us|xex"):
        text.phonemize("Hello", code)


def test_texts_that_hold_nothing_or_anything() -> None:
    assert text.phoneme_ids("", "en-us") == [1, 0, 2], "begin, pad, end: what Piper makes of nothing"
    for words in ("\0", "...", "日本語", "<b>&amp;", "a" * 5000, "\u200b", "x\0y"):
        text.phoneme_ids(words, "en-us")
    assert text.phonemize("x\0y", "en-us") == text.phonemize("x y", "en-us")


def test_threads_do_not_mix_languages() -> None:
    """espeak-ng keeps one voice for the whole process."""
    expected = {code: text.phonemize("Test hallo", code) for code in ("en-us", "de")}
    wrong = []

    def speak(code: str) -> None:
        wrong.extend(code for _ in range(100) if text.phonemize("Test hallo", code) != expected[code])

    threads = [threading.Thread(target=speak, args=(code,)) for code in ("en-us", "de") * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert expected["en-us"] != expected["de"]
    assert wrong == []


@pytest.mark.parametrize(
    ("words", "severity", "part"),
    [
        ("Zero\u200bwidth", "warning", "U+200B"),
        ("A <b>bold</b> word", "warning", "markup (<b>)"),
        ("Salt &amp; pepper", "warning", "markup (&amp;)"),
        ("Привет there", "warning", "another script"),
        ("Replaced \ufffd sign", "warning", "U+FFFD"),
        ("A hat \U0001f920 and a cap", "warning", "pictures (\U0001f920)"),
        ("In 1999 it was", "info", "digits (1999)"),
        ("50 % off", "info", "symbols (%)"),
        ("The NASA base", "info", "capitals (NASA)"),
        ("Then Mr. Smith came", "info", "abbreviations (Mr.)"),
        ("Apples, pears, etc.", "info", "abbreviations (etc.)"),
        ("He was, e.g. late", "info", "abbreviations (e.g.)"),
        ("The dist. is short", "info", "abbreviations (dist.)"),
        ("Das ist z. B. so", "info", "abbreviations (z. B.)"),
        ("Cafe\u0301 noir", "info", "not NFC"),
    ],
)
def test_what_may_be_read_otherwise_than_it_was_spoken(words: str, severity: str, part: str) -> None:
    odd = oddities(words, "LATIN")
    assert [found for found in odd if found.severity == severity and part in found.message], odd


@pytest.mark.parametrize(
    "words",
    ["Lord, but I'm glad to see you again, Phil.", "“Well,” she said — naïve café.", "A < B is I.", "I am. You are."],
)
def test_plain_sentences_are_left_alone(words: str) -> None:
    assert [found for found in oddities(words.replace("<", "less than"), "LATIN")] == []


def test_pictures_are_told_and_taken_out() -> None:
    words = "Ein \U0001f600 Hut, \U0001f920, noch ein \U0001f600 und 20 °C."
    assert pictures(words) == ["\U0001f600", "\U0001f920"]
    assert without_pictures(words) == "Ein   Hut,  , noch ein   und 20 °C."


def test_scripts() -> None:
    assert main_script(["Привет, мир", "ok"]) == "CYRILLIC"
    assert main_script(["日本語のテキスト"]) == "JAPANESE OR CHINESE"
    assert main_script(["1 2 3", ""]) is None
    assert expected_script("ru", ["All of it is Latin."]) == "CYRILLIC"
    assert expected_script("en-us", ["Привет"]) == "LATIN"
    assert expected_script("sr", ["Здраво"]) == "CYRILLIC", "Serbian has two: that of the texts"
    assert normalised("“Hello—THERE!”") == "hellothere"
