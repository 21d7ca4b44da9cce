"""Several values made one, in a graph: by arithmetic, as the largest or least, or side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from math import prod
from typing import Final

import numpy as np

from ...spec.layers.combine import Combine
from ...spec.layers.strided import Strided
from .constants import axis_of
from .drafts import Draft, LinearDraft, SumDraft
from .graph import Node
from .layout import arranged
from .values import Data, Dim, Step, live, show, size_of

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
    if at is None or at != whole(right):
        left, right = _spread_over(left, right), _spread_over(right, left)
        return _in_parts(node, left, right, mode)
    sizes = [size_of(data.features) for data in (left, right)]
    if None in sizes:
        for data, size in ((left, sizes[1]), (right, sizes[0])):
            if size is not None and len(data.features) == 1 and data.features[0].size is None:
                data.features[0].learn(size)
    elif 1 in sizes and sizes[0] != sizes[1]:
        left, right = (
            _repeated(data, at, max(size or 0 for size in sizes)) for data in (left, right)
        )
    sizes = [size_of(data.features) for data in (left, right)]
    if sizes[0] != sizes[1]:
        raise node.unsupported(
            f"takes {sizes[0]} and {sizes[1]} features; only as many, or one, can be"
        )
    others = [i for i in range(rank) if i != at]
    same = {i: _same(node, left, right, i) for i in others}
    features = left.fresh(sizes[0])
    dims = tuple(features if i == at else same[i] for i in range(rank))
    return _joined(_draft(mode), (left, right), dims, features)


def _draft(mode: str) -> Draft:
    return SumDraft() if mode == "add" else Combine(mode)


def whole(data: Data) -> int | None:
    """The dimension that is the features, all of them and nothing else."""
    exactly = [i for i, dim in enumerate(data.dims) if dim == data.features]
    alike = [i for i, dim in enumerate(data.dims) if live(dim) == live(data.features)]
    return next(iter([*exactly[::-1], *alike[::-1]]), None)


def _in_parts(node: Node, left: Data, right: Data, mode: str) -> Data:
    """Of features that are several dimensions, the same of both: a raw Y of both directions."""
    right = arranged(node, right, _order_of(left, right))
    one, two = left.features, right.features
    sizes = [[axis.size for axis in features] for features in (one, two)]
    places = [[[d.features.index(a) for a in live(dim) if a in d.features] for dim in d.dims]
              for d in (left, right)]  # fmt: skip
    if sizes[0] != sizes[1] or places[0] != places[1]:
        raise node.unsupported(
            f"takes {show(left.dims)} and {show(right.dims)}, whose features are not in the same "
            "places"
        )
    for i, place in enumerate(places[0]):
        if not place:
            _same(node, left, right, i)
    features = left.fresh(*sizes[0])
    dims = tuple(
        tuple(features[one.index(axis)] if axis in one else axis for axis in dim)
        for dim in left.dims
    )
    return _joined(_draft(mode), (left, right), dims, features)


def _spread_over(data: Data, other: Data) -> Data:
    """One feature as often as another value has features, in their places, by a matrix of ones,
    which changes no bit; others as they are."""
    sizes = [axis.size for axis in other.features]
    count = size_of(other.features)
    inside = [any(axis in other.features for axis in dim) for dim in other.dims]
    own = [live(dim) for dim, there in zip(data.dims, inside, strict=True) if there]
    if size_of(data.features) != 1 or count in (None, 1) or any(own) or whole(other) is not None:
        return data
    features = data.fresh(*sizes)
    dims = tuple(
        tuple(features[other.features.index(a)] if a in other.features else a for a in dim)
        if there
        else kept
        for dim, kept, there in zip(other.dims, data.dims, inside, strict=True)
    )
    dtype = np.float64 if data.element == "DOUBLE" else np.float32
    return data.then(LinearDraft(np.ones((count or 1, 1), dtype)), dims, features)


def _order_of(left: Data, right: Data) -> Dim:
    """The axes of the right one's features in the order that the left one's have; as they are,
    where they are not in the same places."""
    dims = [next((i for i, d in enumerate(left.dims) if live(d) == (axis,)), None)
            for axis in live(left.features)]  # fmt: skip
    order = tuple(a for i in dims if i is not None for a in live(right.dims[i]))
    same = len(order) == len(live(right.features)) and all(a in right.features for a in order)
    return order if same else right.features


def concat(node: Node, parts: Sequence[Data], axis: int) -> Data:
    """The features of all, side by side."""
    first = parts[0]
    at = axis_of(node, axis, len(first.dims))
    if len(parts) == 1:
        return first
    for data in parts:
        data.check_floats(node)
        if len(data.dims) != len(first.dims):
            raise node.malformed(f"joins {show(first.dims)} and {show(data.dims)}")
        inside = [axis in data.features for axis in data.dims[at]]
        if not inside or not all(inside):
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
    for data in parts:
        for i, dim in enumerate(first.dims):
            if i == at:
                continue
            if not _inside(first, dim) and not _inside(data, data.dims[i]):
                _same(node, first, data, i)
            elif not _alike(first, dim, data, data.dims[i]):
                raise node.unsupported(
                    f"joins {show(first.dims)} and {show(data.dims)}, whose features are not in "
                    "the same places"
                )
    in_order = [
        arranged(
            node,
            data,
            (*live(data.dims[at]), *(a for i in others for a in _inside(data, data.dims[i]))),
        )
        for data in parts
    ]
    joined = first.fresh(sum(size_of(data.dims[at]) or 1 for data in parts))
    own = [axis for i in others for axis in _inside(first, first.dims[i])]
    made = first.fresh(*(axis.size for axis in own))

    def moved(dim: Dim) -> Dim:
        kept = (axis for axis in dim if axis in own or axis not in first.features)
        return tuple(made[own.index(axis)] if axis in own else axis for axis in kept)

    dims = tuple(joined if i == at else moved(dim) for i, dim in enumerate(first.dims))
    return _joined(Combine("concat"), tuple(in_order), dims, (*joined, *made))


def _inside(data: Data, dim: Dim) -> Dim:
    """The axes of a dimension that are features."""
    return tuple(axis for axis in live(dim) if axis in data.features)


def _alike(one: Data, dim: Dim, other: Data, same: Dim) -> bool:
    """Whether dimensions of two values have features in the same places, and as many, and are the
    same one besides."""
    pairs = [*zip(live(dim), live(same), strict=False)]
    return len(live(dim)) == len(live(same)) and all(
        (a.size == b.size and b in other.features)
        if a in one.features
        else (b not in other.features and a == b)
        for a, b in pairs
    )


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


def _repeated(data: Data, at: int, size: int) -> Data:
    """One feature ``size`` times, by a matrix of ones, which changes no bit; others as they are."""
    if size_of(data.features) != 1:
        return data
    dtype = np.float64 if data.element == "DOUBLE" else np.float32
    features = data.fresh(size)
    dims = (*data.dims[:at], features, *data.dims[at + 1 :])
    return data.then(LinearDraft(np.ones((size, 1), dtype)), dims, features)


def _same(node: Node, left: Data, right: Data, position: int) -> Dim:
    """Dimension ``position`` of both, which has to be the same one: not the features."""
    one, two = live(left.dims[position]), live(right.dims[position])
    if one != two and not (len(one) == len(two) == 1 and one[0].join(two[0])):
        what = f"axis {position} of {show(left.dims)} and of {show(right.dims)} is not the same"
        if not one or not two:
            what += "; of values that are combined either all have steps, or none"
        raise node.unsupported(what)
    return left.dims[position]
