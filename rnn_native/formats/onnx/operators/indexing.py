"""Operators that take, put and look for numbers by their places."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ..constants import axis_of
from ..graph import Anything, Node
from .common import Arrays, Entry, limit, padded, scalar


def _gather(node: Node, arrays: Arrays) -> Any:
    axis = axis_of(node, node.options(axis=("int", 0))["axis"], arrays[0].ndim)
    limit(node, arrays[0].size // max(1, arrays[0].shape[axis]) * arrays[1].size, arrays[0])
    return np.take(arrays[0], arrays[1], axis)


def _inside(node: Node, indices: Anything, size: int) -> Anything:
    """Indices counted from 0, where negative ones count from the end."""
    if indices.dtype.kind not in "iu" or ((indices < -size) | (indices >= size)).any():
        raise node.malformed(f"expected integers from {-size} to {size - 1} as indices")
    return np.where(indices < 0, indices + size, indices)


def _places(node: Node, indices: Anything, shape: tuple[int, ...], axis: int) -> tuple[Any, ...]:
    """An index for every axis: its own place, and on one the place that is stated."""
    if indices.ndim != len(shape):
        raise node.malformed(f"indices {indices.shape} of a tensor of shape {shape}")
    places = list(np.ogrid[tuple(map(slice, indices.shape))]) if indices.ndim else []
    places[axis] = _inside(node, indices, shape[axis])
    return tuple(places)


def _gather_elements(node: Node, arrays: Arrays) -> Any:
    x, indices = arrays
    axis = axis_of(node, node.options(axis=("int", 0))["axis"], x.ndim)
    limit(node, indices.size, x)
    return x[_places(node, indices, x.shape, axis)]


def _tuples(node: Node, indices: Anything, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """The last axis of the indices, each an array of places along an axis of its own."""
    count = indices.shape[-1] if indices.ndim else 0
    if not 0 < count <= len(shape):
        raise node.malformed(f"indices {indices.shape} of a tensor of shape {shape}")
    return tuple(_inside(node, indices[..., i], shape[i]) for i in range(count))


def _gather_nd(node: Node, arrays: Arrays) -> Any:
    x, indices = arrays
    batch = node.options(batch_dims=("int", 0))["batch_dims"]
    if not 0 <= batch < min(x.ndim, indices.ndim) or x.shape[:batch] != indices.shape[:batch]:
        raise node.malformed(f"batch_dims={batch} of {x.shape} and indices {indices.shape}")
    places = _tuples(node, indices, x.shape[batch:])
    limit(node, places[0].size * prod(x.shape[batch + len(places) :]), x)
    rank = indices.ndim - 1
    rows = [
        np.arange(x.shape[i]).reshape([-1 if j == i else 1 for j in range(rank)])
        for i in range(batch)
    ]
    return x[(*rows, *places)]


_REDUCTIONS: Final[Mapping[str, Any]] = MappingProxyType(
    {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}
)


def _put(node: Node, x: Anything, places: tuple[Any, ...], updates: Anything, how: str) -> Anything:
    """A copy of x with the updates in their places, or added to what is there or the like."""
    y = x.copy()
    if how == "none":
        y[places] = updates
    elif how in _REDUCTIONS:
        _REDUCTIONS[how].at(y, places, updates)
    else:
        raise node.malformed(f"attribute reduction={how!r}")
    return y


def _scatter_nd(node: Node, arrays: Arrays) -> Any:
    how = node.options(reduction=("string", "none"))["reduction"]
    x, indices, updates = arrays
    places = _tuples(node, indices, x.shape)
    want = (*indices.shape[:-1], *x.shape[len(places) :])
    if updates.shape != want:
        raise node.malformed(f"updates: expected shape {want}, got {updates.shape}")
    return _put(node, x, places, updates, how)


def _scatter_elements(node: Node, arrays: Arrays) -> Any:
    x, indices, updates = arrays
    options = node.options(axis=("int", 0), reduction=("string", "none"))
    if updates.shape != indices.shape:
        raise node.malformed(f"updates: expected {indices.shape}, got {updates.shape}")
    places = _places(node, indices, x.shape, axis_of(node, options["axis"], x.ndim))
    return _put(node, x, places, updates, options["reduction"])


def _non_zero(node: Node, arrays: Arrays) -> Any:
    node.options()
    limit(node, arrays[0].size * max(1, arrays[0].ndim), np.empty(0, np.int64))
    return np.array(np.nonzero(np.atleast_1d(arrays[0])), np.int64)


def _one_hot(node: Node, arrays: Arrays) -> Any:
    indices, depth, pair = arrays
    axis = node.options(axis=("int", -1))["axis"]
    size = int(scalar(node, depth, "depth"))
    limit(node, indices.size * size, pair)
    axis = axis_of(node, axis, indices.ndim + 1)
    whole = indices.astype(np.int64)
    whole = np.where(whole < 0, whole + size, whole)
    hit = np.expand_dims(whole, axis) == np.arange(size).reshape(
        [-1 if i == axis else 1 for i in range(indices.ndim + 1)]
    )
    off, on = pair
    return np.where(hit, on, off).astype(pair.dtype)


def _top_k(node: Node, arrays: Arrays) -> list[Anything]:
    """The largest numbers or the smallest; of equal ones those with the lower index."""
    options = node.options(axis=("int", -1), k=("int", None), largest=("int", 1), sorted=("int", 1))
    x = arrays[0]
    axis = axis_of(node, options["axis"], x.ndim)
    given = padded(arrays, 2)[1]
    k = options["k"] if given is None else int(scalar(node, given, "k"))
    if k is None or not 0 <= k <= x.shape[axis]:
        raise node.malformed(f"k={k} of {x.shape[axis]}")
    if options["largest"]:  # those from the end, where of equal ones the first is the last
        order = np.flip(x.shape[axis] - 1 - np.argsort(np.flip(x, axis), axis, "stable"), axis)
    else:
        order = np.argsort(x, axis, "stable")
    order = np.take(order, np.arange(k), axis)
    return [np.take_along_axis(x, order, axis), order.astype(np.int64)]


def _reverse_sequence(node: Node, arrays: Arrays) -> Any:
    """Each row's first steps, as many as its length, in the opposite order."""
    options = node.options(batch_axis=("int", 1), time_axis=("int", 0))
    x, lengths = arrays
    batch, time = (axis_of(node, options[name], x.ndim) for name in ("batch_axis", "time_axis"))
    if lengths.shape != (x.shape[batch],) or batch == time:
        raise node.malformed(f"lengths {lengths.shape} of {x.shape}")
    if ((lengths < 0) | (lengths > x.shape[time])).any():
        raise node.malformed(f"expected lengths from 0 to {x.shape[time]}")
    steps = np.arange(x.shape[time])[:, None]
    order = np.where(steps < lengths, lengths - 1 - steps, steps)  # [time, batch]
    shape = [x.shape[i] if i in (batch, time) else 1 for i in range(x.ndim)]
    return np.take_along_axis(x, (order if time < batch else order.T).reshape(shape), time)


OPERATORS: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        "Gather": (_gather, 2, 2),
        "GatherElements": (_gather_elements, 2, 2),
        "GatherND": (_gather_nd, 2, 2),
        "NonZero": (_non_zero, 1, 1),
        "OneHot": (_one_hot, 3, 3),
        "ReverseSequence": (_reverse_sequence, 2, 2),
        "Scatter": (_scatter_elements, 3, 3),
        "ScatterElements": (_scatter_elements, 3, 3),
        "ScatterND": (_scatter_nd, 3, 3),
        "TopK": (_top_k, 1, 2),
    }
)
