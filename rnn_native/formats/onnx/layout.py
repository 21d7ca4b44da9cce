"""The order of the features of a step: where a file has several axes of them, they may come in
another order than a layer reads them in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...spec.layers.strided import AXES, Strided
from .graph import Anything, Node
from .values import Axis, Data, Dim, live, show, size_of


def sizes_of(node: Node, data: Data) -> list[int]:
    """How many features each of their axes has."""
    sizes = [axis.size for axis in data.features]
    if None in sizes:
        raise node.unsupported(f"the file does not say how large {show([data.features])} is")
    return [size for size in sizes if size is not None]


def places_of(node: Node, data: Data, order: Sequence[Axis]) -> NDArray[np.int64]:
    """The number, among the features, of each feature in this order of their axes."""
    sizes = sizes_of(node, data)
    grid = np.arange(int(np.prod(sizes, dtype=np.int64))).reshape(sizes)
    at = [data.features.index(axis) for axis in order]
    rest = [i for i in range(len(sizes)) if i not in at]  # of size 1
    return grid.transpose([*rest, *at]).reshape(-1)


def is_order_of(order: Sequence[Axis], data: Data) -> bool:
    """Whether these are the axes of the features, in whatever order."""
    wanted, have = live(order), live(data.features)
    return len(wanted) == len(have) and all(axis in have for axis in wanted)


def arranged(node: Node, data: Data, order: Dim) -> Data:
    """The same with its features in this order of their axes: by a layer, where it is another."""
    if live(order) == live(data.features):
        return replace(data, features=order)
    if not is_order_of(order, data):
        raise node.unsupported(
            f"the features of {show(data.dims)} should be {show([order])}, not "
            f"{show([data.features])}"
        )
    return repeated(node, data, live(order), order)


def repeated(node: Node, data: Data, places: Sequence[Axis | int], features: Dim) -> Data:
    """Its features in the order of these places, by a view: each is one of their axes, or how often
    all behind it come. ``features`` are what they are then."""
    data.check_floats(node)
    sizes = sizes_of(node, data)
    strides = [int(np.prod(sizes[i + 1 :], dtype=np.int64)) for i in range(len(sizes))]
    view: list[tuple[int, int]] = []
    for place in places:
        if isinstance(place, int):
            size, stride = place, 0
        else:
            at = data.features.index(place)
            size, stride = sizes[at], strides[at]
        if view and view[-1][1] == size * stride:  # one behind the other, as before
            view[-1] = (view[-1][0] * size, stride)
        elif size > 1:
            view.append((size, stride))
    if len(view) > AXES:
        raise node.unsupported(f"puts {show([data.features])} in the order {show([features])}")
    view = view or [(1, 0)]
    layer = Strided(
        size_of(data.features) or 1, tuple(n for n, _ in view), tuple(step for _, step in view)
    )
    return data.then(layer, data.dims, features)


def columns(node: Node, data: Data, order: Dim, weight: Anything) -> Anything:
    """A weight [..., in] of features in this order, for the order that the data have."""
    if live(order) == live(data.features) or not is_order_of(order, data):
        return weight
    made = np.empty_like(weight)
    made[..., places_of(node, data, live(order))] = weight
    return made


def spread(data: Data, array: Anything) -> Anything | None:
    """A constant that is broadcast to the data, as a number of each feature; None where it has
    numbers along other axes, or more dimensions, or the features' sizes are not known."""
    if array.ndim > len(data.dims) or size_of(data.features) is None:
        return None
    dims = data.dims[len(data.dims) - array.ndim :]
    sizes = [axis.size for axis in data.features]
    view = array
    axes: list[int] = []
    shape: list[int] = []
    for dim, size in zip(dims, array.shape, strict=True):
        if size == 1:
            continue
        if size != size_of(dim) or any(axis not in data.features for axis in dim):
            return None
        axes += [data.features.index(axis) for axis in dim]
        shape += [axis.size or 1 for axis in dim]
    if len(set(axes)) != len(axes):
        return None
    view = array.reshape(shape)
    order = sorted(range(len(axes)), key=axes.__getitem__)
    full = [sizes[i] if i in axes else 1 for i in range(len(sizes))]
    view = view.transpose(order).reshape([n or 1 for n in full])
    return np.broadcast_to(view, [n or 1 for n in sizes]).reshape(-1)
