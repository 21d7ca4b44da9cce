"""Operators that shift and scale by means and variances: those of the file, or of the data."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ..constants import axis_of
from ..graph import Anything, Node
from .common import Arrays, Entry, along, dtype_of, floats, padded


def _batch(node: Node, arrays: Arrays) -> Any:
    """Y = (X - mean) / sqrt(var + epsilon) * scale + B, of each channel."""
    known: dict[str, tuple[str, Any]] = {"epsilon": ("float", 1e-5), "momentum": ("float", 0.9)}
    if node.opset < 9:
        known["spatial"] = ("int", 1)
    if node.opset >= 14:
        known["training_mode"] = ("int", 0)
    options = node.options(**known)
    if options.get("training_mode") or not options.get("spatial", 1) or any(node.outputs[1:]):
        raise node.unsupported("only of inference, of whole channels")
    floats(node, *arrays)
    x = arrays[0]
    axis = min(1, x.ndim - 1)
    scale, shift, mean, variance = (along(array, axis, x.ndim) for array in arrays[1:])
    y = (x - mean) * (scale / np.sqrt(variance + options["epsilon"])) + shift
    return y.astype(x.dtype)


def _instance(node: Node, arrays: Arrays) -> Any:
    """The same with the mean and the variance of each row and channel."""
    epsilon = node.options(epsilon=("float", 1e-5))["epsilon"]
    floats(node, *arrays)
    x, scale, shift = arrays
    y = _standard(x, tuple(range(2, x.ndim)), epsilon)[0]
    return (y * along(scale, 1, x.ndim) + along(shift, 1, x.ndim)).astype(x.dtype)


def _layer(node: Node, arrays: Arrays) -> list[Anything]:
    """The same over all axes from one on, with scales and shifts of their shape."""
    options = node.options(axis=("int", -1), epsilon=("float", 1e-5), stash_type=("int", 1))
    x, scale, shift = padded(arrays, 3)
    floats(node, x, scale)
    axes = tuple(range(axis_of(node, options["axis"], x.ndim), x.ndim))
    wide = np.promote_types(dtype_of(node, options["stash_type"], "stash_type"), x.dtype)
    y, mean, inverse = _standard(x.astype(wide), axes, options["epsilon"])
    y = y.astype(x.dtype) * scale
    return [y if shift is None else (y + shift).astype(x.dtype), mean, inverse]


def _root_mean_square(node: Node, arrays: Arrays) -> Any:
    """x by the root of the mean of its squares over all axes from one on, scaled."""
    options = node.options(axis=("int", -1), epsilon=("float", 1e-5), stash_type=("int", 1))
    x, scale = arrays
    floats(node, x, scale)
    axes = tuple(range(axis_of(node, options["axis"], x.ndim), x.ndim))
    wide = np.promote_types(dtype_of(node, options["stash_type"], "stash_type"), x.dtype)
    squares = np.square(x.astype(wide)).mean(axis=axes, keepdims=True)
    return (x / np.sqrt(squares + options["epsilon"])).astype(x.dtype) * scale


def _group(node: Node, arrays: Arrays) -> Any:
    """The same over some channels of each row."""
    options = node.options(epsilon=("float", 1e-5), num_groups=("int", 0), stash_type=("int", 1))
    if node.opset < 21:
        raise node.unsupported(f"of operator set {node.opset}; only since 21")
    x, scale, shift = arrays
    floats(node, x, scale, shift)
    count = options["num_groups"]
    if count < 1 or x.shape[1] % count:
        raise node.malformed(f"attribute num_groups={count} of X {x.shape}")
    parts = x.reshape(len(x), count, -1)
    y = _standard(parts, (2,), options["epsilon"])[0].reshape(x.shape)
    return (y * along(scale, 1, x.ndim) + along(shift, 1, x.ndim)).astype(x.dtype)


def _standard(
    x: Anything, axes: tuple[int, ...], epsilon: float
) -> tuple[Anything, Anything, Anything]:
    """x with mean 0 and variance 1, its mean, and what it was multiplied with."""
    mean = x.mean(axis=axes, keepdims=True)
    centred = x - mean
    variance = np.square(centred).mean(axis=axes, keepdims=True)
    inverse = (1 / np.sqrt(variance + epsilon)).astype(x.dtype)
    return centred * inverse, mean, inverse


def _of_norm(node: Node, arrays: Arrays) -> Any:
    """x by its L1 or L2 norm along an axis; 0 where that is 0."""
    options = node.options(axis=("int", -1), p=("int", 2))
    x = arrays[0]
    floats(node, x)
    axis = axis_of(node, options["axis"], x.ndim)
    if options["p"] not in (1, 2):
        raise node.malformed(f"attribute p={options['p']}")
    size = np.linalg.norm(x, options["p"], axis, keepdims=True)
    return np.divide(x, size, out=np.zeros_like(x), where=size != 0)


OPERATORS: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        "BatchNormalization": (_batch, 5, 5),
        "GroupNormalization": (_group, 3, 3),
        "InstanceNormalization": (_instance, 3, 3),
        "LayerNormalization": (_layer, 2, 3),
        "LpNormalization": (_of_norm, 1, 1),
        "RMSNormalization": (_root_mean_square, 2, 2),
    }
)
