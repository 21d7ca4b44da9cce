"""Operators that compare, and that choose by what was compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ..graph import Node
from .common import Arrays, Entry, Function, limit


def _of_two(function: Callable[[Any, Any], Any]) -> Function:
    def calculate(node: Node, arrays: Arrays) -> Any:
        node.options()
        limit(node, prod(np.broadcast_shapes(arrays[0].shape, arrays[1].shape)), arrays[0])
        return function(arrays[0], arrays[1])

    return calculate


def _not(node: Node, arrays: Arrays) -> Any:
    node.options()
    return np.logical_not(arrays[0])


def _is_nan(node: Node, arrays: Arrays) -> Any:
    node.options()
    return np.isnan(arrays[0])


def _is_infinite(node: Node, arrays: Arrays) -> Any:
    options = node.options(detect_negative=("int", 1), detect_positive=("int", 1))
    x = arrays[0]
    found = np.isposinf(x) if options["detect_positive"] else np.zeros(x.shape, np.bool_)
    return found | np.isneginf(x) if options["detect_negative"] else found


def _where(node: Node, arrays: Arrays) -> Any:
    node.options()
    limit(node, prod(np.broadcast_shapes(*(array.shape for array in arrays))), *arrays)
    return np.where(arrays[0], arrays[1], arrays[2])


OPERATORS: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        "And": (_of_two(np.logical_and), 2, 2),
        "Equal": (_of_two(np.equal), 2, 2),
        "Greater": (_of_two(np.greater), 2, 2),
        "GreaterOrEqual": (_of_two(np.greater_equal), 2, 2),
        "IsInf": (_is_infinite, 1, 1),
        "IsNaN": (_is_nan, 1, 1),
        "Less": (_of_two(np.less), 2, 2),
        "LessOrEqual": (_of_two(np.less_equal), 2, 2),
        "Not": (_not, 1, 1),
        "Or": (_of_two(np.logical_or), 2, 2),
        "Where": (_where, 3, 3),
        "Xor": (_of_two(np.logical_xor), 2, 2),
    }
)
