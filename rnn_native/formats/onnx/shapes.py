"""Operators that move axes about or calculate shapes, and leave every number as it is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

import numpy as np

from ...errors import UnsupportedError
from . import unfold
from .constants import axes_of, axis_of, integers, slices_of
from .features import of_features, of_half, sliced
from .given import moved, part_of
from .graph import FLOATS, INTEGERS, Node
from .joining import concat as joined
from .last import last_step
from .operators.common import DTYPES
from .reshape import in_blocks, regroup
from .roles import Roles
from .tensors import element_name
from .values import (
    Constant,
    Data,
    Dim,
    Extent,
    Failure,
    Filled,
    Half,
    Repeated,
    Shape,
    StateIn,
    Value,
    Zeros,
    live,
    show,
    size_of,
)

Values = Sequence[Value | None]
_MAX_RANK: Final = 64
_TO_THE_END: Final = 2**31 - 1  # what exporters write for the end of an axis, or more


def identity(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    node.options()
    return [first_of(node, inputs)]


def dropout(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    node.options(ratio=("float", 0.5), seed=("int", 0))
    training = inputs[2] if len(inputs) > 2 else None
    if training is not None and not (isinstance(training, Constant) and not training.array.any()):
        raise node.unsupported("training_mode is not the constant false")
    mask = Failure(node.unsupported("its mask is not supported"))
    return [first_of(node, inputs), mask]


def cast(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    options = node.options(to=("int", 0), saturate=("int", 1), round_mode=("string", "up"))
    to = element_name(options["to"])
    value = first_of(node, inputs)
    if isinstance(value, Data):
        if to == value.element:
            return [value]
        if to in INTEGERS and value.element in INTEGERS and _keeps(value.element, to):
            return [replace(value, element=to)]
        raise node.unsupported(f"attribute to={to} of {value.element} data is not supported")
    if isinstance(value, Shape) and (to == "BOOL" or to in FLOATS):
        sizes = [extent.known for extent in value.extents]
        if None in sizes:
            raise node.unsupported("calculates with a size that the file does not fix")
        return [Constant(np.array(sizes[0] if value.scalar else sizes, DTYPES[to]))]
    if to in INTEGERS if isinstance(value, (Shape, Filled)) else to in FLOATS:
        return [value]
    raise node.unsupported(f"attribute to={to} is not supported here")


def _keeps(element: str, to: str) -> bool:
    """Whether a type of integers has all numbers of another, or all that an index can be."""
    return to in ("INT32", "INT64", "UINT32", "UINT64") or np.can_cast(
        DTYPES[element], DTYPES[to], "safe"
    )


def transpose(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    value = first_of(node, inputs)
    order = node.options(perm=("ints", None))["perm"]
    if isinstance(value, Zeros) and value.shape is None:
        return [value]
    dims = _dims(node, value)
    order = list(range(len(dims)))[::-1] if order is None else order
    if sorted(order) != list(range(len(dims))):
        raise node.malformed(f"attribute perm={order} of a tensor of rank {len(dims)}")
    if isinstance(value, Data):
        return [replace(value, dims=tuple(value.dims[axis] for axis in order))]
    if isinstance(value, Zeros) and value.shape is not None:
        return [Zeros(tuple(value.shape[axis] for axis in order))]
    raise refused(node, value)


def squeeze(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    value = first_of(node, inputs)
    if isinstance(value, Shape) and not value.scalar and len(value.extents) == 1:
        axes_of(node, inputs, 1)
        return [Shape(value.extents, scalar=True)]
    if isinstance(value, Zeros):
        return [Zeros(None)]
    if not isinstance(value, Data):
        raise refused(node, value)
    axes = axes_of(node, inputs, len(value.dims))
    if axes is None:
        value = _of_one_row(node, value)
        free = [a for dim in value.dims for a in dim if a.size is None and a.role != "batch"]
        if free or any(len(dim) > 1 and size_of(dim) is None for dim in value.dims):
            raise node.unsupported(f"which axes of {show(value.dims)} go depends on their sizes")
        axes = [i for i, dim in enumerate(value.dims) if not live(dim)]
    for axis in axes:
        if live(value.dims[axis]):
            raise node.unsupported(f"axis {axis} of {show(value.dims)} is not known to be 1")
    return [replace(value, dims=tuple(d for i, d in enumerate(value.dims) if i not in axes))]


def unsqueeze(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    value = first_of(node, inputs)
    if isinstance(value, Shape) and value.scalar:
        axes_of(node, inputs, 1)
        return [Shape(value.extents)]
    if isinstance(value, Zeros):
        return [Zeros(None)]
    if not isinstance(value, Data):
        raise refused(node, value)
    count = len(axes_of(node, inputs, 64) or [])
    axes = axes_of(node, inputs, len(value.dims) + count) or []
    if len(set(axes)) != len(axes):
        raise node.malformed(f"axes {axes} are not distinct")
    check_rank(node, len(value.dims) + count)
    dims = list(value.dims)
    for axis in sorted(axes):
        dims.insert(axis, ())
    return [replace(value, dims=tuple(dims))]


def reshape(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    allow_zero = bool(node.options(allowzero=("int", 0))["allowzero"])
    value = first_of(node, inputs)
    if isinstance(value, Zeros):
        return [Zeros(None)]
    target = inputs[1]
    if isinstance(value, Shape):
        sizes, count = integers(node, target, "shape"), len(value.extents)
        if sizes in ([count], [-1]) or (count == 1 and not sizes):
            return [Shape(value.extents, scalar=not sizes)]
    if not isinstance(value, Data):
        raise refused(node, value)
    extents = _extents(node, target, "shape")
    for arranged in (value, *in_blocks(value, extents)):
        with suppress(UnsupportedError):
            return [replace(arranged, dims=regroup(node, arranged.dims, extents, allow_zero))]
    return [replace(value, dims=regroup(node, value.dims, extents, allow_zero))]


def shape(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    options = node.options(start=("int", 0), end=("int", None))
    value = first_of(node, inputs)
    if isinstance(value, Shape):
        sizes = [] if value.scalar else [len(value.extents)]
        return [Constant(np.array(sizes, np.int64)[options["start"] : options["end"]])]
    if not isinstance(value, Data):
        raise refused(node, value)
    extents = tuple(Extent(1, dim) for dim in value.dims)
    return [Shape(extents[options["start"] : options["end"]])]


def size(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """How many numbers there are: of a shape its axes, of data the product of their sizes."""
    node.options()
    value = first_of(node, inputs)
    if isinstance(value, Shape):
        return [Constant(np.array(len(value.extents), np.int64))]
    if not isinstance(value, Data):
        raise refused(node, value)
    return [Shape((Extent(1, tuple(axis for dim in value.dims for axis in dim)),), scalar=True)]


def slice_(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    value = first_of(node, inputs)
    if isinstance(value, Zeros) and value.shape is None:
        return [value]
    dims = _dims(node, value)
    slices = slices_of(node, inputs, len(dims))
    if isinstance(value, Shape):
        ((_, start, stop, step),) = slices or [(0, 0, _TO_THE_END, 1)]
        return [Shape(value.extents[start:stop:step])]
    if isinstance(value, Zeros) and value.shape is not None:
        sizes = list(value.shape)
        for axis, start, stop, step in slices:
            extent = sizes[axis]
            known = None if extent is None else extent.known
            cut = None if known is None else len(range(known)[start:stop:step])
            sizes[axis] = None if cut is None else Extent(cut)
        return [Zeros(tuple(sizes))]
    if not isinstance(value, Data):
        raise refused(node, value)
    if value.padding:
        return [unfold.cut(node, value, slices)]
    slices = [one for one in slices if not _is_whole(value.dims[one[0]], one, roles)]
    others = [one for one in slices if not of_features(value, one[0])]
    part = part_of(value) if others else None
    if part is not None:
        return moved(node, part, inputs[1:])
    found: Data | Half = value
    for axis, start, stop, step in [one for one in slices if one not in others]:
        value = _data_of(node, found)
        found = sliced(node, value, axis, start, stop, step)
    if not others:
        return [found]
    value = _data_of(node, found)
    axis, start, stop, step = others[0]
    ends = {(-1, True): -1, (0, False): 0}  # one step: to the end, or the first
    to_the_end = stop >= _TO_THE_END
    one = len(others) == 1 and step == 1 and (to_the_end or (start, stop) == (0, 1))
    index = ends.get((start, to_the_end)) if one else None
    return [last_step(node, value, index, axis, roles, keep=True)]


def _data_of(node: Node, value: Data | Half) -> Data:
    data = of_half(node, value) if isinstance(value, Half) else value
    if isinstance(data, Half):
        raise node.unsupported(f"takes a part of {show(data.data.dims)}")
    return data


def split(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """Of an input that is a state, into those of several layers."""
    value = first_of(node, inputs)
    if isinstance(value, Zeros):
        return [Zeros(None)] * len(node.outputs)
    part = part_of(value) if isinstance(value, Data) else None
    if part is None:
        raise refused(node, value)
    return moved(node, part, inputs[1:])


def concat(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    axis = node.options(axis=("int", 0))["axis"]
    if all(isinstance(value, Zeros) for value in inputs):
        return [Zeros(None)]
    if all(isinstance(value, (Shape, Constant)) for value in inputs):
        axis_of(node, axis, 1)
        extents = [e for value in inputs for e in _extents(node, value, "its inputs")]
        check_rank(node, len(extents))
        return [Shape(tuple(extents))]
    parts = [of_half(node, value) if isinstance(value, Half) else value for value in inputs]
    data = [value for value in parts if isinstance(value, Data)]
    if len(data) < max(2, len(parts)):
        raise node.unsupported("joins what is no value of the graph with others, or one alone")
    return [joined(node, data, axis)]


def gather_shape(node: Node, value: Shape, index: Value | None, axis: int) -> list[Value]:
    """Gather of a shape: some of its numbers."""
    if value.scalar:
        raise node.malformed("gathers from a scalar")
    axis_of(node, axis, 1)
    positions = integers(node, index, "indices")
    scalar = isinstance(index, Constant) and index.array.ndim == 0
    count = len(value.extents)
    picked = tuple(value.extents[axis_of(node, position, count)] for position in positions)
    return [Shape(picked, scalar)]


def multiply(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    node.options()
    left, right = inputs[0], inputs[1]
    if not (isinstance(left, (Shape, Constant)) and isinstance(right, (Shape, Constant))):
        raise node.unsupported("only shapes can be multiplied")
    pairs = zip(_extents(node, left, "A"), _extents(node, right, "B"), strict=False)
    if len(_extents(node, left, "A")) != len(_extents(node, right, "B")):
        raise node.unsupported("multiplies shapes of different lengths")
    scalar = all(v.scalar if isinstance(v, Shape) else not v.array.ndim for v in (left, right))
    products = [Extent(a.factor * b.factor, a.axes + b.axes) for a, b in pairs]
    if any(abs(p.factor) >= 2**63 or len(p.axes) > _MAX_RANK for p in products):
        raise node.malformed("makes a size beyond any integer")
    return [Shape(tuple(products), scalar)]


def constant_of_shape(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    fill = np.asarray(node.options(value=("tensor", np.zeros(1, np.float32)))["value"])
    if fill.size != 1:
        raise node.malformed(f"attribute value: expected one number, got {fill.size}")
    if fill.any() or fill.dtype.kind != "f":
        raise node.unsupported(f"attribute value={fill.item()!r}: only float zeros are supported")
    return [Zeros(shape_or_none(node, inputs[0]))]


def _of_one_row(node: Node, data: Data) -> Data:
    """Before a Squeeze without axes: where only the size of the batch is free, the graph is for one
    row of it, unless the file says that its axis stays."""
    free = [axis for dim in data.dims for axis in dim if axis.size is None]
    if len(free) != 1 or free[0].role != "batch":
        return data
    if any(axis.role == "time" for dim in data.dims for axis in live(dim)):
        return data
    sizes = None if node.result is None else node.result.sizes
    if sizes is not None and len(sizes) == sum(bool(live(dim)) for dim in data.dims):
        return data
    dims = (() if len(dim) == 1 and dim[0] == free[0] else dim for dim in data.dims)
    return replace(data, dims=tuple(dims))


def check_rank(node: Node, rank: int) -> None:
    if rank > _MAX_RANK:
        raise node.malformed(f"a rank of {rank}")


def shape_or_none(node: Node, value: Value | None) -> tuple[Extent, ...] | None:
    return _extents(node, value, "shape") if isinstance(value, (Shape, Constant)) else None


def _extents(node: Node, value: Value | None, what: str) -> tuple[Extent, ...]:
    if isinstance(value, Shape):
        return value.extents
    return tuple(map(Extent, integers(node, value, what)))


def _is_whole(dim: Dim, cut: tuple[int, int, int, int], roles: Roles) -> bool:
    _, start, stop, step = cut
    size = size_of(dim)
    if step != 1 or not (stop >= _TO_THE_END or (size is not None and stop >= size)):
        return False
    return start == 0 or (roles.framed and size == 1 and start == -1)


def _dims(node: Node, value: Value) -> Sequence[object]:
    if isinstance(value, Data):
        return value.dims
    if isinstance(value, Zeros) and value.shape is not None:
        return value.shape
    if isinstance(value, Shape) and not value.scalar:
        return (value.extents,)
    raise refused(node, value)


def first_of(node: Node, inputs: Values) -> Value:
    value = inputs[0]
    if isinstance(value, Failure):
        raise value.error
    assert value is not None  # the table of operators says that the first input is required
    return value


def refused(node: Node, value: Value) -> Exception:
    kind = {
        Constant: "a constant", Zeros: "zeros", Shape: "a shape", StateIn: "a part of a state",
        Data: "the data", Repeated: "repeated constants",
    }.get(type(value), "this")  # fmt: skip
    return node.unsupported(f"not supported for {kind}")
