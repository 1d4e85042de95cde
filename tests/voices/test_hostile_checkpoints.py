"""Checkpoints made to do harm: each is refused by name, and nothing in it runs.

What runs would touch a file, the canary. Every such pickle is opened the careless way too, in a process of its own:
there the canary appears, so that these tests show something.
"""

from __future__ import annotations

import importlib
import io
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from piper_core.voices.checkpoint import CheckpointError, load_content, load_weights, read_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


class Calls:
    """Pickles as a call of `module.name(*arguments)`."""

    def __init__(self, module: str, name: str, *arguments: Any) -> None:
        self.call = (getattr(importlib.import_module(module), name), arguments)

    def __reduce__(self) -> Any:
        return self.call


def by_global(module: str, name: str, argument: str) -> bytes:
    """Protocol 0 by hand: GLOBAL, one argument, REDUCE; for names that Python would spell another way."""
    return f"c{module}\n{name}\n(V{argument}\ntR.".encode()


def by_stack_global(module: str, name: str, argument: str) -> bytes:
    """Protocol 4 by hand: the name is put together on the stack."""

    def text(value: str) -> bytes:
        return b"\x8c" + bytes([len(value)]) + value.encode()

    assert len(argument) < 256
    return b"\x80\x04" + text(module) + text(name) + b"\x93" + text(argument) + b"\x85R."


def by_inst(module: str, name: str, argument: str) -> bytes:
    """Protocol 0's INST opcode, which few readers look at."""
    return f"(V{argument}\ni{module}\n{name}\n.".encode()


def touching(canary: Path) -> str:
    return f"touch '{canary}'"


def python_touching(canary: Path) -> str:
    return f"open({str(canary)!r}, 'w').close()"


HARMS: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "os.system": (lambda c: by_global("os", "system", touching(c)), "os.system"),
    "posix.system": (lambda c: by_global("posix", "system", touching(c)), "posix.system"),
    "os.system, name from the stack": (lambda c: by_stack_global("os", "system", touching(c)), "os.system"),
    "os.popen": (lambda c: by_stack_global("os", "popen", touching(c)), "os.popen"),
    "os.system, by INST": (lambda c: by_inst("os", "system", touching(c)), "os.system"),
    "eval": (lambda c: by_global("builtins", "eval", python_touching(c)), "builtins.eval"),
    "exec": (lambda c: by_stack_global("builtins", "exec", python_touching(c)), "builtins.exec"),
    "eval of Python 2": (lambda c: by_global("__builtin__", "eval", python_touching(c)), "eval"),
    "subprocess": (
        lambda c: pickle.dumps(Calls("subprocess", "check_call", ["touch", str(c)]), 2),
        "check_call",
    ),
    "open": (lambda c: pickle.dumps(Calls("io", "open", str(c), "w"), 2), "open"),
    "pathlib's own touch": (lambda c: by_stack_global("pathlib", "Path.touch", str(c)), "pathlib.Path.touch"),
    "a module that torch brings": (
        lambda c: by_stack_global("torch.utils.cpp_extension", "_join_cuda_home", str(c)), "cpp_extension"),
    "our own code": (
        lambda c: by_stack_global("piper_core.training.trainer", "_log_to", str(c)), "piper_core.training.trainer"),
    "our own class": (
        lambda c: by_stack_global("piper_core.runs.metrics", "MetricsWriter", str(c)), "piper_core.runs.metrics"),
}  # fmt: skip
"""What a pickle does, and the name that its refusal says."""
HARMLESS_HERE = ("pathlib's own touch", "a module that torch brings", "our own code", "our own class")
"""Refused all the same, though the careless way touches no canary (a method of nothing; a logger; a writer)."""


def in_a_zip(path: Path, index: bytes) -> None:
    """As torch lays a checkpoint out."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", index)
        archive.writestr("archive/byteorder", "little")
        archive.writestr("archive/version", "3\n")


def bare(path: Path, index: bytes) -> None:
    """As torch wrote them before 1.6: a magic number, a protocol, system information, then the content."""
    magic, protocol = 0x1950A86A20F9469CFC6C, 1001
    sizes = {"protocol_version": protocol, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    head = b"".join(pickle.dumps(value, 2) for value in (magic, protocol, sizes))
    path.write_bytes(head + index)


def alone(path: Path, index: bytes) -> None:
    """A plain pickle."""
    path.write_bytes(index if index.startswith(b"\x80") else b"\x80\x02" + index)


@pytest.mark.parametrize("layout", [in_a_zip, bare, alone], ids=["zip", "torch of old", "plain pickle"])
@pytest.mark.parametrize("harm", HARMS)
def test_each_is_refused_by_name_and_nothing_runs(
    tmp_path: Path, harm: str, layout: Callable[[Path, bytes], None]
) -> None:
    canary, path = tmp_path / "canary", tmp_path / "hostile.ckpt"
    make, named = HARMS[harm]
    layout(path, make(canary))
    for read in (load_content, read_checkpoint, load_weights):
        with pytest.raises(CheckpointError) as refusal:
            read(path)
        sentence = str(refusal.value)
        assert named in sentence
        assert "Nothing was run" in sentence
        assert "\n" not in sentence
    assert not canary.exists()


@pytest.mark.parametrize("harm", [harm for harm in HARMS if harm not in HARMLESS_HERE])
def test_opened_carelessly_each_would_run(tmp_path: Path, harm: str) -> None:
    canary, path = tmp_path / "canary", tmp_path / "hostile.pkl"
    path.write_bytes(HARMS[harm][0](canary))
    careless = "import pickle, sys; pickle.load(open(sys.argv[1], 'rb'))"
    subprocess.run([sys.executable, "-c", careless, path], capture_output=True, check=False)
    assert canary.exists()


def test_harm_beside_good_weights_is_refused(tmp_path: Path, tiny_checkpoint: Path) -> None:
    """A real checkpoint with one object too many, deep inside."""
    canary, path = tmp_path / "canary", tmp_path / "hostile.ckpt"
    content = torch.load(tiny_checkpoint, weights_only=True)
    content["optimizer_states"][0]["state"] = {0: {"step": [({"exp_avg": Calls("os", "system", touching(canary))},)]}}
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"(posix|os)\.system"):
        read_checkpoint(path)
    assert not canary.exists()
    torch.load(path, weights_only=False)
    assert canary.exists(), "it was harmless: this test shows nothing"


def test_a_method_named_by_the_pickle_is_not_called(tmp_path: Path) -> None:
    """BUILD hands state to an object's own __setstate__, of a class that the reader knows."""
    path = tmp_path / "build.ckpt"
    in_a_zip(path, b"\x80\x02ccollections\nOrderedDict\n)R}X\x06\x00\x00\x00updateK\x01sb.")
    with pytest.raises(CheckpointError):
        read_checkpoint(path)


def rebuilt(size: tuple[int, ...], stride: tuple[int, ...], numbers: int, offset: int = 0) -> bytes:
    """The index of an archive whose only weight claims that size, over a storage of `numbers` float32."""

    class Storage:
        pass

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: Any) -> Any:
            return ("storage", torch.FloatStorage, "0", "cpu", numbers) if isinstance(value, Storage) else None

    class Rebuilds:
        def __reduce__(self) -> Any:
            return (torch._utils._rebuild_tensor_v2, (Storage(), offset, size, stride, False, {}))

    buffer = io.BytesIO()
    names = ("model_g.enc_p.emb.weight", "model_g.dec.conv_pre.weight")
    Pickler(buffer, protocol=2).dump({"state_dict": {name: Rebuilds() for name in names}})
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [
        ((1 << 40, 192), (192, 1), 0),
        ((256, 192), (1 << 50, 1), 0),
        ((256, 192), (192, 1), 1 << 60),
        ((256, 192), (192, 1), -4096),
        ((-256, 192), (192, 1), 0),
    ],
)
def test_a_weight_larger_than_its_bytes_is_refused(
    tmp_path: Path, size: tuple[int, ...], stride: tuple[int, ...], offset: int
) -> None:
    """torch's own rebuild functions are let in: what they are given has to fit the bytes that are there."""
    path = tmp_path / "huge.ckpt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", rebuilt(size, stride, 16, offset))
        archive.writestr("archive/data/0", bytes(64))
        archive.writestr("archive/version", "3\n")
    with pytest.raises(CheckpointError):
        read_checkpoint(path)


@pytest.mark.parametrize("numbers", [1 << 20, 1 << 50])
def test_a_storage_that_claims_more_than_the_file_has_is_refused(tmp_path: Path, numbers: int) -> None:
    path = tmp_path / "claims.ckpt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", rebuilt((256, 192), (192, 1), numbers))
        archive.writestr("archive/data/0", bytes(64))
        archive.writestr("archive/version", "3\n")
    with pytest.raises(CheckpointError):
        read_checkpoint(path)


def test_a_packed_bomb_is_refused_unopened(tmp_path: Path) -> None:
    """A gigabyte of zeros packs into one megabyte."""
    path = tmp_path / "bomb.ckpt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("archive/data.pkl", "w", force_zip64=True) as entry:
            for _ in range(64):
                entry.write(bytes(1 << 20))
        archive.writestr("archive/version", "3\n")
    assert path.stat().st_size < 1 << 20
    with pytest.raises(CheckpointError, match="another program"):
        read_checkpoint(path)


def test_an_index_that_claims_to_be_huge_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "claims.ckpt"
    in_a_zip(path, pickle.dumps({}, 2))
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    assert content[entry + 46 : entry + 62] == b"archive/data.pkl"
    struct.pack_into("<II", content, entry + 20, 1 << 31, 1 << 31)  # its packed and unpacked size in the directory
    path.write_bytes(content)
    with pytest.raises(CheckpointError):
        read_checkpoint(path)


@pytest.mark.parametrize("name", ["../../outside", "/etc/outside", "archive/../../outside"])
def test_paths_that_lead_out_of_the_archive_lead_nowhere(tmp_path: Path, name: str) -> None:
    """Nothing is ever unpacked: an entry's name is looked up, not written to."""
    path = tmp_path / "inside" / "deep" / "paths.ckpt"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", rebuilt((4, 4), (4, 1), 16))
        archive.writestr(name, bytes(64))
        archive.writestr("archive/version", "3\n")
    with pytest.raises(CheckpointError):
        read_checkpoint(path)
    assert not list(tmp_path.rglob("outside"))
    assert not Path("/etc/outside").exists()


def test_two_indices_are_no_way_around_the_reading(tmp_path: Path) -> None:
    """Of two entries by one name, one reader may look at the first and another at the last."""
    canary, path = tmp_path / "canary", tmp_path / "two.ckpt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}, 2))
        archive.writestr("archive/data.pkl", by_global("os", "system", touching(canary)))
    with pytest.raises(CheckpointError):
        read_checkpoint(path)
    assert not canary.exists()


def test_a_pickle_nested_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.ckpt"
    in_a_zip(path, b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b".")
    with pytest.raises(CheckpointError):
        read_checkpoint(path)


def test_torchscript_is_not_loaded(tmp_path: Path) -> None:
    """An archive of TorchScript carries code; torch tells it by its constants.pkl."""
    path = tmp_path / "script.ckpt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}, 2))
        archive.writestr("archive/constants.pkl", pickle.dumps((), 2))
        archive.writestr("archive/code/__torch__.py", "import os")
        archive.writestr("archive/version", "3\n")
    with pytest.raises(CheckpointError):
        read_checkpoint(path)


def test_the_command_line_refuses_it_in_one_line(tmp_path: Path, project_root: Path) -> None:
    canary, path = tmp_path / "canary", tmp_path / "hostile.ckpt"
    in_a_zip(path, by_global("os", "system", touching(canary)))
    told = subprocess.run(
        [sys.executable, "-m", "piper_core", "doctor", path], cwd=project_root, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(project_root)},
    )  # fmt: skip
    assert told.returncode == 2
    assert "os.system" in told.stderr
    assert len(told.stderr.strip().splitlines()) == 1
    assert not canary.exists()
