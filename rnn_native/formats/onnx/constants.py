"""Constants that say how an operator works: axes, sizes, cuts, wherever its version has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from .graph import Anything, Node
from .values import Constant, Shape, Value

_MOST: Final = 256  # sizes, axes or positions in one vector


def constant(node: Node) -> Anything:
    """The value of a Constant node."""
    names = {
        "value": "tensor", "value_float": "float", "value_floats": "floats",
        "value_int": "int", "value_ints": "ints",
    }  # fmt: skip
    values = node.options(**{name: (kind, None) for name, kind in names.items()})
    given = {name: value for name, value in values.items() if value is not None}
    if len(given) != 1:
        raise node.malformed(
            f"expected one of {', '.join(names)}; got {', '.join(given) or 'none'}"
        )
    ((name, value),) = given.items()
    if name == "value":
        return np.asarray(value)
    return np.asarray(value, np.float32 if "float" in name else np.int64)


def integers(node: Node, value: Value | None, what: str) -> list[int]:
    """A vector or a single number that the file fixes."""
    if isinstance(value, Constant) and value.array.dtype.kind == "i" and value.array.ndim < 2:
        if value.array.size > _MOST:
            raise node.unsupported(f"{what}: {value.array.size} integers, more than {_MOST}")
        return [int(item) for item in value.array.reshape(-1)]
    if isinstance(value, Shape):
        known = [extent.known for extent in value.extents]
        if None not in known:
            return [size for size in known if size is not None]
    raise node.unsupported(f"{what}: expected constant integers")


def axes_of(node: Node, inputs: Sequence[Value | None], rank: int) -> list[int] | None:
    """The axes of Squeeze and Unsqueeze, counted from 0; None where they are not given.

    An attribute before operator set 13, an input since.
    """
    if node.opset < 13:
        axes = node.options(axes=("ints", None))["axes"]
    else:
        node.options()
        given = len(inputs) > 1 and inputs[1] is not None
        axes = integers(node, inputs[1], "axes") if given else None
    return None if axes is None else [axis_of(node, axis, rank) for axis in axes]


def axis_of(node: Node, axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise node.malformed(f"axis {axis} of a tensor of rank {rank}")
    return axis % rank


def slices_of(
    node: Node, inputs: Sequence[Value | None], rank: int
) -> list[tuple[int, int, int, int]]:
    """(axis, start, stop, step) of Slice; attributes before operator set 10, inputs since."""
    if node.opset < 10:
        options = node.options(
            starts=("ints", None), ends=("ints", None), axes=("ints", None)
        )  # fmt: skip
        starts, stops, axes = options["starts"], options["ends"], options["axes"]
        steps = None
        if starts is None or stops is None:
            raise node.malformed("expected starts and ends")
    else:
        node.options()
        rest = [*inputs[1:], None, None, None, None]
        starts, stops = integers(node, rest[0], "starts"), integers(node, rest[1], "ends")
        axes = None if rest[2] is None else integers(node, rest[2], "axes")
        steps = None if rest[3] is None else integers(node, rest[3], "steps")
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    if not len(starts) == len(stops) == len(axes) == len(steps) or 0 in steps:
        raise node.malformed("starts, ends, axes and steps do not fit each other")
    axes = [axis_of(node, axis, rank) for axis in axes]
    return list(zip(axes, starts, stops, steps, strict=True))


def split_sizes(
    node: Node, inputs: Sequence[Value | None], rank: int, shape: Sequence[int | None]
) -> tuple[int, list[int]]:
    """The axis of Split and the sizes of its parts, of a tensor whose sizes may not be known.

    Stated by an attribute before operator set 13, by an input since; else equal parts, of which
    the last may be smaller since operator set 18.
    """
    known: dict[str, tuple[str, Any]] = {"axis": ("int", 0)}
    if node.opset < 13:
        known["split"] = ("ints", None)
    elif node.opset >= 18:
        known["num_outputs"] = ("int", None)
    options = node.options(**known)
    axis = axis_of(node, options["axis"], rank)
    size, sizes, count = shape[axis], options.get("split"), len(node.outputs)
    if len(inputs) > 1 and inputs[1] is not None:
        sizes = integers(node, inputs[1], "split")
    if sizes is None:
        if size is None:
            raise node.unsupported(f"splits axis {axis}, whose size is not known")
        if options.get("num_outputs") not in (None, count) or (size % count and node.opset < 18):
            raise node.malformed(f"cannot split {size} into {count} equal parts")
        part = -(-size // count)
        sizes = [max(0, min(part, size - part * i)) for i in range(count)]
    if size not in (None, sum(sizes)) or min(sizes, default=0) < 0 or len(sizes) != count:
        raise node.malformed(f"split={sizes} of {size} into {count} outputs")
    return axis, sizes


def bias_of(node: Node, value: Value, size: int) -> Anything:
    """A constant as a vector [size], if all it broadcasts to is the features."""
    if not isinstance(value, Constant):
        raise node.unsupported("expected the bias to be a constant")
    shape = value.array.shape
    if value.array.size not in (1, size) or (shape and value.array.size != shape[-1]):
        raise node.unsupported(f"a bias of shape {shape} for {size} features")
    return np.broadcast_to(value.array.reshape(-1), (size,))
