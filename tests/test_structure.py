"""Who may import whom, and what the web process never loads."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "lightning", "pytorch_lightning", "librosa")


def run(project_root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=project_root, capture_output=True, text=True, timeout=300, check=False)


def test_the_import_rules_hold(project_root: Path) -> None:
    linted = run(project_root, str(Path(sys.executable).parent / "lint-imports"))
    assert linted.returncode == 0, linted.stdout


@pytest.mark.parametrize(
    "module",
    ["app", "piper_core.__main__", "piper_core.api", "piper_core.dataset.inspection", "piper_core.voices.synthesis"],
)
def test_the_web_process_loads_nothing_heavy(project_root: Path, module: str) -> None:
    """torch takes 2.3 s to import, librosa 2.8 s, Lightning 5 s."""
    program = f"import sys, {module}; print(*(name for name in {HEAVY} if name in sys.modules))"
    loaded = run(project_root, sys.executable, "-c", program)
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout.strip() == ""


def test_every_dependency_is_pinned_and_has_its_reason(project_root: Path) -> None:
    reasons = (project_root / "docs/decisions/0001-dependencies.md").read_text(encoding="utf-8")
    for file in ("requirements.txt", "requirements-dev.txt"):
        for line in (project_root / file).read_text(encoding="utf-8").splitlines():
            if not line or line.startswith(("#", "-r")):
                continue
            pinned = re.fullmatch(r"([A-Za-z0-9-]+)==\d[\w.]*(;.*)?", line)
            assert pinned, f"{file}: {line} is not pinned"
            assert pinned[1] in reasons, f"docs/decisions/0001-dependencies.md says nothing of {pinned[1]}"


def test_every_command_is_in_the_readme(project_root: Path) -> None:
    from piper_core.__main__ import build_parser

    readme = (project_root / "README.md").read_text(encoding="utf-8")
    commands = next(action for action in build_parser()._actions if action.dest == "command" or action.choices)
    assert commands.choices
    assert [name for name in commands.choices if f"`{name}" not in readme and f" {name} " not in readme] == []
