"""Functions of numbers, products with weights, and what is made of several numbers of an axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

from ...onnx.tensors import element_code
from ..schema import (
    TYPES,
    Activation,
    BatchMatMul,
    Cast,
    FullyConnected,
    Gelu,
    LeakyRelu,
    Reducer,
    Softmax,
)
from ..writer import Writer


def _same(op: str, count: int, w: Writer) -> None:
    """An operator that ONNX has, of as many inputs and without options."""
    w.give(w.add(op, *(w.required(i) for i in range(count))))


def _fused(op: str, w: Writer) -> None:
    made = w.add(op, w.required(0), w.required(1))
    w.give(w.activated(made, Activation.FUSED_ACTIVATION_FUNCTION))


def _mul(w: Writer) -> None:
    """Also by ones of its own shape, which a dropout of a cell leaves."""
    for position in (0, 1):
        tensor, other = w.tensor(position), w.tensor(1 - position)
        if tensor is not None and other is not None and w.inside.is_ones(tensor.index, other.index):
            w.give(w.activated(w.required(1 - position), Activation.FUSED_ACTIVATION_FUNCTION))
            return
    _fused("Mul", w)


def _hard_sigmoid(otherwise: Callable[[Writer], None], w: Writer) -> None:
    """The last operator of a hard sigmoid as Keras has it, or what it is ``otherwise``."""
    found = w.inside.hard_sigmoid(w.operator.outputs[0]) if w.operator.outputs else None
    if found is None:
        otherwise(w)
        return
    x, alpha, beta = found
    w.give(w.add("HardSigmoid", w.name_of(x), alpha=alpha, beta=beta))


def _bounded(low: float, high: float, w: Writer) -> None:
    w.give(w.clipped(w.required(0), low, high))


def _leaky_relu(w: Writer) -> None:
    w.give(w.add("LeakyRelu", w.required(0), alpha=w.operator.option(LeakyRelu.ALPHA, "float32")))


def _gelu(w: Writer) -> None:
    kind = "tanh" if w.operator.option(Gelu.APPROXIMATE, "bool") else "none"
    w.give(w.add("Gelu", w.required(0), approximate=kind))


def _rsqrt(w: Writer) -> None:
    w.give(w.add("Reciprocal", w.add("Sqrt", w.required(0))))


def _square(w: Writer) -> None:
    w.give(w.add("Mul", w.required(0), w.required(0)))


def _squared_difference(w: Writer) -> None:
    difference = w.add("Sub", w.required(0), w.required(1))
    w.give(w.add("Mul", difference, difference))


def _not_equal(w: Writer) -> None:
    w.give(w.add("Not", w.add("Equal", w.required(0), w.required(1))))


def _add_n(w: Writer) -> None:
    total = w.required(0)
    for position in range(1, len(w.operator.inputs)):
        total = w.add("Add", total, w.required(position))
    w.give(total)


def _softmax(op: str, w: Writer) -> None:
    x = w.required(0)
    if op == "Softmax":
        beta = w.operator.option(Softmax.BETA, "float32")
        x = x if beta == 1 else w.add("Mul", x, w.constant(beta, "f4"))
    w.give(w.add(op, x, axis=-1))


def _fully_connected(w: Writer) -> None:
    """y = x W^T + b of the last axis; without KEEP_NUM_DIMS of rows of as many as W takes."""
    if w.operator.option(FullyConnected.WEIGHTS_FORMAT, "int8"):
        raise w.unsupported("weights in another order than the default")
    x, weight, bias = w.required(0), w.required(1), w.input(2)
    sizes = w.sizes(1)
    if len(sizes) != 2:
        raise w.malformed(f"weights: expected rank 2, got the shape {sizes}")
    kept = w.operator.option(FullyConnected.KEEP_NUM_DIMS, "bool")
    own = w.sizes(0)
    if (not kept and len(own) != 2) or (own and own[-1] not in (None, sizes[1])):
        x = w.add("Reshape", x, w.constant([-1, sizes[1] or 0]))
    made = w.add("MatMul", x, w.add("Transpose", weight, perm=[1, 0]))
    made = w.add("Add", made, bias) if bias else made
    w.give(w.activated(made, FullyConnected.FUSED_ACTIVATION_FUNCTION))


def _batch_matmul(w: Writer) -> None:
    names = []
    for position, field in enumerate((BatchMatMul.ADJ_X, BatchMatMul.ADJ_Y)):
        name = w.required(position)
        if w.operator.option(field, "bool"):
            rank = len(w.sizes(position))
            if rank < 2:
                raise w.malformed(f"input {position}: expected rank 2 or more, got {rank}")
            name = w.add("Transpose", name, perm=[*range(rank - 2), rank - 1, rank - 2])
        names.append(name)
    w.give(w.add("MatMul", *names))


def _reduce(op: str, w: Writer) -> None:
    axes = w.integers(1, "axes")
    kept = int(w.operator.option(Reducer.KEEP_DIMS, "bool"))
    w.give(w.axes(op, w.required(0), axes, keepdims=kept))


def _cast(w: Writer) -> None:
    """The type is that of the output, which options need not repeat."""
    tensor = w.subgraph.tensors[w.operator.outputs[0]] if w.operator.outputs else None
    element = tensor.element if tensor else TYPES[w.operator.option(Cast.OUT_DATA_TYPE, "int8")]
    w.give(w.add("Cast", w.required(0), to=element_code(element)))


def _select(w: Writer) -> None:
    w.give(w.add("Where", *(w.required(i) for i in range(3))))


def _prelu(w: Writer) -> None:
    w.give(w.add("PRelu", w.required(0), w.required(1)))


_UNARY: Final = {
    "ABS": "Abs", "CEIL": "Ceil", "COS": "Cos", "ELU": "Elu", "EXP": "Exp", "FLOOR": "Floor",
    "HARD_SWISH": "HardSwish", "LOG": "Log", "LOGICAL_NOT": "Not", "LOGISTIC": "Sigmoid",
    "NEG": "Neg", "RELU": "Relu", "SIGN": "Sign", "SIN": "Sin", "SQRT": "Sqrt", "TANH": "Tanh",
}  # fmt: skip
_BINARY: Final = {
    "EQUAL": "Equal", "GREATER": "Greater", "GREATER_EQUAL": "GreaterOrEqual", "LESS": "Less",
    "LESS_EQUAL": "LessOrEqual", "LOGICAL_AND": "And", "LOGICAL_OR": "Or", "POW": "Pow",
}  # fmt: skip
_FUSED: Final = {"ADD": "Add", "DIV": "Div", "SUB": "Sub"}
_REDUCED: Final = {
    "MEAN": "ReduceMean", "REDUCE_MAX": "ReduceMax", "REDUCE_MIN": "ReduceMin",
    "REDUCE_PROD": "ReduceProd", "SUM": "ReduceSum",
}  # fmt: skip

OPERATORS: Final[Mapping[str, Callable[[Writer], None]]] = MappingProxyType(
    {
        **{name: partial(_same, op, 1) for name, op in _UNARY.items()},
        **{name: partial(_same, op, 2) for name, op in _BINARY.items()},
        **{name: partial(_fused, op) for name, op in _FUSED.items()},
        **{name: partial(_reduce, op) for name, op in _REDUCED.items()},
        "ADD_N": _add_n,
        "BATCH_MATMUL": _batch_matmul,
        "CAST": _cast,
        "FULLY_CONNECTED": _fully_connected,
        "GELU": _gelu,
        "LEAKY_RELU": _leaky_relu,
        "LOG_SOFTMAX": partial(_softmax, "LogSoftmax"),
        "MAXIMUM": partial(_hard_sigmoid, partial(_same, "Max", 2)),
        "MINIMUM": partial(_hard_sigmoid, partial(_same, "Min", 2)),
        "MUL": _mul,
        "NOT_EQUAL": _not_equal,
        "PRELU": _prelu,
        "RELU6": partial(_bounded, 0.0, 6.0),
        "RELU_0_TO_1": partial(_hard_sigmoid, partial(_bounded, 0.0, 1.0)),
        "RELU_N1_TO_1": partial(_bounded, -1.0, 1.0),
        "RSQRT": _rsqrt,
        "SELECT": _select,
        "SELECT_V2": _select,
        "SOFTMAX": partial(_softmax, "Softmax"),
        "SQUARE": _square,
        "SQUARED_DIFFERENCE": _squared_difference,
    }
)
