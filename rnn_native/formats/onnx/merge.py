"""Merge: the features split into two halves, which are added or multiplied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...spec import Merge
from .constants import split_sizes
from .graph import Node
from .shapes import multiply, split
from .values import Axis, Constant, Data, Half, Roles, Value, live, size_of

Values = Sequence[Value | None]


def halve(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """Split of data in the middle of the features; of states as ``shapes.split``."""
    data = inputs[0]
    if not isinstance(data, Data) or not data.layers:
        return split(node, inputs, roles)
    sizes = [size_of(dim) for dim in data.dims]
    axis, parts = split_sizes(node, inputs, len(sizes), sizes)
    if len(parts) != 2 or parts[0] != parts[1] or live(data.dims[axis]) != live(data.features):
        raise node.unsupported(f"splits axis {axis} into {parts}; only features can be, in two")
    return [Half(data, 0), Half(data, 1)]


def merge(node: Node, left: Half, right: Half, mode: str) -> Data:
    """Both halves of the same features, in either order: a + b is b + a to the bit."""
    data = left.data
    if right.data != data or left.which == right.which:
        raise node.unsupported("takes parts that are not the two halves of the same features")
    size = (size_of(data.features) or 0) // 2
    features = (Axis("features", size, "features"),)
    dims = (features if live(dim) == live(data.features) else dim for dim in data.dims)
    return data.then(Merge(mode, size), tuple(dims), features)


def times(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """Mul of two halves; of their sum by 0.5, which is their average; or of shapes."""
    left, right = inputs[0], inputs[1]
    if isinstance(left, Half) and isinstance(right, Half):
        node.options()
        return [merge(node, left, right, "mul")]
    data, factor = (left, right) if isinstance(left, Data) else (right, left)
    if isinstance(data, Data) and isinstance(factor, Constant):
        node.options()
        last = data.layers[-1] if data.layers else None
        half = factor.array.size == 1 and factor.array.ndim <= len(data.dims)
        if isinstance(last, Merge) and last.mode == "sum" and half and factor.array.item() == 0.5:
            layers = (*data.layers[:-1], Merge("ave", last.size))
            return [replace(data, layers=layers)]
        raise node.unsupported("scales data; only a sum of two halves can be, by 0.5")
    return multiply(node, inputs, roles)
