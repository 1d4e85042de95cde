"""Settings come from the environment, else the file, else the defaults; a bad one says what to write."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from piper_core.documented import field_help
from piper_core.settings import SettingError, Settings
from piper_core.training.config import PRESETS, ConfigError, TrainingConfig

NOWHERE = Path("/nonexistent/studio.env")


def test_defaults_are_those_promised() -> None:
    settings = Settings.load({}, NOWHERE)
    assert settings.enable_audio_validation is True
    assert settings.max_cache_size_gb == 10.0
    assert settings.max_cache_bytes == 10 * 1024**3
    assert settings.cache_cleanup_threshold == 0.8
    assert settings.tensorboard_log_dir == Path("logs/tensorboard")
    assert settings.workspace_dir == Path("workspace")
    assert settings.studio_token == ""
    assert Path.home().resolve() in settings.allowed_roots


def test_environment_goes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "studio.env"
    file.write_text("# mine\nMAX_CACHE_SIZE_GB=3\nENABLE_AUDIO_VALIDATION = no\n\n")
    settings = Settings.load({"MAX_CACHE_SIZE_GB": "5"}, file)
    assert settings.max_cache_size_gb == 5
    assert settings.enable_audio_validation is False


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"MAX_CACHE_SIZE_GB": "much"}, "MAX_CACHE_SIZE_GB is 'much'; write a number"),
        ({"MAX_CACHE_SIZE_GB": "0"}, "above 0"),
        ({"MAX_CACHE_SIZE_GB": "nan"}, "above 0"),
        ({"CACHE_CLEANUP_THRESHOLD": "80"}, "between 0 and 1"),
        ({"ENABLE_AUDIO_VALIDATION": "maybe"}, "write true or false"),
    ],
)
def test_a_bad_setting_says_what_to_write(values: dict[str, str], said: str) -> None:
    with pytest.raises(SettingError, match=re.escape(said)):
        Settings.load(values, NOWHERE)


def test_a_line_without_a_value_is_named(tmp_path: Path) -> None:
    file = tmp_path / "studio.env"
    file.write_text("STUDIO_TOKEN\n")
    with pytest.raises(SettingError, match="line 1"):
        Settings.load({}, file)


def test_only_allowed_roots_are_read_links_followed(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "out").symlink_to(tmp_path)
    settings = Settings.load({"DATA_ROOTS": str(inside)}, NOWHERE)
    assert settings.allows(inside / "wavs")
    assert not settings.allows(inside / "out" / "secret")
    assert not settings.allows(inside / ".." / "secret")


@pytest.mark.parametrize("documented", [Settings, TrainingConfig])
def test_every_setting_has_its_docstring(documented: type) -> None:
    helps = field_help(documented)
    missing = [field.name for field in fields(documented) if field.name not in helps and field.name != "schema_version"]
    assert missing == []


def test_every_setting_is_in_the_readme(project_root: Path) -> None:
    readme = (project_root / "README.md").read_text(encoding="utf-8")
    assert [field.name for field in fields(Settings) if field.name.upper() not in readme] == []


def test_a_configuration_comes_back_from_its_json() -> None:
    config = TrainingConfig("anna", "/data/anna", max_steps=10, sample_texts=("One.",))
    assert TrainingConfig.from_dict({**config.to_dict(), "of_a_later_version": 1}) == config


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "../up"}, "can't name a run"),
        ({"preset": "huge"}, "no preset"),
        ({"max_steps": None}, "when to stop"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"start": "resume"}, "go together"),
    ],
)
def test_a_configuration_that_can_not_be_used_says_why(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        TrainingConfig.from_dict({"name": "anna", "dataset": "/data/anna", "max_steps": 10} | changes)


def test_presets_multiply_to_the_hop_length() -> None:
    for preset in PRESETS.values():
        hop = 1
        for rate in preset.upsample_rates:
            hop *= rate
        assert hop == 256, preset.name
