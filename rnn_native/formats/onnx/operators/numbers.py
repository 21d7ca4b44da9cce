"""Operators that calculate each number of the result by itself, and softmax along an axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from math import prod
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ....activations import CONSTANTS
from ....activations import FUNCTIONS as ACTIVATIONS
from ..activations import ELEMENTWISE
from ..constants import axis_of
from ..functions import FUNCTIONS
from ..graph import Anything, Node
from .common import MANY, Arrays, Entry, Function, floats, limit, scalar, values


def _divided(a: Anything, b: Anything) -> Anything:
    """a / b, of integers towards 0."""
    if a.dtype.kind not in "iu":
        return np.asarray(a / b)
    if not b.all():
        raise ValueError("divides an integer by 0")
    return np.asarray(np.sign(a) * np.sign(b) * (abs(a) // abs(b)))


def _elementwise(function: Callable[[Any, Any], Any]) -> Callable[[Node, Arrays], Any]:
    def calculate(node: Node, arrays: Arrays) -> Any:
        node.options()
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
        limit(node, len(arrays) * prod(shape), *arrays)
        return reduce(function, arrays)

    return calculate


def _negative(node: Node, arrays: Arrays) -> Any:
    node.options()
    return -arrays[0]


def _activation(name: str) -> Callable[[Node, Arrays], Any]:
    def calculate(node: Node, arrays: Arrays) -> Any:
        defaults = CONSTANTS[name].items()
        constants = node.options(**{key: ("float", value) for key, value in defaults})
        if arrays[0].dtype.kind != "f":
            raise node.unsupported(f"expected floats, got {arrays[0].dtype}")
        return ACTIVATIONS[name](arrays[0], **constants).astype(arrays[0].dtype)

    return calculate


def _of_numbers(node: Node, arrays: Arrays) -> Any:
    """A function of each number of the first input, whose constants are attributes."""
    if arrays[0].dtype.kind != "f":
        raise node.unsupported(f"expected floats, got {arrays[0].dtype}")
    f = FUNCTIONS[node.op][0](node, values(arrays))
    return f.function(arrays[0]).astype(arrays[0].dtype)


def _clip(node: Node, arrays: Arrays) -> Any:
    if node.opset < 11:
        options = node.options(min=("float", -np.inf), max=("float", np.inf))
        low, high = options["min"], options["max"]
    else:
        node.options()
        low, high = ([*arrays[1:], None, None])[:2]
    if any(isinstance(bound, np.ndarray) and bound.size != 1 for bound in (low, high)):
        raise node.malformed("expected bounds of one number each")
    y = arrays[0] if low is None else np.maximum(arrays[0], np.asarray(low, arrays[0].dtype))
    return y if high is None else np.minimum(y, np.asarray(high, arrays[0].dtype))


def _power(node: Node, arrays: Arrays) -> Any:
    node.options()
    limit(node, prod(np.broadcast_shapes(arrays[0].shape, arrays[1].shape)), arrays[0])
    return np.power(arrays[0], arrays[1]).astype(arrays[0].dtype)


def _softmax(name: str) -> Callable[[Node, Arrays], Any]:
    def calculate(node: Node, arrays: Arrays) -> Any:
        x = arrays[0]
        axis = node.options(axis=("int", -1 if node.opset >= 13 else 1))["axis"]
        axis = axis_of(node, axis, x.ndim)
        if node.opset >= 13:
            last = np.moveaxis(x, axis, -1)
            return np.moveaxis(ACTIVATIONS[name](last), -1, axis).astype(x.dtype)
        rows = x.reshape(prod(x.shape[:axis]), -1)  # everything from the axis on is one
        return ACTIVATIONS[name](rows).reshape(x.shape).astype(x.dtype)

    return calculate


def _same_type(function: Callable[[Any], Any]) -> Function:
    """A function of one number without attributes, whose result has its type."""

    def calculate(node: Node, arrays: Arrays) -> Any:
        node.options()
        return np.asarray(function(arrays[0])).astype(arrays[0].dtype, copy=False)

    return calculate


def _mean(node: Node, arrays: Arrays) -> Any:
    floats(node, *arrays)
    return _elementwise(np.add)(node, arrays) / np.asarray(len(arrays), arrays[0].dtype)


def _modulo(node: Node, arrays: Arrays) -> Any:
    """With the sign of B, or that of A where ``fmod`` says so."""
    fmod = node.options(fmod=("int", 0))["fmod"]
    limit(node, prod(np.broadcast_shapes(arrays[0].shape, arrays[1].shape)), arrays[0])
    if arrays[1].dtype.kind in "iu" and not arrays[1].all():
        raise ValueError("divides an integer by 0")
    return (np.fmod if fmod else np.mod)(arrays[0], arrays[1])


def _prelu(node: Node, arrays: Arrays) -> Any:
    node.options()
    x, slope = arrays
    if np.broadcast_shapes(x.shape, slope.shape) != x.shape:
        raise node.malformed(f"slope {slope.shape} is larger than X {x.shape}")
    return np.where(x < 0, x * slope, x).astype(x.dtype)


def _thresholded_relu(node: Node, arrays: Arrays) -> Any:
    alpha = node.options(alpha=("float", 1.0))["alpha"]
    return np.where(arrays[0] > alpha, arrays[0], np.zeros((), arrays[0].dtype))


def _celu(node: Node, arrays: Arrays) -> Any:
    alpha = node.options(alpha=("float", 1.0))["alpha"]
    x = arrays[0]
    low = alpha * np.expm1(np.minimum(x, 0) / alpha)
    return (np.maximum(x, 0) + low).astype(x.dtype)


def _cumulative_sum(node: Node, arrays: Arrays) -> Any:
    options = node.options(exclusive=("int", 0), reverse=("int", 0))
    x = arrays[0]
    axis = axis_of(node, scalar(node, arrays[1], "axis"), x.ndim)
    x = np.flip(x, axis) if options["reverse"] else x
    sums = np.cumsum(x, axis, dtype=x.dtype)
    if options["exclusive"]:
        sums = np.delete(np.insert(sums, 0, 0, axis), -1, axis)
    return np.flip(sums, axis) if options["reverse"] else sums


_PLAIN: Final[Mapping[str, Callable[[Any], Any]]] = MappingProxyType(
    {
        "Acos": np.arccos, "Acosh": np.arccosh, "Asin": np.arcsin, "Asinh": np.arcsinh,
        "Atan": np.arctan, "Atanh": np.arctanh, "Ceil": np.ceil, "Cos": np.cos, "Cosh": np.cosh,
        "Floor": np.floor, "Neg": np.negative, "Round": np.rint, "Sign": np.sign, "Sin": np.sin,
        "Sinh": np.sinh, "Tan": np.tan,
    }
)  # fmt: skip

OPERATORS: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        **{op: (_activation(name), 1, 1) for op, name in ELEMENTWISE.items()},
        **{op: (_same_type(function), 1, 1) for op, function in _PLAIN.items()},
        "Abs": (_same_type(np.abs), 1, 1),
        "Add": (_elementwise(np.add), 2, 2),
        "Celu": (_celu, 1, 1),
        "Clip": (_clip, 1, 3),
        "CumSum": (_cumulative_sum, 2, 2),
        "Div": (_elementwise(_divided), 2, 2),
        "Gelu": (_of_numbers, 1, 1),
        "LogSoftmax": (_softmax("log_softmax"), 1, 1),
        "Max": (_elementwise(np.maximum), 1, MANY),
        "Mean": (_mean, 1, MANY),
        "Min": (_elementwise(np.minimum), 1, MANY),
        "Mod": (_modulo, 2, 2),
        "Mul": (_elementwise(np.multiply), 2, 2),
        "PRelu": (_prelu, 2, 2),
        "Pow": (_power, 2, 2),
        "Selu": (_of_numbers, 1, 1),
        "Softmax": (_softmax("softmax"), 1, 1),
        "Sub": (_elementwise(np.subtract), 2, 2),
        "Sum": (_elementwise(np.add), 1, MANY),
        "ThresholdedRelu": (_thresholded_relu, 1, 1),
    }
)
