"""onnxruntime: a graph of LSTM, GRU or RNN nodes with fixed shapes.

Forms: ``run`` with NumPy arrays, and an io binding with all buffers bound beforehand. In int8 an
LSTM has both again after ``quantize_dynamic``, with a scale a matrix or one a column; what it makes
of a GRU or an RNN is float32 as before.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic

from rnn_native import Recurrent
from rnn_native.benchmark.runtimes.onnx_file import session, version
from rnn_native.benchmark.worker import Form, Task
from runtimes import or_reason

__all__ = ["build", "prepare", "version"]

# Where each gate of ONNX stands in PyTorch's order: LSTM i,o,f,c of i,f,g,o; GRU z,r,h of r,z,n.
_GATES = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn": (0,)}
_STATES = ("h", "c")


def _gates(layer: Recurrent, array: NDArray[Any]) -> NDArray[Any]:
    blocks = np.split(array, len(_GATES[layer.cell]))
    return np.concatenate([blocks[gate] for gate in _GATES[layer.cell]])


def _weights(layer: Recurrent, number: int) -> tuple[NDArray[Any], ...]:
    """W [D, G*H, in], R [D, G*H, H] and B [D, 2*G*H] of one layer of the stack."""

    def both(name: str) -> list[NDArray[Any]]:
        ends = [f"{name}_l{number}{suffix}" for suffix in layer.suffixes]
        return [_gates(layer, layer.arrays[end]) for end in ends]

    biases = zip(both("bias_ih"), both("bias_hh"), strict=True)
    bias = np.stack([np.concatenate(pair) for pair in biases])
    return np.stack(both("weight_ih")), np.stack(both("weight_hh")), bias


def build(layer: Recurrent, time: int, batch: int, with_states: bool) -> bytes:
    """The model file. Inputs: x [T, B, I] and, with states, h0 (and c0) [L*D, B, H]; outputs: y
    [T, D, B, H] of the last layer, then h_l and c_l [D, B, H] of each layer l."""
    D, H = layer.num_directions, layer.hidden_size
    states = _STATES[: len(layer.state_sizes)]
    nodes, weights, outputs = [], [], []
    inputs = [("x", (time, batch, layer.input_size))]
    if with_states:
        inputs += [(f"{state}0", (layer.num_layers * D, batch, H)) for state in states]
        if layer.num_layers > 1:
            raise NotImplementedError("initial states of a stack")
    source = "x"
    for number in range(layer.num_layers):
        names = [f"{name}{number}" for name in "WRB"]
        arrays = _weights(layer, number)
        weights += [numpy_helper.from_array(a, n) for a, n in zip(arrays, names, strict=True)]
        finals = [f"{state}_{number}" for state in states]
        attributes: dict[str, Any] = {"hidden_size": H}
        if layer.num_directions == 2:
            attributes["direction"] = "bidirectional"
        if layer.cell == "gru":
            attributes["linear_before_reset"] = int(layer.reset_after)
        starts = ["", *(f"{state}0" for state in states)] if with_states else []
        y = f"y{number}"
        nodes.append(
            helper.make_node(
                layer.cell.upper(), [source, *names, *starts], [y, *finals], **attributes
            )
        )
        outputs += [(name, (D, batch, H)) for name in finals]
        if number + 1 < layer.num_layers:  # [T, D, B, H] -> [T, B, D*H]
            source = f"x{number + 1}"
            shape = np.array([time, batch, D * H], np.int64)
            weights.append(numpy_helper.from_array(shape, f"shape{number}"))
            nodes.append(helper.make_node("Transpose", [y], [f"t{number}"], perm=[0, 2, 1, 3]))
            nodes.append(helper.make_node("Reshape", [f"t{number}", f"shape{number}"], [source]))
    outputs.insert(0, (y, (time, D, batch, H)))
    values = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in side]
        for side in (inputs, outputs)
    ]
    graph = helper.make_graph(nodes, layer.cell, *values, weights)
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def arrays_of(layer: Recurrent, outputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """y [T, B, D*H] and the states [L*D, B, H] out of the graph's outputs."""
    y, *finals = outputs
    T, D, B, H = y.shape
    kinds = len(layer.state_sizes)
    states = [np.concatenate(finals[kind::kinds]) for kind in range(kinds)]
    return [np.moveaxis(y, 1, 2).reshape(T, B, D * H), *states]


def quantized(model: bytes, per_channel: bool) -> bytes:
    """The same with int8 weights; ``NotImplementedError`` where nothing of it became int8."""
    logging.getLogger().addFilter(_is_no_advice)
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "float32.onnx"), Path(folder, "int8.onnx")
        before.write_bytes(model)
        quantize_dynamic(before, after, per_channel=per_channel)
        made = after.read_bytes()
    kinds = {node.op_type for node in onnx.load_from_string(made).graph.node}
    if not any(kind.startswith("DynamicQuantize") for kind in kinds):
        raise NotImplementedError("quantize_dynamic leaves the layer in float32")
    return made


def _is_no_advice(record: logging.LogRecord) -> bool:
    """It asks for a graph that has been through its optimizations, which one node does not need."""
    return "consider to run pre-processing" not in record.getMessage()


def prepare(task: Task) -> Mapping[str, Form]:
    time, batch, _ = task.x.shape
    model = build(task.layer, time, batch, task.states is not None)
    forms = dict(_forms(task, model))
    if task.precision == "int8":
        forms |= _int8(task, model, "int8, a scale a matrix, ", False)
        forms |= _int8(task, model, "int8, a scale a column, ", True)
    return forms


def _int8(task: Task, model: bytes, prefix: str, per_channel: bool) -> Mapping[str, Form]:
    return or_reason(
        f"{prefix}run", lambda: _forms(task, quantized(model, per_channel), "int8", prefix)
    )


def _forms(
    task: Task, model: bytes, precision: str = "float32", prefix: str = ""
) -> Mapping[str, Form]:
    layer = task.layer
    made = session(model, task.threads)
    given = [task.x, *(task.states or ())]
    feeds = {value.name: x for value, x in zip(made.get_inputs(), given, strict=True)}
    wanted = [value.name for value in made.get_outputs()]

    binding = made.io_binding()
    buffers = [np.zeros(value.shape, np.float32) for value in made.get_outputs()]
    kept = [onnxruntime.OrtValue.ortvalue_from_numpy(x) for x in feeds.values()]
    for name, value in zip(feeds, kept, strict=True):
        binding.bind_ortvalue_input(name, value)
    for name, buffer in zip(wanted, buffers, strict=True):
        binding.bind_output(name, "cpu", 0, np.float32, buffer.shape, buffer.ctypes.data)
    return {
        prefix + "run": Form(
            partial(made.run, wanted, feeds), partial(arrays_of, layer), precision
        ),
        prefix + "io binding": Form(
            partial(made.run_with_iobinding, binding),
            lambda _, keep=kept: arrays_of(layer, buffers),
            precision,
        ),
    }
