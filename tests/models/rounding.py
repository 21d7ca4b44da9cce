"""By how much a network can differ whose values are rounded to scales, layer by layer.

A value that is rounded to a scale s is off by at most s / 2. What is off by d in front of a product
is off by |W| d behind it; a sigmoid passes on a quarter of that, a tanh all of it. Bounds of a step
of an LSTM, with c' = f c + i g and h = o tanh(c'), are those of its sums and products.
Everything is float64; what float32 adds is a million times smaller than a scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import numpy_helper

from rnn_native.spec import Linear, Recurrent

Array = NDArray[Any]


def scale_of(values: Array, off: Array | float = 0.0) -> float:
    """The scale of 256 steps from the smallest of values and 0 to the largest of them and 0."""
    most = float(np.max(off))
    low, high = min(0.0, float(values.min()) - most), max(0.0, float(values.max()) + most)
    return (high - low) / 255


def after_linear(layer: Linear, x: Array, off: Array | float = 0.0) -> Array:
    """Behind a Linear whose input is rounded."""
    wide = np.broadcast_to(off, x.shape) + scale_of(x, off) / 2
    made: Array = wide @ np.abs(layer.weight.astype(np.float64)).T
    return made


def after_lstm(
    layer: Recurrent, x: Array, h: Array, c: Array, off: Array | float = 0.0, rounds: bool = True
) -> tuple[Array, Array]:
    """Y [T, B, D H] of an LSTM in float64, and its bound, where ``rounds`` says that x and h are
    rounded at each step."""
    found = [_direction(layer, d, x, h[d], c[d], off, rounds) for d in range(layer.num_directions)]
    y, bound = (np.concatenate(parts, -1) for parts in zip(*found, strict=True))
    return y, bound


def _direction(
    layer: Recurrent, d: int, x: Array, h: Array, c: Array, off: Array | float, rounds: bool
) -> tuple[Array, Array]:
    end = layer.suffixes[d]
    w, r = (layer.arrays[f"weight_{k}_l0{end}"].astype(np.float64) for k in ("ih", "hh"))
    biases = [f"bias_{k}_l0{end}" for k in ("ih", "hh") if layer.bias]
    bias = sum((layer.arrays[name].astype(np.float64) for name in biases), np.zeros(len(w)))
    h, c = h.astype(np.float64), c.astype(np.float64)
    dh, dc = np.zeros_like(h), np.zeros_like(c)
    wide = np.broadcast_to(off, x.shape) + rounds * scale_of(x, off) / 2
    y, bound = np.zeros((len(x), *h.shape)), np.zeros((len(x), *h.shape))
    for t in range(len(x))[:: -1 if end else 1]:
        da = wide[t] @ np.abs(w).T + (dh + rounds * scale_of(h, dh) / 2) @ np.abs(r).T
        di, df, dg, do = np.split(da, 4, -1) * np.reshape([0.25, 0.25, 1, 0.25], (4, 1, 1))
        a = np.split(x[t] @ w.T + h @ r.T + bias, 4, -1)
        i, f, o = (1 / (1 + np.exp(-a[k])) for k in (0, 1, 3))
        g = np.tanh(a[2])
        dc = (f + df) * dc + df * np.abs(c) + (i + di) * dg + di * np.abs(g)
        c = f * c + i * g
        dh = (o + do) * dc + do * np.abs(np.tanh(c))
        h = o * np.tanh(c)
        y[t], bound[t] = h, dh
    return y, bound


_STAY = ("Gather", "Relu", "Reshape", "Squeeze", "Transpose")


def after_clips(path: Path, lstm: Recurrent | None, x: Array) -> float:
    """What the output of a graph is off by where each of its Clips is a range of 256 steps to which
    a value is rounded; one number for all numbers of a tensor."""
    model = onnx.load(path)
    numbers = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    off = {"x": 0.0}
    for node in model.graph.node:
        ins = [off.get(name, 0.0) for name in node.input]
        size = {
            name: np.abs(numbers[name].astype(np.float64)) for name in node.input if name in numbers
        }
        made = max(ins, default=0.0)
        if node.op_type == "DequantizeLinear":  # weights
            array = _dequantised(node, numbers)
            numbers[node.output[0]] = array
            made = 0.0
        elif node.op_type == "Clip":
            low, high = (numbers[name] for name in node.input[1:])
            made = ins[0] + float(high - low) / 255 / 2
        elif node.op_type in ("MatMul", "Conv"):
            weight = size[node.input[1]]
            made = ins[0] * weight.sum(0 if node.op_type == "MatMul" else (1, 2)).max()
        elif node.op_type == "Add":
            made = sum(ins)
        elif node.op_type == "Sigmoid":
            made = ins[0] / 4
        elif node.op_type == "LSTM":
            assert lstm is not None
            zeros = np.zeros((lstm.num_directions, x.shape[1], lstm.hidden_size))
            given = _tensor(model, node.input[0], x).astype(np.float64)
            made = after_lstm(lstm, given, zeros, zeros, ins[0], rounds=False)[1].max()
        elif node.op_type == "GRU":
            assert not ins[0]  # nothing before it is rounded
        else:
            assert node.op_type in _STAY, node.op_type
        off |= dict.fromkeys(node.output, float(made))
    return off[model.graph.output[0].name]


def _dequantised(node: Any, numbers: Mapping[str, Array]) -> Array:
    q, s, z = (numbers[name] for name in node.input)
    axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
    shape = [-1 if i == axis % q.ndim and s.size > 1 else 1 for i in range(q.ndim)]
    return (q.astype(np.float64) - z.reshape(shape)) * s.reshape(shape)


def _tensor(model: Any, name: str, x: Array) -> Array:
    """A tensor in the middle of a graph."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    copy.graph.output.append(onnx.helper.make_tensor_value_info(name, 1, None))
    session = ort.InferenceSession(copy.SerializeToString(), providers=["CPUExecutionProvider"])
    made: Array = session.run(None, {"x": x})[0]
    return made
