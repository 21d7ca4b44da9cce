"""Merge: the features split into two halves, which are added or multiplied."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from ...spec import Merge
from .constants import split_sizes
from .features import of_features, sliced
from .given import part_of
from .graph import Node
from .roles import Roles
from .shapes import split
from .values import Data, Half, Value, live, size_of

Values = Sequence[Value | None]


def halve(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """Split of features; of states as ``shapes.split``."""
    data = inputs[0]
    if not isinstance(data, Data):
        return split(node, inputs, roles)
    sizes = [size_of(dim) for dim in data.dims]
    axis, parts = split_sizes(node, inputs, len(sizes), sizes)
    if not of_features(data, axis):
        if part_of(data) is not None:
            return split(node, inputs, roles)
        raise node.unsupported(f"splits axis {axis} into {parts}; only features can be")
    starts = accumulate(parts, initial=0)
    return [
        sliced(node, data, axis, start, start + size)
        for start, size in zip(starts, parts, strict=False)
    ]


def merge(half: Half, mode: str) -> Data:
    """A half and the other of the same features, in either order: a + b is b + a to the bit."""
    data = half.data
    size = (size_of(data.features) or 0) // 2
    features = data.fresh(size)
    dims = (features if live(dim) == live(data.features) else dim for dim in data.dims)
    return data.then(Merge(mode, size), tuple(dims), features)
