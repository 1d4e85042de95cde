"""Which checkpoints are read and what they are said to be; what is refused, in one sentence, with nothing run."""

from __future__ import annotations

import json
import sys
import types
import zipfile
from collections.abc import Callable
from pathlib import Path, PosixPath, PurePosixPath
from typing import Any

import pytest
import torch

from piper_core.voices.checkpoint import CheckpointError, describe, load_content, load_weights, read_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def piper_content(contract_file: Path, name: str) -> dict[str, Any]:
    """A checkpoint as piper-tts 1.8.0 writes it; every weight is one stored number, so that the file stays small."""
    entry = json.loads(contract_file.read_text())[name]
    zero = torch.zeros(1)
    weights = {weight: zero.expand(*shape) for weight, shape in entry["state_dict"].items()}
    counts = [sum(key.startswith(part) for key in weights) for part in ("model_g.", "model_d.")]
    return {
        "epoch": 4,
        "global_step": 2000,
        "hyper_parameters": entry["hyper_parameters"],
        "loops": {"fit_loop": {"epoch_loop.batch_progress": {"total": {"ready": 1000, "completed": 1000}}}},
        "optimizer_states": [{"state": {}, "param_groups": [{"params": list(range(count))}]} for count in counts],
        "state_dict": weights,
    }


@pytest.mark.parametrize(
    ("name", "preset", "rate", "speakers"),
    [
        ("medium", "medium", 22050, 1),
        ("x_low", "x_low", 16000, 1),
        ("high", "high", 22050, 1),
        ("medium_4speakers", "medium", 22050, 4),
        ("medium_mrd", "medium", 22050, 1),
    ],
)
def test_pipers_checkpoints_are_recognised(
    contract_file: Path, tmp_path: Path, name: str, preset: str, rate: int, speakers: int
) -> None:
    path = tmp_path / "epoch=4.ckpt"
    torch.save(piper_content(contract_file, name), path)
    checkpoint = read_checkpoint(path)
    assert (checkpoint.preset, checkpoint.quality, checkpoint.sample_rate) == (preset, preset, rate)
    assert (checkpoint.num_speakers, checkpoint.num_symbols, checkpoint.made_by) == (speakers, 256, "piper-tts")
    assert (checkpoint.step, checkpoint.epoch) == (1000, 4)
    assert checkpoint.parameters == json.loads(contract_file.read_text())[name]["generator_parameters"]


def test_low_and_medium_differ_by_their_rate(contract_file: Path, tmp_path: Path) -> None:
    content = piper_content(contract_file, "medium")
    content["hyper_parameters"]["sample_rate"] = 16000
    torch.save(content, tmp_path / "low.ckpt")
    assert read_checkpoint(tmp_path / "low.ckpt").preset == "low"


def test_weights_without_hyper_parameters_are_recognised_by_shape(contract_file: Path, tmp_path: Path) -> None:
    content = piper_content(contract_file, "high")
    torch.save({"state_dict": content["state_dict"]}, tmp_path / "bare.ckpt")
    checkpoint = read_checkpoint(tmp_path / "bare.ckpt")
    assert (checkpoint.preset, checkpoint.sample_rate, checkpoint.step) == ("high", 22050, 0)
    assert "optimizers" in describe(checkpoint)["resume"]


def test_our_checkpoint_says_where_it_comes_from(tiny_checkpoint: Path) -> None:
    checkpoint = read_checkpoint(tiny_checkpoint)
    assert (checkpoint.preset, checkpoint.quality, checkpoint.made_by) == ("tiny", "x_low", "Piper Studio")
    assert (checkpoint.language, checkpoint.step, checkpoint.epoch) == ("en-us", 120, 2)
    report = describe(checkpoint)
    assert json.loads(json.dumps(report)) == report
    assert "tiny" in report["resume"]
    assert report["resume"].startswith("possible")


def old_piper_content(write_checkpoint: Callable[..., Path], folder: Path) -> dict[str, Any]:
    """The Piper of 2023: 130 symbols, the whole command line in the hyper-parameters, paths as objects."""
    path = write_checkpoint(folder / "old.ckpt", "x_low", num_symbols=130)
    content = torch.load(path, weights_only=True)
    content["hyper_parameters"] |= {
        "sample_bytes": 2,
        "channels": 1,
        "quality": "x-low",
        "dataset": [PosixPath("/home/someone/train/dataset.jsonl")],
        "default_root_dir": PosixPath("/home/someone/train"),
        "resblock_kernel_sizes": "(3, 5, 7)",
        "resume_from_checkpoint": None,
        "accelerator": "gpu",
        "seed": 1234,
    }
    content["callbacks"] = {"ModelCheckpoint": {"best_model_score": torch.tensor(1.5), "dirpath": "/home/someone"}}
    return content


def test_an_old_checkpoint_with_path_objects_is_read(tmp_path: Path, write_checkpoint: Callable[..., Path]) -> None:
    torch.save(old_piper_content(write_checkpoint, tmp_path), tmp_path / "old.ckpt")
    checkpoint = read_checkpoint(tmp_path / "old.ckpt")
    assert (checkpoint.preset, checkpoint.num_symbols) == ("x_low", 130)
    assert checkpoint.made_by == "piper-train, before piper-tts 1.3"
    assert checkpoint.hyper_parameters["dataset"] == [PurePosixPath("/home/someone/train/dataset.jsonl")]


def stand_in(monkeypatch: pytest.MonkeyPatch, module: str, **classes: type) -> None:
    """A module with classes that pickle under its name."""
    made = types.ModuleType(module)
    for name, cls in classes.items():
        cls.__module__, cls.__qualname__, cls.__name__ = module, name, name
        setattr(made, name, cls)
    monkeypatch.setitem(sys.modules, module, made)
    *parents, _ = module.split(".")
    for end in range(1, len(parents) + 1):
        name = ".".join(parents[:end])
        if name not in sys.modules:
            monkeypatch.setitem(sys.modules, name, types.ModuleType(name))


@pytest.mark.parametrize("module", ["pathlib._local", "pathlib"])
def test_paths_of_every_python_are_read_as_plain_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    class WindowsPath:
        def __reduce__(self) -> Any:
            return (WindowsPath, ("C:\\train", "x.ckpt"))

    if module == "pathlib":  # the running Python's pathlib has the name: only lend it the class
        WindowsPath.__module__, WindowsPath.__qualname__ = module, "WindowsPath"
        monkeypatch.setattr("pathlib.WindowsPath", WindowsPath)
    else:
        stand_in(monkeypatch, module, WindowsPath=WindowsPath)
    torch.save({"path": WindowsPath()}, tmp_path / "paths.ckpt")
    assert str(load_content(tmp_path / "paths.ckpt")["path"]) == "C:\\train\\x.ckpt"


def test_lightnings_attribute_dict_is_read_as_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class AttributeDict(dict):
        pass

    stand_in(monkeypatch, "lightning.fabric.utilities.data", AttributeDict=AttributeDict)
    torch.save({"hyper_parameters": AttributeDict(batch_size=4)}, tmp_path / "lightning.ckpt")
    read = load_content(tmp_path / "lightning.ckpt")["hyper_parameters"]
    assert type(read) is dict
    assert read == {"batch_size": 4}


def half(path: Path, whole: Path) -> None:
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])


def packed(path: Path, whole: Path) -> None:
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry))


def inside_a_zip(path: Path, whole: Path) -> None:
    with zipfile.ZipFile(path, "w") as target:
        target.write(whole, "voice/epoch=1.ckpt")


def broken_index(path: Path, whole: Path) -> None:
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w") as target:
        for entry in source.infolist():
            content = source.read(entry)
            target.writestr(entry.filename, content[: len(content) // 2] if "data.pkl" in entry.filename else content)


def without_weight(path: Path, whole: Path) -> None:
    content = torch.load(whole, weights_only=True)
    del content["state_dict"]["model_g.dec.conv_post.weight"]
    torch.save(content, path)


def with_hyper_parameters(**changed: Any) -> Callable[[Path, Path], None]:
    def write(path: Path, whole: Path) -> None:
        content = torch.load(whole, weights_only=True)
        content["hyper_parameters"] |= changed
        torch.save(content, path)

    return write


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda path, whole: None, "There is no checkpoint"),
        (lambda path, whole: path.mkdir(), "There is no checkpoint"),
        (lambda path, whole: path.write_bytes(b""), "not a checkpoint"),
        (lambda path, whole: path.write_text("version https://git-lfs.github.com/spec/v1"), "not a checkpoint"),
        (lambda path, whole: path.write_bytes(b"\x80\x02garbage"), "damaged"),
        (lambda path, whole: torch.save([1, 2], path), "list"),
        (lambda path, whole: torch.save({"epoch": 1}, path), "no state_dict"),
        (lambda path, whole: torch.save({"state_dict": {"encoder.weight": torch.zeros(2)}}, path), "another model"),
        (half, "cut short"),
        (packed, "another program"),
        (inside_a_zip, "zip file"),
        (broken_index, "damaged"),
        (without_weight, "conv_post"),
        (with_hyper_parameters(hidden_channels=192), "differ"),
        (with_hyper_parameters(n_layers=10**9), "n_layers"),
        (with_hyper_parameters(upsample_rates="((((("), "can't be built"),
        (with_hyper_parameters(resblock="3"), "can't be built"),
        (with_hyper_parameters(sample_rate="fast"), "sample_rate"),
    ],
)  # fmt: skip
def test_what_is_no_usable_checkpoint_is_said_in_a_sentence(
    tmp_path: Path, tiny_checkpoint: Path, write: Callable[[Path, Path], Any], said: str
) -> None:
    path = tmp_path / "candidate.ckpt"
    write(path, tiny_checkpoint)
    with pytest.raises(CheckpointError) as refusal:
        read_checkpoint(path)
    sentence = str(refusal.value)
    assert said in sentence
    assert "\n" not in sentence


def test_weights_are_mapped_and_the_file_stays_as_it_is(tmp_path: Path, write_checkpoint: Callable[..., Path]) -> None:
    path = write_checkpoint(tmp_path / "a.ckpt")
    before = path.read_bytes()
    load_weights(path)["model_g.enc_p.emb.weight"].fill_(7.0)
    assert path.read_bytes() == before


def test_odd_entries_beside_the_weights_do_no_harm(tmp_path: Path, write_checkpoint: Callable[..., Path]) -> None:
    path = write_checkpoint(
        tmp_path / "odd.ckpt", epoch="three", global_step=None, loops=[1], optimizer_states="none", piper_studio=5
    )
    checkpoint = read_checkpoint(path)
    assert (checkpoint.epoch, checkpoint.step, checkpoint.optimizer_parameters, checkpoint.studio) == (0, 0, (), {})
