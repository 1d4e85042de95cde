"""What the tests share: where the real speech lies, a demo dataset, and the state dict that Piper's trainer writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def _folder(variable: str, default: str) -> Path:
    return (ROOT / os.environ.get(variable, default)).resolve()


@pytest.fixture(scope="session")
def project_root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def speech_data() -> Path:
    """Real speech, named by STUDIO_TEST_DATA; a test that needs it skips by name where it is absent."""
    folder = _folder("STUDIO_TEST_DATA", "../shared/data")
    if not folder.is_dir():
        pytest.skip(f"no real speech at {folder}: set STUDIO_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def kathleen(speech_data: Path) -> Path:
    """500 clips of one voice."""
    return speech_data / "kathleen"


@pytest.fixture(scope="session")
def multispeaker(speech_data: Path) -> Path:
    """Two voices, in Piper's `id|speaker|text`."""
    return speech_data / "multispeaker"


@pytest.fixture(scope="session")
def awkward(speech_data: Path) -> Path:
    """Odd and broken files."""
    return speech_data / "awkward"


@pytest.fixture(scope="session")
def contract_file() -> Path:
    """Names and shapes of a Piper checkpoint, named by STUDIO_CONTRACT."""
    file = _folder("STUDIO_CONTRACT", "../shared/contract/state_dict.json")
    if not file.is_file():
        pytest.skip(f"no state dict contract at {file}: set STUDIO_CONTRACT")
    return file


@pytest.fixture(scope="session")
def demo_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve clips of the embedded demo dataset."""
    from piper_core.dataset.demo import write_demo

    return write_demo(tmp_path_factory.mktemp("demo") / "demo", clips=12)


@pytest.fixture(scope="session")
def demo_with_defects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four clips of the demo dataset with planted defects. Copy it to write beside it."""
    from piper_core.dataset.demo import write_demo

    return write_demo(tmp_path_factory.mktemp("defects") / "demo", clips=24, defects=True)
