"""Merge: the features split into two halves, which are added or multiplied."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from ...spec import Merge
from .constants import split_sizes
from .features import part
from .graph import Node
from .shapes import split
from .values import Data, Half, Roles, Value, live, size_of

Values = Sequence[Value | None]


def halve(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """Split of features, of any layer in the middle; of states as ``shapes.split``."""
    data = inputs[0]
    if not isinstance(data, Data) or not data.step:
        return split(node, inputs, roles)
    sizes = [size_of(dim) for dim in data.dims]
    axis, parts = split_sizes(node, inputs, len(sizes), sizes)
    if live(data.dims[axis]) != live(data.features):
        raise node.unsupported(f"splits axis {axis} into {parts}; only features can be")
    if len(parts) == 2 and parts[0] == parts[1]:
        return [Half(data, 0), Half(data, 1)]
    starts = accumulate(parts, initial=0)
    found = [part(data, start, size) for start, size in zip(starts, parts, strict=False)]
    if None in found:
        raise node.unsupported(
            f"splits features into {parts}; only those of a Linear can be, others in two halves"
        )
    return [value for value in found if value is not None]


def merge(node: Node, left: Half, right: Half, mode: str) -> Data:
    """Both halves of the same features, in either order: a + b is b + a to the bit."""
    data = left.data
    if right.data != data or left.which == right.which:
        raise node.unsupported("takes parts that are not the two halves of the same features")
    size = (size_of(data.features) or 0) // 2
    features = data.fresh(size)
    dims = (features if live(dim) == live(data.features) else dim for dim in data.dims)
    return data.then(Merge(mode, size), tuple(dims), features)
