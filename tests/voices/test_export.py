"""Checkpoints become voices that the real piper-tts speaks with, and that say what the networks say."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from piper_core.dataset.text import TextError, phoneme_ids
from piper_core.runs.run import Run
from piper_core.training.config import TrainingConfig
from piper_core.voices import export as export_module
from piper_core.voices.checkpoint import CheckpointError, read_checkpoint
from piper_core.voices.export import build_synthesizer, export
from piper_core.voices.synthesis import SpeechError
from piper_core.voices.voice import Exported, ExportFailed, run_export

TEXT = "Twelve clear words, spoken by a voice that has learnt nothing yet."


def session_of(onnx: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(onnx), providers=["CPUExecutionProvider"])


def infer(
    session: onnxruntime.InferenceSession, ids: list[int], scales: list[float], speaker: int | None = None
) -> np.ndarray:
    inputs: dict[str, Any] = {
        "input": np.array([ids], np.int64),
        "input_lengths": np.array([len(ids)], np.int64),
        "scales": np.array(scales, np.float32),
    }
    if speaker is not None:
        inputs["sid"] = np.array([speaker], np.int64)
    return session.run(None, inputs)[0]


def heard(path: Path) -> tuple[np.ndarray, int]:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2"), file.getframerate()


def assert_speech(audio: np.ndarray, rate: int, expected_rate: int) -> None:
    """An untrained voice gives noise: the right rate, a plausible length for TEXT, and not silence."""
    assert rate == expected_rate
    assert 0.5 < len(audio) / rate < 30
    assert np.sqrt(np.mean(np.square(audio / 32768.0))) > 0.01


@pytest.mark.parametrize(("scales", "text"), [([0.0, 1.0, 0.0], TEXT), ([0.0, 1.7, 0.0], "Hi.")])
def test_the_voice_says_what_the_networks_say(
    tiny_checkpoint: Path, tiny_voice: Exported, scales: list[float], text: str
) -> None:
    ids = phoneme_ids(text, "en-us")
    spoken = infer(session_of(tiny_voice.onnx), ids, scales)
    synthesizer = build_synthesizer(read_checkpoint(tiny_checkpoint))
    with torch.no_grad():
        expected = synthesizer.infer(
            torch.tensor([ids]),
            torch.tensor([len(ids)]),
            noise_scale=scales[0],
            length_scale=scales[1],
            noise_w=scales[2],
        ).audio[:, None]
    assert spoken.shape == tuple(expected.shape)
    assert spoken.shape[:3] == (1, 1, 1)
    np.testing.assert_allclose(spoken, expected.numpy(), atol=1e-5 + 1e-4 * float(expected.abs().max()))


def test_the_scales_and_the_speaker_are_inputs_not_constants(two_voices: Exported) -> None:
    ids, session = phoneme_ids(TEXT, "en-us"), session_of(two_voices.onnx)
    first, second = (infer(session, ids, [0.0, 1.0, 0.0], speaker) for speaker in (0, 1))
    assert first.shape != second.shape or not np.allclose(first, second, atol=1e-4)
    assert infer(session, ids, [0.0, 2.0, 0.0], 0).shape[3] > 1.5 * first.shape[3]
    noisy = [infer(session, ids, [0.667, 1.0, 0.0], 0) for _ in range(2)]
    assert not np.allclose(noisy[0], noisy[1], atol=1e-4)


def test_the_onnx_is_a_valid_piper_model(two_voices: Exported) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(str(two_voices.onnx))
    onnx.checker.check_model(model)
    assert [entry.version for entry in model.opset_import] == [15]
    assert [entry.name for entry in model.graph.input] == ["input", "input_lengths", "scales", "sid"]
    assert [entry.name for entry in model.graph.output] == ["output"]


PIPERS_OWN = """
import json, sys, types
from pathlib import Path
import numpy as np
import torch

stand_in = types.ModuleType("piper.train.vits.monotonic_align")
stand_in.maximum_path = None  # not compiled in the wheel, and not needed to speak
sys.modules[stand_in.__name__] = stand_in
from piper.train.vits.models import SynthesizerTrn

contract, checkpoint, expected, ids = Path(sys.argv[1]), sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
torch.set_num_threads(2)
torch.manual_seed(5)
hyper = json.loads(contract.read_text())["x_low"]["hyper_parameters"]
names = ("inter_channels hidden_channels filter_channels n_heads n_layers kernel_size p_dropout resblock "
         "resblock_kernel_sizes resblock_dilation_sizes upsample_rates upsample_initial_channel "
         "upsample_kernel_sizes gin_channels use_sdp").split()
network = SynthesizerTrn(
    n_vocab=256, spec_channels=513, segment_size=32, n_speakers=1, **{name: hyper[name] for name in names}
)
torch.save({
    "epoch": 1, "global_step": 20, "hyper_parameters": hyper,
    "state_dict": {f"model_g.{name}": tensor for name, tensor in network.state_dict().items()},
}, checkpoint)
network.eval()
with torch.no_grad():
    audio = network.infer(torch.tensor([ids]), torch.tensor([len(ids)]), noise_scale=0.0, length_scale=1.0,
                          noise_scale_w=0.0)[0]
np.save(expected, audio.numpy())
"""


def test_a_checkpoint_of_pipers_own_trainer_speaks_as_pipers_networks_do(contract_file: Path, tmp_path: Path) -> None:
    checkpoint, expected, ids = tmp_path / "epoch=1.ckpt", tmp_path / "expected.npy", phoneme_ids(TEXT, "en-us")
    subprocess.run(
        [sys.executable, "-c", PIPERS_OWN, str(contract_file), str(checkpoint), str(expected), json.dumps(ids)],
        check=True,
        timeout=300,
    )
    with pytest.raises(CheckpointError, match="--language en-us"):
        export(checkpoint, tmp_path)
    (tmp_path / "config.yaml").write_text("data:\n  espeak_voice: en-us\n  voice_name: 'Lessac'\n")
    voice = export(checkpoint, tmp_path)
    assert voice.name == "en_US-lessac-x_low"
    spoken, wanted = infer(session_of(voice.onnx), ids, [0.0, 1.0, 0.0]), np.load(expected)
    assert spoken.shape[3] == wanted.shape[2]
    np.testing.assert_allclose(spoken[0], wanted, atol=1e-5 + 1e-4 * np.abs(wanted).max())


def test_the_published_config_beside_an_old_checkpoint_is_used(
    tmp_path: Path, write_checkpoint: Callable[..., Path]
) -> None:
    path = write_checkpoint(tmp_path / "epoch=2164.ckpt", num_symbols=130, piper_studio=None)
    phonemes = {"_": [0], "^": [1], "$": [2], " ": [3], "a": [14], "w": [35], "ʌ": [102], "n": [26], "1": [130]}
    (tmp_path / "config.json").write_text(
        json.dumps({"dataset": "de_DE-thorsten-low", "espeak": {"voice": "de"}, "phoneme_id_map": phonemes})
    )
    voice = export(path, tmp_path / "out")
    made = json.loads(voice.json.read_text())
    assert voice.name == "de_DE-thorsten-x_low"
    assert made["phoneme_id_map"] == {symbol: ids for symbol, ids in phonemes.items() if symbol != "1"}
    assert made["num_symbols"] == 130


@pytest.mark.parametrize("speaker", [None, 1])
def test_the_piper_command_speaks(
    tmp_path: Path, tiny_voice: Exported, two_voices: Exported, speaker: int | None
) -> None:
    voice = tiny_voice if speaker is None else two_voices
    command = [sys.executable, "-m", "piper", "-m", str(voice.onnx), "-f", str(tmp_path / "out.wav")]
    command += [] if speaker is None else ["-s", str(speaker)]
    subprocess.run([*command, "--", TEXT], check=True, timeout=120, capture_output=True)
    assert_speech(*heard(tmp_path / "out.wav"), 16000)


def test_pipers_http_server_speaks(tmp_path: Path, two_voices: Exported) -> None:
    pytest.importorskip("flask", reason="piper-tts' HTTP server needs flask, which is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "piper.http_server", "-m", str(two_voices.onnx), "--host", "127.0.0.1"]
    with (tmp_path / "server.log").open("wb") as log:
        server = subprocess.Popen([*command, "--port", str(port)], cwd=tmp_path, stdout=log, stderr=log)
    try:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/synthesize",
            json.dumps({"text": TEXT, "speaker": "voice 1"}).encode(),
            {"Content-Type": "application/json"},
        )
        answer = b""
        for _ in range(240):
            try:
                answer = urllib.request.urlopen(request, timeout=60).read()
                break
            except urllib.error.URLError as error:  # refused until the server listens
                if not isinstance(error.reason, ConnectionError):
                    raise
                time.sleep(0.25)
        (tmp_path / "out.wav").write_bytes(answer)
        assert_speech(*heard(tmp_path / "out.wav"), 16000)
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.mark.slow
@pytest.mark.parametrize(("preset", "rate"), [("medium", 22050), ("high", 22050)])
def test_the_large_presets_export_and_speak(
    tmp_path: Path, write_checkpoint: Callable[..., Path], preset: str, rate: int
) -> None:
    voice = export(write_checkpoint(tmp_path / "a.ckpt", preset), tmp_path, name="Large", language="de")
    assert voice.name == f"de_DE-large-{preset}"
    command = [sys.executable, "-m", "piper", "-m", str(voice.onnx), "-f", str(tmp_path / "out.wav"), "--", TEXT]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    assert_speech(*heard(tmp_path / "out.wav"), rate)


def a_run(folder: Path, checkpoint: Path | None) -> Path:
    run = Run(folder)
    run.checkpoints_dir.mkdir(parents=True)
    run.config_path.write_text(
        json.dumps(TrainingConfig(name="My-Run", dataset="/d", language="nl", preset="tiny", max_steps=1).to_dict())
    )
    if checkpoint is not None:
        shutil.copy(checkpoint, run.last_checkpoint)
    return folder


def test_a_run_is_exported_by_a_process_of_its_own(tmp_path: Path, write_checkpoint: Callable[..., Path]) -> None:
    checkpoint = write_checkpoint(tmp_path / "noteless.ckpt", piper_studio=None)
    run = a_run(tmp_path / "runs" / "a", checkpoint)
    exported = run_export(run, tmp_path / "voice", name="Other")
    name = "nl_NL-other-x_low"
    assert exported == Exported(tmp_path / f"voice/{name}.onnx", tmp_path / f"voice/{name}.onnx.json", name)
    assert sorted(path.name for path in (tmp_path / "voice").iterdir()) == [exported.onnx.name, exported.json.name]
    assert json.loads(exported.json.read_text())["espeak"] == {"voice": "nl"}


@pytest.mark.parametrize("case", ["no checkpoint yet", "no run", "no file", "damaged", "unwritable"])
def test_what_can_not_be_exported_is_said_in_one_line(tmp_path: Path, tiny_checkpoint: Path, case: str) -> None:
    source, out, said = {
        "no checkpoint yet": (a_run(tmp_path / "run", None), tmp_path / "out", "has no checkpoint yet"),
        "no run": (tmp_path, tmp_path / "out", "config.json"),
        "no file": (tmp_path / "x.ckpt", tmp_path / "out", "There is no checkpoint"),
        "damaged": (tmp_path / "bad.ckpt", tmp_path / "out", "cut short"),
        "unwritable": (tiny_checkpoint, tmp_path / "bad.ckpt" / "out", "can't be written"),
    }[case]
    (tmp_path / "bad.ckpt").write_bytes(tiny_checkpoint.read_bytes()[:5000])
    command = [sys.executable, "-m", "piper_core.voices.export", str(source), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(export_module.__file__).parents[2])
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert said in done.stderr


def test_the_page_gets_the_reason(tmp_path: Path) -> None:
    failed = run_export(tmp_path / "nothing.ckpt", tmp_path)
    assert failed == ExportFailed(f"There is no checkpoint at {tmp_path / 'nothing.ckpt'}.")


def test_an_unknown_language_is_refused_before_the_work(tiny_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(TextError, match="klingonish"):
        export(tiny_checkpoint, tmp_path, language="klingonish")


def test_without_onnx_the_missing_package_is_named(tiny_checkpoint: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(export_module.ExportError, match="pip install onnx"):
        export(tiny_checkpoint, tmp_path)


def test_weights_that_are_not_numbers_are_refused(tmp_path: Path, tiny_checkpoint: Path) -> None:
    content = torch.load(tiny_checkpoint, weights_only=True)
    content["state_dict"]["model_g.dec.conv_post.weight"][0, 0, 0] = float("nan")
    torch.save(content, tmp_path / "diverged.ckpt")
    with pytest.raises(CheckpointError, match="diverged"):
        export(tmp_path / "diverged.ckpt", tmp_path)


def test_a_voice_that_does_not_speak_leaves_the_older_one(
    tmp_path: Path, tiny_checkpoint: Path, tiny_voice: Exported
) -> None:
    older = shutil.copy(tiny_voice.onnx, tmp_path)
    shutil.copy(tiny_voice.json, tmp_path)
    content = torch.load(tiny_checkpoint, weights_only=True)
    for name in ("model_g.dec.conv_post.weight", "model_g.dec.conv_post.bias"):
        if name in content["state_dict"]:
            content["state_dict"][name].zero_()
    torch.save(content, tmp_path / "mute.ckpt")
    before = Path(older).read_bytes()
    with pytest.raises(SpeechError, match="no sound"):
        export(tmp_path / "mute.ckpt", tmp_path)
    assert Path(older).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [tiny_voice.onnx.name, tiny_voice.json.name, "mute.ckpt"]
    )
