"""Equal and Where of sizes, with which exporters write the shape that something is expanded to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .graph import Node
from .roles import Roles
from .values import Constant, Extent, Shape, Value

Values = Sequence[Value | None]


def equal(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """Which sizes are equal, as far as that is known: none is below 0, and each is itself."""
    node.options()
    one, two = _alike(node, [_extents(node, value) for value in inputs])
    found = [_equal(node, a, b) for a, b in zip(one, two, strict=True)]
    plain = all(_scalar(value) for value in inputs)
    return [Constant(np.array(found[0] if plain else found, np.bool_))]


def _equal(node: Node, one: Extent, two: Extent) -> bool:
    if one.known is not None and two.known is not None:
        return one.known == two.known
    if one == two:
        return True
    if any(extent.known is not None and extent.known < 0 for extent in (one, two)):
        return False
    raise node.unsupported("calculates with a size that the file does not fix")


def where(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """Of two shapes, for each axis the size that a constant condition chooses."""
    node.options()
    condition = inputs[0]
    if not isinstance(condition, Constant) or condition.array.ndim > 1:
        raise node.unsupported("this operator is not supported, other than of sizes")
    shapes = [_extents(node, value) for value in inputs[1:]]
    chosen = [bool(item) for item in condition.array.reshape(-1)]
    one, two = _alike(node, shapes, len(chosen))
    chosen *= len(one) if len(chosen) == 1 else 1
    picked = [a if first else b for first, a, b in zip(chosen, one, two, strict=True)]
    return [Shape(tuple(picked), all(_scalar(value) for value in inputs[1:]))]


def _alike(
    node: Node, shapes: Sequence[tuple[Extent, ...]], least: int = 1
) -> list[tuple[Extent, ...]]:
    """The vectors, with those of one number repeated to the length of the others."""
    count = max([least, *map(len, shapes)])
    if any(len(shape) not in (1, count) for shape in shapes) or least not in (1, count):
        raise node.malformed(f"{', '.join(str(len(shape)) for shape in shapes)} sizes")
    return [shape * (count if len(shape) == 1 else 1) for shape in shapes]


def _extents(node: Node, value: Value | None) -> tuple[Extent, ...]:
    if isinstance(value, Shape):
        return value.extents
    whole = isinstance(value, Constant) and value.array.dtype.kind in "iu"
    if not isinstance(value, Constant) or not whole or value.array.ndim > 1:
        raise node.unsupported("this operator is not supported, other than of sizes")
    if value.array.size > 64:
        raise node.unsupported(f"of {value.array.size} sizes")
    return tuple(Extent(int(item)) for item in value.array.reshape(-1))


def _scalar(value: Value | None) -> bool:
    if isinstance(value, Constant):
        return value.array.ndim == 0
    return isinstance(value, Shape) and value.scalar
