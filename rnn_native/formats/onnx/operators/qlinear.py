"""QLinearMatMul and QLinearConv: products of integers, which a scale makes integers again."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ..graph import Anything, Node
from .common import Arrays, Entry, along, padded, show
from .convolution import sums_of_integers
from .quantization import products_of_integers


def _matmul(node: Node, arrays: Arrays) -> Any:
    """A and B with a scale and a zero point each; those of Y behind them."""
    a, a_scale, a_zero, b, b_scale, b_zero, scale, zero = arrays
    if a_scale.size > 1 and a_scale.ndim == 1:  # of each row
        a_scale = a_scale[:, None]
    sums = products_of_integers(node, [a, b, a_zero, b_zero])
    return _scaled(node, sums, [a_scale, b_scale, scale], zero)


def _conv(node: Node, arrays: Arrays) -> Any:
    """X and W likewise, and a bias with the product of both scales."""
    x, x_scale, x_zero, w, w_scale, w_zero, scale, zero, bias = padded(arrays, 9)
    sums = sums_of_integers(node, [x, w, x_zero, w_zero])
    if bias is not None:
        sums = sums + along(bias, 1, sums.ndim)
    if w_scale.size > 1:
        w_scale = along(w_scale, 1, sums.ndim)
    return _scaled(node, sums, [x_scale, w_scale, scale], zero)


def _scaled(node: Node, sums: Anything, scales: list[Anything], zero: Anything) -> Anything:
    """Sums times both scales by that of the result, rounded to the nearest and to the ends of its
    type."""
    if zero.dtype.name not in ("int8", "uint8"):
        raise node.unsupported(f"to {zero.dtype}; only to int8 and uint8: {show([sums, zero])}")
    left, right, scale = (one.reshape(()) if one.size == 1 else one for one in scales)
    by = (left * right / scale).astype(np.float32)
    made = np.rint(sums.astype(np.float32) * by) + zero.astype(np.float32)
    ends = np.iinfo(zero.dtype)
    rounded: Anything = np.clip(made, ends.min, ends.max).astype(zero.dtype)
    return rounded


OPERATORS: Final[Mapping[str, Entry]] = MappingProxyType(
    {"QLinearConv": (_conv, 8, 9), "QLinearMatMul": (_matmul, 8, 8)}
)
