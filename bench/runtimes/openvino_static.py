"""OpenVINO with an LSTM in int8: what comes of FakeQuantize before its inputs and weights.

The ranges, which a user would take from a calibration, are the largest value of this very input and
of a state, 1. Its plugin has no int8 kernel of an RNN, and none of a GRU that resets after the
product. y is rounded to the inputs' 256 steps too, by the plugin alone. Forms as in openvino_cpu.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset13 as op

from rnn_native import Recurrent
from rnn_native.benchmark.worker import Form, Task
from runtimes.openvino_cpu import calls, configuration, version

__all__ = ["prepare", "version"]

_STEPS = 256
_GATES = (1, 0, 2, 3)  # OpenVINO's order f, i, c, o, of PyTorch's i, f, g, o


def prepare(task: Task) -> Mapping[str, Form]:
    layer = task.layer
    if layer.cell != "lstm":
        raise NotImplementedError("only an LSTM is calculated in int8")
    model = _build(layer, task.x)
    compiled = openvino.Core().compile_model(model, "CPU", configuration(task, "f32"))
    if _sequence_types(compiled) != {"u8"}:
        raise NotImplementedError(f"on this CPU it computes in {_sequence_types(compiled)}")
    (_, batch, _), D, H = task.x.shape, layer.num_directions, layer.hidden_size
    if task.states and layer.num_layers * D > 1:
        raise NotImplementedError("initial states of a stack")
    starts = task.states or [np.zeros((1, batch, H), np.float32)] * 2
    states = [np.ascontiguousarray(np.moveaxis(state, 0, 1)) for state in starts]

    def arrays(outputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
        y, *finals = outputs
        return [y, *(np.concatenate(finals[kind::2], axis=1).swapaxes(0, 1) for kind in (0, 1))]

    return calls(compiled, [task.x, *states], arrays, "int8")


def _sequence_types(compiled: Any) -> set[str]:
    """What the LSTMs of a compiled model are calculated in."""
    told = [node.get_rt_info() for node in compiled.get_runtime_model().get_ordered_ops()]
    return {
        info["runtimePrecision"].astype(str)
        for info in told
        if info["layerType"].astype(str) in ("RNNSeq", "RNNCell")
    }


def _build(layer: Recurrent, x: NDArray[Any]) -> Any:
    """Inputs: x [T, B, I], h and c [B, 1, H], from which every layer starts (of constants there is
    no int8); outputs: y [T, B, D*H], then h and c [B, 1, H] of each layer and direction."""
    (T, B, _), H = x.shape, layer.hidden_size
    inputs = [op.parameter(shape, np.float32) for shape in (x.shape, (B, 1, H), (B, 1, H))]
    lengths = op.constant(np.full(B, T, np.int32))
    source = op.transpose(inputs[0], op.constant(np.array([1, 0, 2])))
    largest = max(1.0, float(np.abs(x).max()))
    finals = []
    for number in range(layer.num_layers):
        # Of h the same range as of x: it has one scale for both.
        x_and_h = [_rounded(node, largest) for node in (source, inputs[1])]
        ys = []
        for suffix, direction in zip(layer.suffixes, ("forward", "reverse"), strict=False):
            W, R, bias = _weights(layer, f"_l{number}{suffix}")
            sequence = op.lstm_sequence(
                *x_and_h, inputs[2], lengths, _rounded_weight(W), _rounded_weight(R),
                op.constant(bias), H, direction,
            )  # fmt: skip
            ys.append(op.squeeze(sequence.output(0), op.constant(np.array([1]))))
            finals += [sequence.output(1), sequence.output(2)]
        source = op.concat(ys, 2) if len(ys) > 1 else ys[0]  # [B, T, D*H]
        largest = 1.0
    y = op.transpose(source, op.constant(np.array([1, 0, 2])))
    return openvino.Model([y.output(0), *finals], inputs)


def _weights(layer: Recurrent, end: str) -> tuple[NDArray[Any], ...]:
    """W [1, 4*H, in], R [1, 4*H, H] and B [1, 4*H] of one layer and direction."""

    def gates(name: str) -> NDArray[Any]:
        blocks = np.split(layer.arrays[name + end], len(_GATES))
        return np.concatenate([blocks[gate] for gate in _GATES])[np.newaxis]

    return gates("weight_ih"), gates("weight_hh"), gates("bias_ih") + gates("bias_hh")


def _rounded(node: Any, largest: float) -> Any:
    """To ``_STEPS`` steps, with a whole one for 0."""
    top = largest * (_STEPS // 2 - 1) / (_STEPS // 2)
    low, high = (op.constant(np.float32(value)) for value in (-largest, top))
    return op.fake_quantize(node, low, high, low, high, _STEPS)


def _rounded_weight(array: NDArray[Any]) -> Any:
    low, high = (op.constant(np.float32(sign * np.abs(array).max())) for sign in (-1, 1))
    return op.fake_quantize(op.constant(array), low, high, low, high, _STEPS - 1)
