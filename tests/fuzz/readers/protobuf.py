"""Mutants of ONNX models, field by field."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from .texts import change_text

_INTS = (0, 1, 2, 3, 4, 5, 7, 8, 11, 17, 21, -1, -2, 12, 16, 2**31 - 1, 2**40, 2**62, -(2**63))
_FLOATS = (0.0, -1.0, 0.5, 1e38, float("nan"), float("inf"))
_OPS = (
    "Add", "Cast", "Concat", "Constant", "ConstantOfShape", "DequantizeLinear", "Dropout", "Expand",
    "GRU", "Gather", "Gemm", "Identity", "If", "LSTM", "LogSoftmax", "Loop", "MatMul", "Mul", "RNN",
    "ReduceSum", "Relu", "Reshape", "Scan", "Shape", "Slice", "Softmax", "Split", "Squeeze", "Sub",
    "Tanh", "Tile", "Transpose", "Unsqueeze", "Range", "Where", "Sigmoid", "QuantizeLinear",
)  # fmt: skip
_ATTRIBUTES = (
    "axis", "axes", "perm", "to", "alpha", "beta", "clip", "activations", "activation_alpha",
    "activation_beta", "layout", "direction", "hidden_size", "start", "end", "starts", "ends",
    "value", "value_int", "value_ints", "value_floats", "input_forget", "linear_before_reset",
    "num_outputs", "split", "transA", "transB", "keepdims", "allowzero", "then_branch",
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    0, 1, -1, 5, 2**40, 0.5, float("nan"), "x", "reverse", "bidirectional", [0], [1], [0, 1],
    [1, 0, 2], [-1, 2, 0], [0.5], ["Tanh"], ["Affine"] * 4, ["Relu", "Sigmoid"] * 3, [2**40] * 3,
)  # fmt: skip
_ARRAYS = (
    [0], [-1], 1, [2**62], [1, 1], [], [0.5], [[1, 2], [3, 4]], [-(2**63)], [2**31 - 1], [True],
    [0, 0, -1], [1] * 8, [2**20, 2**20], [0, -1, 8],
)  # fmt: skip


def change(rng: random.Random, data: bytes) -> bytes:
    """A model with changed, more or fewer fields, or with another node, attribute or constant."""
    model = onnx.load_model_from_string(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        rng.choice((_change_field, _change_field, _change_graph))(rng, model)
    return bytes(model.SerializeToString())


def _change_graph(rng: random.Random, model: Any) -> None:
    graph = model.graph
    node = rng.choice(graph.node)
    names = [name for one in graph.node for name in (*one.input, *one.output)]
    names += [tensor.name for tensor in graph.initializer]
    what = rng.random()
    if what < 0.2 and node.input:
        node.input[rng.randrange(len(node.input))] = rng.choice(names)
    elif what < 0.3:
        node.op_type = rng.choice(_OPS)
    elif what < 0.5:
        attribute = helper.make_attribute(rng.choice(_ATTRIBUTES), rng.choice(_VALUES))
        node.attribute.append(attribute)
    elif what < 0.75:
        array = np.array(rng.choice(_ARRAYS))
        tensor = rng.choice(graph.initializer)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    elif what < 0.9:  # a node more, between two others
        new = f"new_{len(graph.node)}"
        given = [*node.output[:1], *rng.choices(names, k=rng.randrange(3))]
        for other in graph.node:
            for at, name in enumerate(other.input):
                if name in given[:1]:
                    other.input[at] = new
        graph.node.append(helper.make_node(rng.choice(_OPS), given, [new]))
    else:
        rng.choice(graph.output).name = rng.choice(names)


def _change_field(rng: random.Random, model: Any) -> None:
    owner, field, value = rng.choice(_fields(model))
    if field.is_repeated:
        at = rng.randrange(len(value))
        what = rng.random()
        if what < 0.2:
            del value[at]
        elif what < 0.3:
            value.append(value[at])
        elif what < 0.35:
            value.extend([value[at]] * rng.choice((10, 1000)))
        elif field.message_type:
            value[at].CopyFrom(rng.choice(value))
        else:
            value[at] = _scalar(rng, value[at])
    elif field.message_type or rng.random() < 0.15:
        owner.ClearField(field.name)
    else:
        setattr(owner, field.name, _scalar(rng, value))


def _scalar(rng: random.Random, value: Any) -> Any:
    if isinstance(value, bytes):
        changed = bytearray(value or b"x")
        changed[rng.randrange(len(changed))] = rng.randrange(256)
        return bytes(changed[: rng.choice((None, None, -1, 3))])
    if isinstance(value, str):
        return change_text(rng, value)
    return rng.choice(_FLOATS if isinstance(value, float) else _INTS)


def _fields(message: Any) -> list[tuple[Any, Any, Any]]:
    """Every field that is set, in messages within messages, with its owner and value."""
    found: list[tuple[Any, Any, Any]] = []
    left = [message]
    while left:
        one = left.pop()
        for field, value in one.ListFields():
            found.append((one, field, value))
            if field.message_type:
                left += value if field.is_repeated else [value]
    return found
