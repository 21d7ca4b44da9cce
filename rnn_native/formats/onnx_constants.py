"""Operators applied to nothing but constants: what an exporter left unfolded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, Final

import numpy as np

from .onnx_graph import Anything, Node, element_name
from .onnx_values import Constant, Shape, Value

MAX_ELEMENTS: Final = 2**28
"""Largest constant that is made: a few bytes of a file can ask for more than any memory holds."""


def fold(node: Node, arrays: Sequence[Anything | None]) -> Anything | None:
    """The result of an operator on constants, or None for an operator that is not folded."""
    function = _FOLDS.get(node.op)
    if function is None or not arrays or arrays[0] is None:
        return None
    try:
        return function(node, arrays)
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        raise node.malformed(f"on constants: {error}") from error


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


def _cast(node: Node, arrays: Sequence[Anything]) -> Anything:
    options = node.options(to=("int", 0), saturate=("int", 1), round_mode=("string", "up"))
    kinds = {"FLOAT": "f4", "DOUBLE": "f8", "FLOAT16": "f2", "INT32": "i4", "INT64": "i8"}
    name = element_name(options["to"])
    if name not in kinds:
        raise node.unsupported(f"attribute to={name} is not supported")
    return arrays[0].astype(kinds[name])


def _transpose(node: Node, arrays: Sequence[Anything]) -> Anything:
    return arrays[0].transpose(node.options(perm=("ints", None))["perm"])


def _squeeze(node: Node, arrays: Sequence[Anything]) -> Anything:
    axes = axes_of(node, _values(arrays), arrays[0].ndim)
    return arrays[0].squeeze() if axes is None else arrays[0].squeeze(tuple(axes))


def _unsqueeze(node: Node, arrays: Sequence[Anything]) -> Anything:
    count = len(axes_of(node, _values(arrays), 64) or [])
    axes = axes_of(node, _values(arrays), arrays[0].ndim + count)
    return np.expand_dims(arrays[0], tuple(axes or ()))


def _reshape(node: Node, arrays: Sequence[Anything]) -> Anything:
    allow_zero = node.options(allowzero=("int", 0))["allowzero"]
    shape = integers(node, _values(arrays)[1], "shape")
    if not allow_zero:
        shape = [arrays[0].shape[i] if size == 0 else size for i, size in enumerate(shape)]
    return arrays[0].reshape(shape)


def _shape(node: Node, arrays: Sequence[Anything]) -> Anything:
    options = node.options(start=("int", 0), end=("int", None))
    return np.asarray(arrays[0].shape[options["start"] : options["end"]], np.int64)


def _slice(node: Node, arrays: Sequence[Anything]) -> Anything:
    # Python's slices clamp their ends as those of ONNX do.
    array = arrays[0]
    for axis, start, stop, step in slices_of(node, _values(arrays), array.ndim):
        array = array[(slice(None),) * axis + (slice(start, stop, step),)]
    return array


def _concat(node: Node, arrays: Sequence[Anything]) -> Anything:
    _limit(node, sum(array.size for array in arrays))
    return np.concatenate(arrays, node.options(axis=("int", None))["axis"] or 0)


def _gather(node: Node, arrays: Sequence[Anything]) -> Anything:
    axis = node.options(axis=("int", 0))["axis"]
    _limit(node, arrays[0].size // max(1, arrays[0].shape[axis]) * arrays[1].size)
    return np.take(arrays[0], arrays[1], axis)


def _constant_of_shape(node: Node, arrays: Sequence[Anything]) -> Anything:
    fill = np.asarray(node.options(value=("tensor", np.zeros(1, np.float32)))["value"])
    sizes = integers(node, _values(arrays)[0], "shape")
    _limit(node, prod(sizes))
    return np.broadcast_to(fill.reshape(()), sizes)


def _expand(node: Node, arrays: Sequence[Anything]) -> Anything:
    node.options()
    shape = np.broadcast_shapes(arrays[0].shape, tuple(int(size) for size in arrays[1]))
    _limit(node, prod(shape))
    return np.broadcast_to(arrays[0], shape)


def _multiply(node: Node, arrays: Sequence[Anything]) -> Anything:
    node.options()
    _limit(node, prod(np.broadcast_shapes(arrays[0].shape, arrays[1].shape)))
    return arrays[0] * arrays[1]


def _limit(node: Node, elements: int) -> None:
    if elements > MAX_ELEMENTS:
        raise node.unsupported(f"makes a constant of {elements} elements, over {MAX_ELEMENTS}")


def _values(arrays: Sequence[Anything | None]) -> list[Value | None]:
    return [None if array is None else Constant(array) for array in arrays]


_FOLDS: Final[Mapping[str, Callable[[Node, Sequence[Any]], Anything]]] = {
    "Cast": _cast, "Concat": _concat, "ConstantOfShape": _constant_of_shape, "Expand": _expand,
    "Gather": _gather, "Mul": _multiply, "Reshape": _reshape, "Shape": _shape, "Slice": _slice,
    "Squeeze": _squeeze, "Transpose": _transpose, "Unsqueeze": _unsqueeze,
}  # fmt: skip
