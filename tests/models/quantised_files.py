"""Files of onnxruntime.quantization, and the float graphs that their integers stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx_graphs import Builder, make_linear, make_recurrent, uniform
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)  # fmt: skip

Array = NDArray[Any]

WORDS, IN, H, OUT, T, B = 11, 6, 8, 5, 4, 2
LSTM = make_recurrent("lstm", IN, H)
BOTH = make_recurrent("lstm", IN, H, direction="bidirectional")
GRU = make_recurrent("gru", IN, H)


def tagger(b: Builder) -> str:
    """Embedding, LSTM both ways, Relu, Linear."""
    x = b.input("x", ["t", "b"], onnx.TensorProto.INT64)
    table = b.constant(uniform(WORDS, IN, seed=3))
    y = b.recurrent(b.op("Gather", table, x), BOTH)[0]
    return b.linear(b.op("Relu", b.concatenated(y, 2)), make_linear(2 * H, OUT))


def gru(b: Builder) -> str:
    """A GRU, which onnxruntime leaves as it is, Sigmoid, two Linear of the same values, added."""
    x = b.input("x", ["t", "b", IN])
    y = b.op("Sigmoid", b.squeeze(b.recurrent(x, GRU)[0], 1))
    return b.op("Add", b.linear(y, make_linear(H, OUT)), b.linear(y, make_linear(H, OUT, seed=8)))


def convolution(b: Builder) -> str:
    """A convolution with a bias and Relu, an LSTM, Linear."""
    x = b.op("Transpose", b.input("x", ["t", "b", IN]), perm=[1, 2, 0])
    weight, bias = b.constant(uniform(IN, IN, 3, seed=4) / 4), b.constant(uniform(IN, seed=5))
    y = b.op("Conv", x, weight, bias, kernel_shape=[3], pads=[1, 1])
    y = b.op("Transpose", b.op("Relu", y), perm=[2, 0, 1])
    return b.linear(b.squeeze(b.recurrent(y, LSTM)[0], 1), make_linear(H, OUT))


NETWORKS: Mapping[str, Callable[[Builder], str]] = {
    "tagger": tagger, "gru": gru, "convolution": convolution,
}  # fmt: skip


def sequence(network: str, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    if network == "tagger":
        return rng.integers(0, WORDS, (T, B))
    return rng.uniform(-1, 1, (T, B, IN)).astype(np.float32)


def float_file(folder: Path, network: str) -> Path:
    b = Builder()
    b.output(NETWORKS[network](b), shape=["t", "b", OUT])
    path = folder / "float.onnx"
    onnx.save(b.model(), path)
    return path


def dynamic(path: Path, unsigned: bool = False, per_channel: bool = False) -> Path:
    out = path.with_name("dynamic.onnx")
    kind = QuantType.QUInt8 if unsigned else QuantType.QInt8
    quantize_dynamic(path, out, weight_type=kind, per_channel=per_channel)
    return out


class _Examples(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, network: str) -> None:
        self._left: Iterator[int] = iter(range(4))
        self._network = network

    def get_next(self) -> dict[str, Array] | None:
        seed = next(self._left, None)
        return None if seed is None else {"x": sequence(self._network, 10 + seed)}


def static(path: Path, network: str, form: str, per_channel: bool, unsigned: bool) -> Path:
    out = path.with_name("static.onnx")
    values = QuantType.QUInt8 if unsigned else QuantType.QInt8
    quantize_static(
        path, out, _Examples(network), quant_format=QuantFormat[form], per_channel=per_channel,
        activation_type=values, weight_type=QuantType.QInt8,
    )  # fmt: skip
    return out


def constants(model: Any) -> dict[str, Array]:
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}


def dequantised(integers: Array, scale: Array, zero: Array, axis: int | None = None) -> Array:
    """(q - z) s in float32, as ONNX has DequantizeLinear."""
    if axis is not None and scale.ndim:
        shape = [-1 if i == axis else 1 for i in range(integers.ndim)]
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    return (integers.astype(np.int32) - zero.astype(np.int32)).astype(np.float32) * scale


def with_floats(path: Path, quantised: Path) -> Path:
    """The float file with each weight that the dynamic file has as integers replaced by what these
    stand for."""
    model, numbers = onnx.load(path), constants(onnx.load(quantised))
    readers = {name: node.op_type for node in model.graph.node for name in node.input}
    for tensor in model.graph.initializer:
        name = tensor.name
        if f"{name}_quantized" not in numbers:
            continue
        q, s, z = (numbers[f"{name}_{part}"] for part in ("quantized", "scale", "zero_point"))
        if readers[name] == "LSTM":  # transposed, scales [D] or [D, 4H]
            s, z = (v.reshape(len(q), 1, -1) for v in (s, z))
            array = dequantised(q, s, z).transpose(0, 2, 1)
        else:
            array = dequantised(q, s, z, 0 if readers[name] == "Conv" else q.ndim - 1)
        tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), name))
    out = path.with_name("floats.onnx")
    onnx.save(model, out)
    return out


def with_clips(quantised: Path) -> Path:
    """A file of QuantizeLinear and DequantizeLinear in pairs, with a Clip for each pair."""
    model = onnx.load(quantised)
    numbers = constants(model)
    nodes, made = [], {}
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear":
            made[node.output[0]] = node.input[0]
        elif node.op_type == "DequantizeLinear" and node.input[0] in made:
            scale, zero = (numbers[name] for name in node.input[1:])
            ends = np.iinfo(zero.dtype)
            names = [f"{node.output[0]}_{end}" for end in ("low", "high")]
            for name, end in zip(names, (ends.min, ends.max), strict=True):
                bound = np.float32((end - int(zero)) * scale)
                model.graph.initializer.append(numpy_helper.from_array(bound, name))
            x = made[node.input[0]]
            nodes.append(helper.make_node("Clip", [x, *names], node.output))
        else:
            nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    out = quantised.with_name("clips.onnx")
    onnx.save(model, out)
    return out


def as_float_lstm(model: Any, node: Any, numbers: Mapping[str, Array]) -> None:
    """Makes a DynamicQuantizeLSTM of a model an LSTM, with W and R as floats."""
    for at, first in ((1, 8), (2, 10)):
        q, s, z = (numbers[node.input[i]] for i in (at, first, first + 1))
        s, z = (v.reshape(len(q), 1, -1) for v in (s, z))
        array = np.ascontiguousarray(dequantised(q, s, z).transpose(0, 2, 1))
        name = f"{node.output[0]} float {at}"
        model.graph.initializer.append(numpy_helper.from_array(array, name))
        node.input[at] = name
    del node.input[8:]
    node.op_type, node.domain = "LSTM", ""
