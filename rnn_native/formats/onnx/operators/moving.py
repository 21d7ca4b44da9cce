"""Operators that move numbers about and leave each as it is, but for its type."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ..constants import axes_of, constant, integers, slices_of, split_sizes
from ..graph import Anything, Node
from ..values import Constant
from .common import MANY, Arrays, Entry, dtype_of, limit, scalar, values


def _identity(node: Node, arrays: Arrays) -> Any:
    node.options()
    return np.asarray(arrays[0])


def _dropout(node: Node, arrays: Arrays) -> list[Anything]:
    node.options(ratio=("float", 0.5), seed=("int", 0))
    if len(arrays) > 2 and arrays[2] is not None and arrays[2].any():
        raise node.unsupported("training_mode is not false")
    return [arrays[0], np.ones(arrays[0].shape, arrays[0].dtype if node.opset < 10 else np.bool_)]


def _cast(node: Node, arrays: Arrays) -> Any:
    options = node.options(to=("int", 0), saturate=("int", 1), round_mode=("string", "up"))
    dtype = dtype_of(node, options["to"], "to")
    limit(node, arrays[0].size, np.empty(0, dtype))
    return arrays[0].astype(dtype)


def _transpose(node: Node, arrays: Arrays) -> Any:
    return arrays[0].transpose(node.options(perm=("ints", None))["perm"])


def _squeeze(node: Node, arrays: Arrays) -> Any:
    axes = axes_of(node, values(arrays), arrays[0].ndim)
    return arrays[0].squeeze() if axes is None else arrays[0].squeeze(tuple(axes))


def _unsqueeze(node: Node, arrays: Arrays) -> Any:
    count = len(axes_of(node, values(arrays), 64) or [])
    axes = axes_of(node, values(arrays), arrays[0].ndim + count)
    return np.expand_dims(arrays[0], tuple(axes or ()))


def _reshape(node: Node, arrays: Arrays) -> Any:
    allow_zero = node.options(allowzero=("int", 0))["allowzero"]
    shape = integers(node, values(arrays)[1], "shape")
    if not allow_zero:
        shape = [arrays[0].shape[i] if size == 0 else size for i, size in enumerate(shape)]
    return arrays[0].reshape(shape)


def _slice(node: Node, arrays: Arrays) -> Any:
    array = arrays[0]
    for axis, start, stop, step in slices_of(node, values(arrays), array.ndim):
        cut = _cut(array.shape[axis], start, stop, step)
        array = array[(slice(None),) * axis + (cut,)]
    return array


def _cut(size: int, start: int, stop: int, step: int) -> slice:
    """Python's slice of ONNX's numbers, which are clamped where Python would find nothing."""
    start, stop = (value + size if value < 0 else value for value in (start, stop))
    if step > 0:
        return slice(min(max(start, 0), size), min(max(stop, 0), size), step)
    if size == 0:
        return slice(0, 0)
    stop = min(max(stop, -1), size - 1)
    return slice(min(max(start, 0), size - 1), None if stop < 0 else stop, step)


def _split(node: Node, arrays: Arrays) -> list[Anything]:
    axis, sizes = split_sizes(node, values(arrays), arrays[0].ndim, arrays[0].shape)
    parts: list[Anything] = np.split(arrays[0], np.cumsum(sizes)[:-1], axis)
    return parts


def _concat(node: Node, arrays: Arrays) -> Any:
    axis = node.options(axis=("int", None))["axis"]
    if axis is None or any(array is None for array in arrays):
        raise node.malformed("expected an attribute axis, and no input left out")
    limit(node, sum(array.size for array in arrays), *arrays)
    return np.concatenate(arrays, axis)


def _expand(node: Node, arrays: Arrays) -> Any:
    node.options()
    target = integers(node, Constant(arrays[1]), "shape")
    shape = np.broadcast_shapes(arrays[0].shape, tuple(target))
    limit(node, prod(shape), arrays[0])
    return np.broadcast_to(arrays[0], shape)


def _tile(node: Node, arrays: Arrays) -> Any:
    node.options()
    repeats = integers(node, Constant(arrays[1]), "repeats")
    if len(repeats) != arrays[0].ndim or min(repeats, default=0) < 0:
        raise node.malformed(f"repeats={repeats} of a tensor of rank {arrays[0].ndim}")
    limit(node, arrays[0].size * prod(repeats), arrays[0])
    return np.tile(arrays[0], repeats)


def _constant(node: Node, arrays: Arrays) -> Any:
    return constant(node)


def _constant_of_shape(node: Node, arrays: Arrays) -> Any:
    fill = np.asarray(node.options(value=("tensor", np.zeros(1, np.float32)))["value"])
    sizes = integers(node, Constant(arrays[0]), "shape")
    limit(node, prod(sizes), fill)
    return np.broadcast_to(fill.reshape(()), sizes)


def _shape(node: Node, arrays: Arrays) -> Any:
    options = node.options(start=("int", 0), end=("int", None))
    return np.asarray(arrays[0].shape[options["start"] : options["end"]], np.int64)


def _size(node: Node, arrays: Arrays) -> Any:
    node.options()
    return np.asarray(arrays[0].size, np.int64)


def _cast_like(node: Node, arrays: Arrays) -> Any:
    node.options(saturate=("int", 1), round_mode=("string", "up"))
    limit(node, arrays[0].size, arrays[1])
    return arrays[0].astype(arrays[1].dtype)


def _flatten(node: Node, arrays: Arrays) -> Any:
    axis = node.options(axis=("int", 1))["axis"]
    shape = arrays[0].shape
    if not -len(shape) <= axis <= len(shape):
        raise node.malformed(f"axis {axis} of a tensor of rank {len(shape)}")
    axis += len(shape) if axis < 0 else 0
    return arrays[0].reshape(prod(shape[:axis]), prod(shape[axis:]))


def _range(node: Node, arrays: Arrays) -> Any:
    node.options()
    start, stop, step = (scalar(node, array, "its inputs") for array in arrays)
    if step == 0:
        raise node.malformed("delta is 0")
    count = max(0, int(np.ceil((stop - start) / step)))
    limit(node, count, arrays[0])
    numbers = arrays[0].reshape(()) + np.arange(count).astype(arrays[0].dtype) * arrays[2].reshape(
        ()
    )
    return numbers.astype(arrays[0].dtype)


def _depth_to_space(node: Node, arrays: Arrays) -> Any:
    options = node.options(blocksize=("int", None), mode=("string", "DCR"))
    size, mode = options["blocksize"], options["mode"]
    b, c, h, w = arrays[0].shape
    if not size or mode not in ("DCR", "CRD"):
        raise node.malformed(f"blocksize={size}, mode={mode}")
    blocks = (size, size, c // size**2) if mode == "DCR" else (c // size**2, size, size)
    order = (0, 3, 4, 1, 5, 2) if mode == "DCR" else (0, 1, 4, 2, 5, 3)
    parts = arrays[0].reshape(b, *blocks, h, w).transpose(order)
    return parts.reshape(b, c // size**2, h * size, w * size)


def _space_to_depth(node: Node, arrays: Arrays) -> Any:
    options = node.options(blocksize=("int", None), mode=("string", "DCR"))
    size, (b, c, h, w) = options["blocksize"], arrays[0].shape
    if not size or options["mode"] not in ("DCR", "CRD"):
        raise node.malformed(f"blocksize={size}, mode={options['mode']}")
    order = (0, 3, 5, 1, 2, 4) if options["mode"] == "DCR" else (0, 1, 3, 5, 2, 4)
    parts = arrays[0].reshape(b, c, h // size, size, w // size, size).transpose(order)
    return parts.reshape(b, c * size**2, h // size, w // size)


def _trilu(node: Node, arrays: Arrays) -> Any:
    upper = node.options(upper=("int", 1))["upper"]
    if arrays[0].ndim < 2:
        raise node.malformed(f"expected matrices, got {arrays[0].shape}")
    k = 0 if len(arrays) < 2 or arrays[1] is None else scalar(node, arrays[1], "k")
    return (np.triu if upper else np.tril)(arrays[0], k)


OPERATORS: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        "Cast": (_cast, 1, 1),
        "CastLike": (_cast_like, 2, 2),
        "Concat": (_concat, 1, MANY),
        "Constant": (_constant, 0, 0),
        "ConstantOfShape": (_constant_of_shape, 1, 1),
        "DepthToSpace": (_depth_to_space, 1, 1),
        "Dropout": (_dropout, 1, 3),
        "Expand": (_expand, 2, 2),
        "Flatten": (_flatten, 1, 1),
        "Identity": (_identity, 1, 1),
        "Range": (_range, 3, 3),
        "Reshape": (_reshape, 2, 2),
        "Shape": (_shape, 1, 1),
        "Size": (_size, 1, 1),
        "Slice": (_slice, 1, 5),
        "SpaceToDepth": (_space_to_depth, 1, 1),
        "Split": (_split, 1, 2),
        "Squeeze": (_squeeze, 1, 2),
        "Tile": (_tile, 2, 2),
        "Transpose": (_transpose, 1, 1),
        "Trilu": (_trilu, 1, 2),
        "Unsqueeze": (_unsqueeze, 1, 2),
    }
)
