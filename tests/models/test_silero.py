"""Silero VAD: the LSTM 128 -> 128 inside the ONNX file, against onnxruntime on the same file.

onnxruntime runs the whole file, with the LSTM's input and output made outputs of the graph; we
run the LSTM, and then the head behind it up to the probability of speech. The package's
safetensors file, which is another training, has a torch.nn.LSTMCell in it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import rnn_native as rn
from rnn_native.spec import Linear, ModelSpec, Recurrent

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.models

CONTEXT, FRAME = 64, 512  # samples: each frame comes with the end of the one before


class Network:
    """The file's LSTM and head as ours, and onnxruntime's numbers for one signal."""

    def __init__(self, path: Any, signal: NDArray[np.float32]) -> None:
        self.path = path
        model = onnx.load(path)
        (lstm,) = [node for node in model.graph.node if node.op_type == "LSTM"]
        arrays = {
            tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer
        }
        self.lstm = lstm_of(*(arrays[name] for name in lstm.input[1:4]))
        self.head = (
            Linear(np.eye(128, dtype=np.float32), activation="relu"),
            Linear(arrays["output.weight"][:, :, 0], arrays["output.bias"], activation="sigmoid"),
        )
        known = {value.name for value in model.graph.output}
        self.names = [lstm.input[0], lstm.output[0], *lstm.output[1:3], "speech_probs"]
        model.graph.output.extend(
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
            for name in self.names
            if name not in known
        )
        self.session = ort.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        padded = np.concatenate([np.zeros(CONTEXT, np.float32), signal])
        windows = np.lib.stride_tricks.sliding_window_view(padded, CONTEXT + FRAME)
        self.frames = np.ascontiguousarray(windows[::FRAME])
        zero = np.zeros((1, 1, 128), np.float32)
        self.x, y, self.h, self.c, self.speech = self.oracle(self.frames, zero, zero)
        self.y = y[:, 0]  # Y has an axis of directions: [time, 1, batch, H]

    def oracle(self, frames: Any, h: Any, c: Any) -> list[NDArray[np.float32]]:
        return self.session.run(self.names, {"input": frames, "h": h, "c": c})


def lstm_of(w: NDArray[Any], r: NDArray[Any], b: NDArray[Any]) -> Recurrent:
    """ONNX's W [1, 4H, in], R [1, 4H, H], B [1, 8H], gates i, o, f, c, as ours: i, f, g, o."""

    def gates(array: NDArray[Any]) -> NDArray[Any]:
        i, o, f, c = np.split(array, 4)
        return np.concatenate([i, f, c, o])

    input_bias, hidden_bias = np.split(b[0], 2)
    weights = {
        "weight_ih_l0": gates(w[0]),
        "weight_hh_l0": gates(r[0]),
        "bias_ih_l0": gates(input_bias),
        "bias_hh_l0": gates(hidden_bias),
    }
    return Recurrent("lstm", w.shape[2], r.shape[2], weights)


@pytest.fixture(scope="module")
def network(package_file: Any, voice: Any) -> Network:
    path = package_file("silero-vad", "silero_vad/data/silero_vad_16k_sequence.onnx")
    return Network(path, voice(16000, 6.0))


def test_lstm_equals_onnxruntime(network: Network, run: Any) -> None:
    spec = ModelSpec((network.lstm,))
    y, (h, c) = run(spec, network.x)
    run.assert_close(y, network.y)
    run.assert_close(h, network.h)
    run.assert_close(c, network.c)


def test_reader_finds_the_same_lstm_between_its_tensors(network: Network) -> None:
    spec = rn.load(network.path, between=network.names[:2]).spec
    (read,) = spec.layers
    assert read.arrays.keys() == network.lstm.arrays.keys()
    for name, array in network.lstm.arrays.items():
        np.testing.assert_array_equal(read.arrays[name], array)


def test_speech_probabilities_equal_onnxruntime(network: Network, run: Any) -> None:
    spec = ModelSpec((network.lstm, *network.head))
    y, _ = run(spec, network.x)
    run.assert_close(y[:, 0, 0], network.speech)
    # The signal speaks and pauses: a head that is always sure of one of them would prove nothing.
    assert np.ptp(network.speech) > 0.1


def test_state_carries_from_chunk_to_chunk_as_the_oracle_carries_it(
    network: Network, run: Any
) -> None:
    spec = ModelSpec((network.lstm,))
    h = c = np.zeros((1, 1, 128), np.float32)
    state = None
    for frames in np.split(network.frames, [1, 2, 9, 40, 41, 100]):
        x, expected, h, c, _ = network.oracle(frames, h, c)
        y, state = run(spec, x, state)
        run.assert_close(y, expected[:, 0])
        run.assert_close(state[0], h)


def test_stream_of_frames_equals_onnxruntime(network: Network, compiled: Any) -> None:
    stream = rn.Model(ModelSpec((network.lstm,))).stream(batch=1)
    y = np.stack([np.array(stream.step(frame)) for frame in network.x])
    compiled.assert_close(y, network.y)
    compiled.assert_close(stream.state[0], network.h)
    stream.reset()
    again = np.array(stream.step(network.x[0]))
    np.testing.assert_array_equal(again, y[0])


def safetensors_arrays(path: Path) -> dict[str, NDArray[np.float32]]:
    """The file's arrays, all of them float32: a size, a JSON header, the bytes."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    arrays = {}
    for name, entry in json.loads(content[8:start]).items():
        first, last = (start + offset for offset in entry["data_offsets"])
        arrays[name] = np.frombuffer(content[first:last], "<f4").reshape(entry["shape"])
    return arrays


def test_cell_in_the_safetensors_file_equals_torch(
    network: Network, package_file: Any, run: Any
) -> None:
    torch = pytest.importorskip("torch", reason="see tests/models/requirements-torch.txt")
    path = package_file("silero-vad", "silero_vad/data/silero_vad_16k.safetensors")
    prefix = "lstm_cell."
    cell = torch.nn.LSTMCell(128, 128)
    cell.load_state_dict(
        {
            name.removeprefix(prefix): torch.tensor(array)
            for name, array in safetensors_arrays(path).items()
            if name.startswith(prefix)
        }
    )
    expected, state = [], None
    with torch.no_grad():
        for frame in torch.from_numpy(network.x):
            state = cell(frame, state)
            expected.append(state[0].numpy())
    y, (_, c) = run(rn.load(path, prefix=prefix).spec, network.x)
    run.assert_close(y, np.stack(expected))
    run.assert_close(c[0], state[1].numpy())
