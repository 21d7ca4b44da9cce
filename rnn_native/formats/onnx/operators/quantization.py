"""Operators from floats to small integers and back, and products of these integers."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ..constants import axis_of
from ..graph import Anything, Node
from ..tensors import element_name
from .common import Arrays, Entry, dtype_of, floats, limit, padded, work


def _dequantize(node: Node, arrays: Arrays) -> Any:
    """y = (x - zero_point) * scale, each for the whole, along an axis, or in blocks of it."""
    options = node.options(axis=("int", 1), block_size=("int", 0), output_dtype=("int", 0))
    x, scale, zero = padded(arrays, 3)
    dtype = scale.dtype
    if options["output_dtype"]:
        dtype = dtype_of(node, options["output_dtype"], "output_dtype")
    limit(node, x.size, scale)
    whole = x.dtype.kind in "iu" or x.dtype.name in ("int4", "uint4")
    wide = np.int64 if whole else np.float32
    difference = x.astype(wide)
    if zero is not None:
        difference = difference - _spread(node, options, zero.astype(wide), x.shape)
    scaled = difference.astype(scale.dtype) * _spread(node, options, scale, x.shape)
    return scaled.astype(dtype).reshape(x.shape)


def _quantize(node: Node, arrays: Arrays) -> Any:
    """y = x / scale + zero_point, rounded to the nearest and to the ends of its type."""
    options = node.options(
        axis=("int", 1), block_size=("int", 0), output_dtype=("int", 0), saturate=("int", 1),
        precision=("int", 0),
    )  # fmt: skip
    x, scale, zero = padded(arrays, 3)
    dtype = np.dtype(np.uint8) if zero is None else zero.dtype
    if options["output_dtype"]:
        dtype = dtype_of(node, options["output_dtype"], "output_dtype")
    if dtype.name not in ("int8", "uint8", "int16", "uint16") or options["precision"]:
        raise node.unsupported(
            f"to {dtype.name}, precision={element_name(options['precision'])}; "
            "only to int8, uint8, int16 and uint16"
        )
    y = np.rint((x / _spread(node, options, scale, x.shape)).astype(x.dtype))
    if zero is not None:
        y = y + _spread(node, options, zero.astype(x.dtype), x.shape)
    return np.clip(y, np.iinfo(dtype).min, np.iinfo(dtype).max).astype(dtype)


def _spread(node: Node, options: dict[str, Any], values: Anything, shape: tuple[int, ...]) -> Any:
    """Scales or zero points as they broadcast to x."""
    if values.ndim == 0 or (values.shape == (1,) and not options["block_size"]):
        return values.reshape(())
    axis = axis_of(node, options["axis"], len(shape))
    if values.ndim == 1 and not options["block_size"]:
        return values.reshape([-1 if i == axis else 1 for i in range(len(shape))])
    size = options["block_size"]
    if size < 1 or values.shape[axis] * size < shape[axis]:
        raise node.malformed(f"blocks of {size}: scale {values.shape} of {shape}")
    return np.take(values, np.arange(shape[axis]) // size, axis)


def _dynamic(node: Node, arrays: Arrays) -> list[Anything]:
    """x as uint8, its scale and its zero point, which are those of its smallest and largest."""
    node.options()
    (x,) = arrays
    floats(node, x)
    one = x.dtype.type
    low = min(one(0), x.min(initial=one(0)))
    high = max(one(0), x.max(initial=one(0)))
    scale = one(high - low) / one(255)
    safe = scale if scale else one(1)
    zero = np.uint8(np.clip(np.rint(one(0) - low / safe), 0, 255))
    y = np.clip(np.rint(x / safe) + zero, 0, 255).astype(np.uint8)
    return [y, np.asarray(scale), np.asarray(zero)]


def _matmul(node: Node, arrays: Arrays) -> Any:
    """(A - a_zero_point) (B - b_zero_point), in int32."""
    return products_of_integers(node, arrays)


def products_of_integers(node: Node, arrays: Arrays) -> Anything:
    """What two operands come to with the zero points behind them, which may be left out."""
    node.options()
    a, b, a_zero, b_zero = padded(arrays, 4)
    columns = b.shape[-1] if b.ndim > 1 else 1
    products = a.size * columns * prod(b.shape[:-2])
    limit(node, products // max(1, a.shape[-1]), np.empty(0, np.float64))
    work(node, products, np.empty(0))
    left, right = a.astype(np.float64), b.astype(np.float64)
    if a_zero is not None:  # of the whole, or of each row
        left = left - (a_zero[..., None] if a_zero.ndim == 1 and a_zero.size > 1 else a_zero)
    if b_zero is not None:  # of the whole, or of each column
        right = right - b_zero.astype(np.float64)
    made: Anything = (left @ right).astype(np.int32)  # sums below 2**53 are exact
    return made


OPERATORS: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        "DequantizeLinear": (_dequantize, 2, 3),
        "DynamicQuantizeLinear": (_dynamic, 1, 1),
        "MatMulInteger": (_matmul, 2, 4),
        "QuantizeLinear": (_quantize, 2, 3),
    }
)
