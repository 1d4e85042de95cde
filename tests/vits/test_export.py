"""Speaking through onnxruntime: the graph that a voice file holds."""

from __future__ import annotations

import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from piper_core.vits.synthesizer import Synthesizer, SynthesizerConfig


class Spoken(nn.Module):
    """A Piper voice's inputs and output: scales are noise, length and noise of durations."""

    def __init__(self, synthesizer: Synthesizer) -> None:
        super().__init__()
        self.synthesizer = synthesizer

    def forward(
        self, phoneme_ids: Tensor, lengths: Tensor, scales: Tensor, speaker_ids: Tensor | None = None
    ) -> Tensor:
        speech = self.synthesizer.infer(phoneme_ids, lengths, speaker_ids, scales[0], scales[1], scales[2])
        return speech.audio[:, None]


def export(spoken: Spoken, file: Path) -> None:
    several = spoken.synthesizer.config.num_speakers > 1
    example = [torch.randint(0, 256, (1, 30)), torch.tensor([30]), torch.tensor([0.667, 1.0, 0.8])]
    names = ["input", "input_lengths", "scales"]
    axes = {"input": {0: "batch", 1: "phonemes"}, "input_lengths": {0: "batch"}, "output": {0: "batch", 3: "time"}}
    if several:
        example.append(torch.tensor([0]))
        names.append("sid")
        axes["sid"] = {0: "batch"}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("error", torch.jit.TracerWarning)  # a value frozen into the graph
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        torch.onnx.export(
            spoken, tuple(example), str(file), dynamo=False, opset_version=15,
            input_names=names, output_names=["output"], dynamic_axes=axes,
        )  # fmt: skip


@pytest.fixture
def onnx_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch opens the finished graph with `onnx` to look for functions of its own; there are none in ours."""
    try:
        import onnx  # noqa: F401
    except ImportError:
        stand_in = types.ModuleType("onnx")
        empty = types.SimpleNamespace(graph=types.SimpleNamespace(node=[]))
        stand_in.load_model_from_string = lambda _: empty  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "onnx", stand_in)


@pytest.fixture
def voice(tmp_path: Path, onnx_at_hand: None) -> Callable:
    onnxruntime = pytest.importorskip("onnxruntime")

    def make(num_speakers: int):
        torch.manual_seed(num_speakers)
        config = SynthesizerConfig(
            num_speakers=num_speakers, inter_channels=16, hidden_channels=16, filter_channels=32, n_layers=2,
            upsample_initial_channel=32,
        )  # fmt: skip
        synthesizer = Synthesizer(config)
        with torch.no_grad():
            for parameter in synthesizer.parameters():
                if not parameter.any():
                    parameter.normal_(0, 0.1)
        synthesizer.remove_weight_norm()
        spoken = Spoken(synthesizer).eval()
        export(spoken, tmp_path / "voice.onnx")
        return spoken, onnxruntime.InferenceSession(tmp_path / "voice.onnx", providers=["CPUExecutionProvider"])

    return make


@pytest.mark.parametrize("num_speakers", [1, 3])
def test_a_voice_speaks_any_batch_and_length_as_torch_does(voice, num_speakers: int) -> None:
    spoken, session = voice(num_speakers)
    for batch, size in ((1, 30), (3, 17), (2, 1), (1, 120)):
        generator = torch.Generator().manual_seed(size)
        inputs = {
            "input": torch.randint(0, 256, (batch, size), generator=generator),
            "input_lengths": torch.randint(1, size + 1, (batch,), generator=generator).sort(descending=True).values,
            "scales": torch.tensor([0.0, 1.3, 0.0]),  # no randomness
        }
        if num_speakers > 1:
            inputs["sid"] = torch.randint(0, num_speakers, (batch,), generator=generator)
        (heard,) = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
        with torch.no_grad():
            expected = spoken(*inputs.values())
        assert heard.shape == tuple(expected.shape)
        torch.testing.assert_close(
            torch.from_numpy(heard), expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max())
        )


def test_a_voice_breathes(voice) -> None:
    _, session = voice(1)
    inputs = {
        "input": torch.randint(0, 256, (1, 40)).numpy(),
        "input_lengths": torch.tensor([40]).numpy(),
        "scales": torch.tensor([0.667, 1.0, 0.8]).numpy(),
    }
    lengths = {session.run(None, inputs)[0].shape[3] for _ in range(4)}
    assert len(lengths) > 1, "the random numbers were frozen into the graph"
    slower = session.run(None, inputs | {"scales": torch.tensor([0.667, 3.0, 0.8]).numpy()})[0].shape[3]
    assert slower > max(lengths)
