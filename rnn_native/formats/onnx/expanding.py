"""Expand and Tile: constants along the batch, and what has no time along that."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .graph import Node
from .joining import over
from .repeated import expanded, tiled
from .roles import Roles
from .shapes import check_rank, first_of, refused, shape_or_none
from .values import (
    Axis,
    Constant,
    Data,
    Dim,
    Extent,
    Filled,
    Shape,
    Value,
    Zeros,
    live,
    show,
    size_of,
)

Values = Sequence[Value | None]


def expand(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    node.options()
    value = first_of(node, inputs)
    if isinstance(value, Shape) and len(value.extents) == 1:
        return [Filled(value.extents[0])]
    if isinstance(value, Constant) and value.array.any():
        return [expanded(node, value.array, shape_or_none(node, inputs[1]))]
    if isinstance(value, Constant):
        if value.array.dtype.kind != "f":
            raise node.unsupported("only floats can be expanded to a shape that is not constant")
        own: tuple[Extent | None, ...] | None = tuple(map(Extent, value.array.shape))
    elif isinstance(value, Zeros):
        own = value.shape
    elif isinstance(value, Data):
        return [_over_time(node, value, shape_or_none(node, inputs[1]), _is_same)]
    else:
        raise refused(node, value)
    target = shape_or_none(node, inputs[1])
    if own is None or target is None or len(own) > len(target):
        return [Zeros(None)]
    own = (Extent(1),) * (len(target) - len(own)) + own
    return [Zeros(tuple(b if a == Extent(1) else a for a, b in zip(own, target, strict=True)))]


def tile(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    node.options()
    value = first_of(node, inputs)
    if isinstance(value, Shape) and len(value.extents) == 1:
        return [Filled(value.extents[0])]
    if isinstance(value, Zeros) or (isinstance(value, Constant) and not value.array.any()):
        return [Zeros(None)]
    if isinstance(value, Constant):
        return [tiled(node, value.array, shape_or_none(node, inputs[1]))]
    if isinstance(value, Data):
        repeats = shape_or_none(node, inputs[1])
        if repeats is not None and len(repeats) != len(value.dims):
            raise node.malformed(f"{len(repeats)} repeats of a tensor of rank {len(value.dims)}")
        return [_over_time(node, value, repeats, lambda dim, extent: False)]
    raise refused(node, value)


def _over_time(
    node: Node,
    data: Data,
    target: tuple[Extent, ...] | None,
    stays: Callable[[Dim, Extent], bool],
) -> Data:
    """A value without time, to which one axis is given along which it is the same; ``target``:
    sizes, which are 1 where an axis stays, or which say so."""
    data.check_floats(node)
    if target is None:
        raise node.unsupported(f"repeats {show(data.dims)}, how often is not known")
    check_rank(node, len(target))
    if len(target) > len(data.dims):
        data = data.shaped(((),) * (len(target) - len(data.dims)) + data.dims)
    target = (Extent(1),) * (len(data.dims) - len(target)) + target
    longer = [
        i
        for i, (dim, extent) in enumerate(zip(data.dims, target, strict=True))
        if extent.known != 1 and not (live(dim) and stays(dim, extent))
    ]
    if not longer:
        return data
    axis = _only_axis(node, target[longer[0]])
    if len(longer) > 1 or live(data.dims[longer[0]]) or axis is None:
        raise node.unsupported(
            f"repeats {show(data.dims)}; what has no time can be repeated along that of an input"
        )
    return over(data, longer[0], axis, None)


def _is_same(dim: Dim, extent: Extent) -> bool:
    """Whether a dimension has that size, which it is not given by being repeated."""
    size, one, two = size_of(dim), live(dim), live(extent.axes)
    if size is not None and size == extent.known:
        return True
    same = one == two or (len(one) == len(two) == 1 and one[0].join(two[0]))
    return extent.factor == 1 and same


def _only_axis(node: Node, extent: Extent) -> Axis | None:
    """The axis of which a size is: an input's or, where the file fixes it, one that may turn out to
    be."""
    axes = live(extent.axes)
    if extent.factor == 1 and len(axes) == 1:
        return None if axes[0].is_made else axes[0]
    fixed = not extent.axes and extent.known is not None and extent.known > 1
    return Axis("repeated", extent.known, sources=[str(node)]) if fixed else None
