"""Every setting of the app, once: name, default, unit and meaning.

A setting comes from the environment, else from the settings file (`studio.env`, lines of `NAME=value`),
else from its default. The variable's name is the field's name in capitals.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

SETTINGS_FILE = Path("studio.env")
GIGABYTE = 1024**3


class SettingError(ValueError):
    """A setting that can't be used. The message says which, why, and what to write instead."""


@dataclass(frozen=True)
class Settings:
    """The settings in force. Relative paths are resolved against the working directory."""

    enable_audio_validation: bool = True
    """Decode and measure every clip on Setup. When false, texts and headers alone are checked."""

    max_cache_size_gb: float = 10.0
    """The feature cache's limit, in gibibytes (2^30 bytes)."""

    cache_cleanup_threshold: float = 0.8
    """The share of the limit that cleaning brings the cache down to, between 0 and 1."""

    tensorboard_log_dir: Path = Path("logs/tensorboard")
    """Where training runs write TensorBoard events, a folder a run, and where TensorBoard reads them."""

    workspace_dir: Path = Path("workspace")
    """Where runs, the cache and uploaded datasets live."""

    data_roots: tuple[Path, ...] = ()
    """Folders that the pages may read beside the workspace, separated by colons; empty: the user's home."""

    studio_token: str = ""
    """The secret asked for when the server listens on more than this machine; empty: none."""

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None, file: Path = SETTINGS_FILE) -> Settings:
        """The settings from `environment` (default: the process's), else `file`, else the defaults.

        Raises SettingError for a value that can't be read or is out of range.
        """
        values = _read_file(file) | dict(os.environ if environment is None else environment)
        given: dict[str, Any] = {}
        for field in fields(cls):
            name = field.name.upper()
            if values.get(name, "").strip():
                given[field.name] = _parse(name, values[name].strip(), field.default)
        return cls(**given)

    def __post_init__(self) -> None:
        if not self.max_cache_size_gb > 0:
            raise SettingError(f"MAX_CACHE_SIZE_GB is {self.max_cache_size_gb:g}; write a number above 0.")
        if not 0 < self.cache_cleanup_threshold <= 1:
            raise SettingError(
                f"CACHE_CLEANUP_THRESHOLD is {self.cache_cleanup_threshold:g}; write a share between 0 and 1, as 0.8."
            )

    @property
    def max_cache_bytes(self) -> int:
        """The cache's limit in bytes."""
        return int(self.max_cache_size_gb * GIGABYTE)

    @property
    def runs_dir(self) -> Path:
        """A folder a run."""
        return self.workspace_dir.absolute() / "runs"

    @property
    def cache_dir(self) -> Path:
        """Features, keyed by content."""
        return self.workspace_dir.absolute() / "cache"

    @property
    def datasets_dir(self) -> Path:
        """Uploaded datasets and the demo dataset."""
        return self.workspace_dir.absolute() / "datasets"

    @property
    def allowed_roots(self) -> tuple[Path, ...]:
        """The folders that pages and HTTP may read, resolved."""
        roots = (*(self.data_roots or (Path.home(),)), self.workspace_dir)
        return tuple(root.expanduser().resolve() for root in roots)

    def allows(self, path: Path) -> bool:
        """Whether `path`, links followed, lies inside an allowed root."""
        resolved = path.expanduser().resolve()
        return any(resolved.is_relative_to(root) for root in self.allowed_roots)


def _read_file(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    values = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, separator, value = line.partition("=")
        if not separator:
            raise SettingError(f"{file}, line {number}: write NAME=value, not {line!r}.")
        values[name.strip()] = value.strip()
    return values


def _parse(name: str, text: str, default: object) -> object:
    if isinstance(default, bool):
        if text.lower() in ("1", "true", "yes", "on"):
            return True
        if text.lower() in ("0", "false", "no", "off"):
            return False
        raise SettingError(f"{name} is {text!r}; write true or false.")
    if isinstance(default, float):
        try:
            return float(text)
        except ValueError:
            raise SettingError(f"{name} is {text!r}; write a number.") from None
    if isinstance(default, tuple):
        return tuple(Path(part) for part in text.split(os.pathsep) if part)
    return Path(text) if isinstance(default, Path) else text
