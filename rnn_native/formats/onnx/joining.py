"""Several values made one, in a graph: by arithmetic, as the largest or least, or side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from math import prod
from typing import Final

from ...errors import UnsupportedError
from ...spec.layers.combine import Combine
from ...spec.layers.strided import Strided
from .constants import axis_of
from .drafts import Draft, ExpandDraft, SumDraft
from .graph import Node
from .layout import arranged, repeated
from .values import Axis, Data, Dim, Step, live, show, size_of

MODES: Final = {
    "Add": "add", "Mul": "mul", "Sub": "sub", "Div": "div", "Sum": "add", "Mean": "add",
    "Max": "max", "Min": "min",
}  # fmt: skip
"""What the operators do with each number of one value and that of the other."""


def elementwise(node: Node, parts: Sequence[Data]) -> Data:
    """The values of one of ``MODES``, from left to right, each number with those in its place."""
    return reduce(lambda left, right: _two(node, left, right), parts)


def _two(node: Node, left: Data, right: Data) -> Data:
    mode = MODES[node.op]
    for data in (left, right):
        data.check_floats(node)
    rank = max(len(left.dims), len(right.dims))
    left, right = (d.shaped(((),) * (rank - len(d.dims)) + d.dims) for d in (left, right))
    at = whole(left)
    sizes = [size_of(data.features) for data in (left, right)]
    if at is None or at != whole(right) or (None not in sizes and sizes[0] != sizes[1]):
        return _in_parts(node, left, right, mode)
    for data, size in ((left, sizes[1]), (right, sizes[0])):
        if size is not None and len(data.features) == 1 and data.features[0].size is None:
            data.features[0].learn(size)
    sizes = [size_of(data.features) for data in (left, right)]
    if sizes[0] != sizes[1]:
        raise _refused(node, left, right)
    others = [i for i in range(rank) if i != at]
    left, right = expanded(left, right, others), expanded(right, left, others)
    same = {i: _same(node, left, right, i) for i in others}
    features = left.fresh(sizes[0])
    dims = tuple(features if i == at else same[i] for i in range(rank))
    return _joined(_draft(mode), (left, right), dims, features)


def _refused(node: Node, left: Data, right: Data) -> UnsupportedError:
    sizes = [size_of(data.features) for data in (left, right)]
    if whole(left) == whole(right) != None:  # noqa: E711
        return node.unsupported(
            f"takes {sizes[0]} and {sizes[1]} features; only as many, or one, can be"
        )
    return node.unsupported(
        f"takes {show(left.dims)} and {show(right.dims)}, whose features are not as many in the "
        "same places, nor one along an axis"
    )


def _draft(mode: str) -> Draft:
    return SumDraft() if mode == "add" else Combine(mode)


def whole(data: Data) -> int | None:
    """The dimension that is the features, all of them and nothing else."""
    exactly = [i for i, dim in enumerate(data.dims) if dim == data.features]
    alike = [i for i, dim in enumerate(data.dims) if live(dim) == live(data.features)]
    return next(iter([*exactly[::-1], *alike[::-1]]), None)


def _in_parts(node: Node, left: Data, right: Data, mode: str) -> Data:
    """Of features that are several dimensions, in the same places; where one of both has a single
    one along a dimension, that comes as often as the other has it."""
    both = (left, right)
    free = [i for i in range(len(left.dims)) if not any(_inside(d, d.dims[i]) for d in both)]
    left, right = expanded(left, right, free), expanded(right, left, free)
    sizes: dict[int, int] = {}
    for i, dims in enumerate(zip(left.dims, right.dims, strict=True)):
        own = [_inside(data, dim) for data, dim in zip((left, right), dims, strict=True)]
        if not any(own):
            _same(node, left, right, i)
            continue
        size = size_of(own[0] or own[1])
        if size is None or not _fit(left, right, i):
            raise _refused(node, left, right)
        sizes[i] = size
    order = next((o for d in (left, right) if len(o := _order_of(d, [*sizes])) == len(sizes)),
                 [*sizes])  # fmt: skip
    parts = _as_wide(node, left, order, sizes), _as_wide(node, right, order, sizes)
    wide = {i: left if _inside(left, left.dims[i]) else right for i in order}
    axes = {i: left.fresh(*(a.size for a in _inside(d, d.dims[i]))) for i, d in wide.items()}
    made = list(left.dims)
    for i, data in wide.items():
        made[i] = _moved(data, data.dims[i], _inside(data, data.dims[i]), axes[i])
    features = tuple(axis for i in order for axis in axes[i])
    return _joined(_draft(mode), parts, tuple(made), features or left.fresh(1))


def _is_feature(data: Data, axis: Axis) -> bool:
    """Whether an axis is one of the features, also where it holds but one and was left out."""
    return axis in data.features or (axis.size == 1 and axis.role == "features")


def _inside(data: Data, dim: Dim) -> Dim:
    """The axes of a dimension that are features."""
    return tuple(axis for axis in live(dim) if axis in data.features)


def _fit(one: Data, other: Data, at: int) -> bool:
    """Whether a dimension of two values has features in the same places, as many of both or one of
    one of them, and is the same one besides."""
    dims = live(one.dims[at]), live(other.dims[at])
    own = _inside(one, dims[0]), _inside(other, dims[1])
    if own == dims:  # features alone
        sizes = [size_of(dim) for dim in dims]
        return not all(dims) or sizes[0] == sizes[1]
    pairs = [*zip(*dims, strict=False)]
    return len(dims[0]) == len(dims[1]) and all(
        (a.size == b.size and b in own[1]) if a in own[0] else (b not in own[1] and a == b)
        for a, b in pairs
    )


def _moved(data: Data, dim: Dim, own: Sequence[Axis], made: Sequence[Axis]) -> Dim:
    """A dimension with other axes in the place of its features."""
    kept = (axis for axis in dim if axis in own or axis not in data.features)
    return tuple(made[list(own).index(axis)] if axis in own else axis for axis in kept)


def _order_of(data: Data, at: Sequence[int]) -> list[int]:
    """These dimensions in the order in which they are the features; as far as they are, one behind
    the other."""
    held = [i for i in at if _inside(data, data.dims[i])]
    order = sorted(held, key=lambda i: data.features.index(_inside(data, data.dims[i])[0]))
    own = tuple(axis for i in order for axis in _inside(data, data.dims[i]))
    return order if own == live(data.features) else []


def _as_wide(node: Node, data: Data, order: Sequence[int], sizes: Mapping[int, int]) -> Data:
    """The features of these dimensions in this order, each as often as it is to come."""
    held = [_inside(data, data.dims[i]) for i in order]
    own = tuple(axis for axes in held for axis in axes)
    if all(held):
        return arranged(node, data, own)
    if len(own) != len(live(data.features)):
        raise node.unsupported(f"takes {show(data.dims)}, not all of {show([data.features])}")
    places = [p for i, axes in zip(order, held, strict=True) for p in (axes or (sizes[i],))]
    return repeated(node, data, places, data.fresh(prod(sizes.values())))


def concat(node: Node, parts: Sequence[Data], axis: int, stacks: bool = True) -> Data:
    """The features of all, side by side; ``stacks`` says whether they may be so along a new axis
    of size 1."""
    first = parts[0]
    at = axis_of(node, axis, len(first.dims))
    if len(parts) == 1:
        return first
    for data in parts:
        data.check_floats(node)
        if len(data.dims) != len(first.dims):
            raise node.malformed(f"joins {show(first.dims)} and {show(data.dims)}")
        inside = [_is_feature(data, axis) for axis in data.dims[at]] or [stacks]
        if not all(inside):
            raise node.unsupported(f"joins {show(data.dims)} along axis {at}; only features can be")
    if any(live(data.dims[at]) != live(data.features) for data in parts):
        return _beside(node, parts, at)
    for data in parts:
        for i in range(len(first.dims)):
            if i != at:
                _same(node, first, data, i)
    sizes = [size_of(data.features) for data in parts]
    whole = _whole_of(parts)
    if whole is not None:
        return replace(whole, dims=(*first.dims[:at], whole.features, *first.dims[at + 1 :]))
    if None in sizes:
        raise node.unsupported("joins features of which the file does not say how many there are")
    features = first.fresh(sum(size for size in sizes if size is not None))
    dims = (*first.dims[:at], features, *first.dims[at + 1 :])
    return _joined(Combine("concat"), tuple(parts), dims, features)


def _beside(node: Node, parts: Sequence[Data], at: int) -> Data:
    """Features that are several dimensions, side by side along one of them: it goes first. The
    others may be positions among the rows of a batch."""
    first = parts[0]
    others = [i for i, dim in enumerate(first.dims) if i != at and _inside(first, dim)]
    order = next((o for data in parts if len(o := _order_of(data, others)) == len(others)), others)
    for data in parts:
        for i, dim in enumerate(first.dims):
            own = [_inside(first, dim), _inside(data, data.dims[i])]
            if i != at and not any(own):
                _same(node, first, data, i)
            elif i != at and not (all(own) and _fit(first, data, i)):
                raise node.unsupported(
                    f"joins {show(first.dims)} and {show(data.dims)}, whose features are not in "
                    "the same places"
                )
    in_order = [
        arranged(node, data, tuple(a for i in (at, *order) for a in _inside(data, data.dims[i])))
        for data in parts
    ]
    joined = first.fresh(sum(size_of(data.dims[at]) or 1 for data in parts))
    axes = {i: first.fresh(*(a.size for a in _inside(first, first.dims[i]))) for i in others}
    dims = list(first.dims)
    for i, made in axes.items():
        dims[i] = _moved(first, dims[i], _inside(first, dims[i]), made)
    dims[at] = joined
    features = (*joined, *(axis for i in order for axis in axes[i]))
    return _joined(Combine("concat"), tuple(in_order), tuple(dims), features)


def _whole_of(parts: Sequence[Data]) -> Data | None:
    """The value that had been cut into these parts, all of it in its order, such as the directions
    of one layer."""
    count, whole = 0, None
    for data in parts:
        step = data.step
        if step is None or not isinstance(step.draft, Strided) or data.padding:
            return None
        view, (source,) = step.draft, step.inputs
        wide = [(n, stride) for n, stride in zip(view.sizes, view.strides, strict=True) if n > 1]
        if view.offset != count or [stride for _, stride in wide] not in ([], [1]):
            return None
        if whole is not None and (source.step is not whole.step or source.last != whole.last):
            return None
        whole, count = source, count + prod(view.sizes)
    return whole if whole is not None and whole.step and count == size_of(whole.features) else None


def _joined(draft: Draft, parts: tuple[Data, ...], dims: tuple[Dim, ...], features: Dim) -> Data:
    return Data(parts[0].source, parts[0].element, dims, features, Step(draft, parts))


def expanded(data: Data, like: Data, places: Sequence[int]) -> Data:
    """A value at every step of another, where it has the same axes but for one of size 1, which has
    to turn out to be the other's time; else as it is."""
    alone = [i for i in places if not live(data.dims[i]) and live(like.dims[i])]
    fewer = [i for i in places if live(data.dims[i]) and not live(like.dims[i])]
    if len(alone) != 1 or fewer or len(live(like.dims[alone[0]])) != 1:
        return data
    return over(data, alone[0], live(like.dims[alone[0]])[0], like)


def over(data: Data, position: int, axis: Axis, like: Data | None) -> Data:
    """A value along an axis in the place of dimension ``position``, which is of size 1; ``like``
    has it where it is no input's."""
    dims = tuple((axis,) if i == position else dim for i, dim in enumerate(data.dims))
    parts = (data, like) if like is not None and axis.is_made else (data,)
    return Data(data.source, data.element, dims, data.features, Step(ExpandDraft(axis), parts))


def _same(node: Node, left: Data, right: Data, position: int) -> Dim:
    """Dimension ``position`` of both, which has to be the same one: not the features."""
    one, two = live(left.dims[position]), live(right.dims[position])
    if one != two and not (len(one) == len(two) == 1 and one[0].join(two[0])):
        what = f"axis {position} of {show(left.dims)} and of {show(right.dims)} is not the same"
        if not one or not two:
            what += "; of values that are combined either all have steps, or none"
        raise node.unsupported(what)
    return left.dims[position]
