"""Parts of an input of the graph: initial states, several of which may be one tensor.

A part is what is left of each axis of the input, and which of these is which dimension now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from .constants import axes_of, axis_of, slices_of, split_sizes
from .graph import Node
from .values import Constant, Cut, Data, StateIn, Value

MOVES: Final = (
    "Gather", "Identity", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze",
)  # fmt: skip
"""What is read of such parts."""


def part_of(data: Data) -> StateIn | None:
    """An input as a part of itself; None for what is none, or has been reshaped."""
    if data.step or any(len(dim) > 1 for dim in data.dims):
        return None
    return StateIn(data, tuple(Cut(dim[0], 0, dim[0].size) if dim else None for dim in data.dims))


def moved(node: Node, part: StateIn, rest: Sequence[Value | None]) -> list[Value]:
    """One of ``MOVES``."""
    dims = part.dims
    if node.op == "Transpose":
        order = node.options(perm=("ints", None))["perm"]
        order = list(range(len(dims)))[::-1] if order is None else order
        if sorted(order) != list(range(len(dims))):
            raise node.malformed(f"attribute perm={order} of a tensor of rank {len(dims)}")
        return [replace(part, dims=tuple(dims[i] for i in order))]
    if node.op == "Squeeze":
        axes = axes_of(node, [None, *rest], len(dims))
        if axes is None:
            axes = [i for i, size in enumerate(part.shape) if size == 1]
        return [_without(node, part, axes)]
    if node.op == "Unsqueeze":
        count = len(axes_of(node, [None, *rest], 64) or [])
        longer = list(dims)
        for axis in sorted(axes_of(node, [None, *rest], len(dims) + count) or []):
            longer.insert(axis, None)
        return [replace(part, dims=tuple(longer))]
    if node.op == "Gather":
        return [_row(node, part, rest[0])]
    if node.op == "Slice":
        for axis, start, stop, step in slices_of(node, [None, *rest], len(dims)):
            part = _cut(node, part, axis, start, stop, step)
        return [part]
    if node.op == "Split":
        axis, sizes = split_sizes(node, [None, *rest], len(dims), part.shape)
        found: list[Value] = []
        for size in sizes:
            start = sum(sizes[: len(found)])
            found.append(_cut(node, part, axis, start, start + size, 1))
        return found
    node.options()  # of Identity
    return [part]


def _row(node: Node, part: StateIn, index: Value | None) -> StateIn:
    """Gather of one of a dimension, or of some that follow each other."""
    axis = axis_of(node, node.options(axis=("int", 0))["axis"], len(part.dims))
    if not isinstance(index, Constant) or index.array.dtype.kind != "i" or index.array.ndim > 1:
        raise node.unsupported("expected constant indices")
    rows = [int(row) for row in index.array.reshape(-1)[:2]] if index.array.size < 3 else []
    if not rows or rows != [*range(rows[0], rows[0] + len(rows))]:
        raise node.unsupported("takes rows of a state that do not follow each other")
    stop = rows[-1] + 1 if rows[-1] != -1 else 2**31
    cut = _cut(node, part, axis, rows[0], stop, 1)
    return _without(node, cut, [axis]) if index.array.ndim == 0 else cut


def _cut(node: Node, part: StateIn, axis: int, start: int, stop: int, step: int) -> StateIn:
    """What a slice leaves of one dimension."""
    old = part.dims[axis]
    size = 1 if old is None else old.size
    if step != 1 or (size is None and (start < 0 or stop < 0)):
        raise node.unsupported("takes rows of a state that do not follow each other")
    rows = range(size)[start:stop] if size is not None else range(start, stop)
    if old is None:
        if not rows:
            raise node.malformed(f"takes nothing of axis {axis}")
        return part
    if size is None and start == 0 and stop >= 2**31 - 1:
        return part
    dims = list(part.dims)
    dims[axis] = Cut(old.axis, old.start + rows.start, len(rows))
    return replace(part, dims=tuple(dims))


def _without(node: Node, part: StateIn, axes: Sequence[int]) -> StateIn:
    """Without dimensions of size 1."""
    for axis in axes:
        if part.shape[axis] != 1:
            raise node.unsupported(f"axis {axis} of a part of {part.source!r} is not known to be 1")
    kept = tuple(dim for i, dim in enumerate(part.dims) if i not in axes)
    gone = tuple(dim for i, dim in enumerate(part.dims) if i in axes and dim is not None)
    return replace(part, dims=kept, fixed=(*part.fixed, *gone))
