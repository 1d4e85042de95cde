"""A voice's name, JSON, zip and listing; no torch in them."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from piper_core.dataset.text import TextError, languages
from piper_core.voices.languages import language_of
from piper_core.voices.voice import Exported, list_voices, plain_name, voice_config, voice_name, zip_voice


def config(**changed: object) -> dict:
    given = {
        "name": "en_US-anna-medium",
        "language": "en-us",
        "quality": "medium",
        "sample_rate": 22050,
        "num_symbols": 256,
    }
    return voice_config(**(given | changed))


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("Kathleen", "kathleen"),
        ("my-voice.v2", "my_voice_v2"),
        ("--", "voice"),
        ("Jürgen Größe", "jurgen_groe"),
        ("声", "voice"),
        ("a__b", "a_b"),
    ],
)
def test_names_are_lower_case_letters_digits_and_underscores(given: str, plain: str) -> None:
    assert plain_name(given) == plain


@pytest.mark.parametrize(
    ("language", "code", "english", "country"),
    [
        ("en-us", "en_US", "English", "United States"),
        ("en-gb", "en_GB", "English", "Great Britain"),
        ("en-gb-x-rp", "en_GB", "English", "Great Britain"),
        ("en", "en_GB", "English", "Great Britain"),
        ("de", "de_DE", "German", "Germany"),
        ("de_AT", "de_AT", "German", "Austria"),
        ("nl", "nl_NL", "Dutch", "Netherlands"),
        ("fr", "fr_FR", "French", "France"),
        ("fr-ca", "fr_CA", "French", "CA"),
        ("es-419", "es_MX", "Spanish", "Mexico"),
        ("pt-br", "pt_BR", "Portuguese", "Brazil"),
        ("nb", "no_NO", "Norwegian", "Norway"),
        ("cmn", "zh_CN", "Chinese", "China"),
        ("cmn-latn-pinyin", "zh_CN", "Chinese", "China"),
        ("vi-vn-x-south", "vi_VN", "Vietnamese", "Vietnam"),
        ("eo", "eo_001", "Esperanto", "World"),
        ("xx-yy", "xx_YY", "xx", "YY"),
        ("", "und_001", "und", "World"),
    ],
)
def test_espeak_voices_become_pipers_languages(language: str, code: str, english: str, country: str) -> None:
    found = language_of(language)
    assert (found.code, found.name_english, found.country_english) == (code, english, country)


def test_every_language_of_piper_tts_has_its_names() -> None:
    unnamed = [
        language.code
        for language in languages()
        if language_of(language.code).name_english in (language.code, language.code.split("-")[0])
    ]
    assert unnamed == []
    assert len(languages()) > 100


def test_the_json_has_what_home_assistant_selects_by() -> None:
    """HA add-ons#3914, core#178560: without these the voice can't be chosen."""
    made = config(name=voice_name("en-gb", "My Voice", "low"), language="en-gb", quality="low", sample_rate=16000)
    assert made["dataset"] == "en_GB-my_voice-low"
    assert made["audio"] == {"sample_rate": 16000, "quality": "low"}
    assert made["language"] == {
        "code": "en_GB",
        "family": "en",
        "region": "GB",
        "name_native": "English",
        "name_english": "English",
        "country_english": "Great Britain",
    }
    assert made["espeak"] == {"voice": "en"}, "espeak-ng inside piper-tts finds its voice by this name alone"
    assert made["inference"] == {"noise_scale": 0.667, "length_scale": 1.0, "noise_w": 0.8}
    assert (made["num_symbols"], made["num_speakers"], made["speaker_id_map"]) == (256, 1, {})
    assert (made["hop_length"], made["phoneme_type"]) == (256, "espeak")
    assert made["piper_version"]
    assert made["phoneme_id_map"]["^"] == [1]


def test_pipers_own_reader_takes_the_json() -> None:
    from piper.config import PiperConfig
    from piper.phoneme_ids import DEFAULT_PHONEME_ID_MAP

    read = PiperConfig.from_dict(json.loads(json.dumps(config(num_speakers=2, speakers={"Ä": 1}))))
    assert read.phoneme_id_map == DEFAULT_PHONEME_ID_MAP
    assert read.speaker_id_map == {"Ä": 1, "speaker_0": 0}


def test_a_small_phoneme_table_gets_no_symbols_that_it_lacks() -> None:
    made = config(num_symbols=130)
    assert max(max(ids) for ids in made["phoneme_id_map"].values()) == 129


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(TextError, match="klingonish"):
        config(language="klingonish")


def test_the_zip_holds_both_files(tmp_path: Path) -> None:
    onnx, described = tmp_path / "v.onnx", tmp_path / "v.onnx.json"
    onnx.write_bytes(b"weights")
    described.write_text("{}")
    with zipfile.ZipFile(io.BytesIO(zip_voice(onnx, described))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {"v.onnx": b"weights", "v.onnx.json": b"{}"}


def test_voices_are_listed_and_strange_files_passed_over(tmp_path: Path, two_voices: Exported) -> None:
    for name in ("lone", "empty", "list", "strange"):
        (tmp_path / f"{name}.onnx").write_bytes(b"")
    (tmp_path / "empty.onnx.json").write_text("")
    (tmp_path / "list.onnx.json").write_text("[1]")
    (tmp_path / "strange.onnx.json").write_text('{"audio": {"sample_rate": "fast"}, "espeak": {"voice": "en"}}')
    assert list_voices(tmp_path) == []
    assert list_voices(tmp_path / "nowhere") == []
    (voice,) = list_voices(two_voices.onnx.parent)
    assert (voice.name, voice.language, voice.quality, voice.sample_rate) == (
        "en_US-two-x_low", "en-us", "x_low", 16000,
    )  # fmt: skip
    assert voice.speakers == {"voice 0": 0, "voice 1": 1}
    assert voice.size_bytes > 1_000_000


def test_the_pages_part_loads_no_torch(project_root: Path) -> None:
    program = (
        "import sys, piper_core.voices.voice as v, piper_core.voices.catalogue, piper_core.voices.synthesis;"
        "v.voice_config(name='n', language='de', quality='low', sample_rate=16000, num_symbols=256);"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=project_root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
