"""Operators that are products of matrices."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ..graph import Node
from .common import MANY, Arrays, Entry, limit, show, work


def _matmul(node: Node, arrays: Arrays) -> Any:
    node.options()
    left, right = arrays
    columns = right.shape[-1] if right.ndim > 1 else 1
    products = left.size * columns * prod(right.shape[:-2])
    limit(node, products // max(1, left.shape[-1]), left)
    work(node, products, left)
    return left @ right


def _gemm(node: Node, arrays: Arrays) -> Any:
    options = node.options(
        alpha=("float", 1.0), beta=("float", 1.0), transA=("int", 0), transB=("int", 0)
    )
    left = arrays[0].T if options["transA"] else arrays[0]
    right = arrays[1].T if options["transB"] else arrays[1]
    if left.ndim != 2 or right.ndim != 2 or left.dtype.kind != "f":
        raise node.unsupported(f"expected matrices of floats, got {show(arrays)}")
    limit(node, left.shape[0] * right.shape[1], left)
    work(node, left.size * right.shape[1], left)
    product = options["alpha"] * (left @ right)
    if len(arrays) > 2 and arrays[2] is not None:
        product = product + options["beta"] * arrays[2]
    return product.astype(left.dtype)


def _einsum(node: Node, arrays: Arrays) -> Any:
    equation = node.options(equation=("string", ""))["equation"]
    return np.einsum(equation, *arrays, optimize=True)


OPERATORS: Final[Mapping[str, Entry]] = MappingProxyType(
    {"Einsum": (_einsum, 1, MANY), "Gemm": (_gemm, 2, 3), "MatMul": (_matmul, 2, 2)}
)
