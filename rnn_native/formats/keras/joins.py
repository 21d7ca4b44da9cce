"""What makes one value of several, number by number or side by side: the layers that it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from ...spec import Combine, Elementwise, Layer
from .config import Layer as KerasLayer

Join = Callable[[KerasLayer, int], list[Layer]]


def _concatenate(layer: KerasLayer, count: int) -> list[Layer]:
    return [Combine("concat")]


def _add(layer: KerasLayer, count: int) -> list[Layer]:
    return [Combine("add")]


def _subtract(layer: KerasLayer, count: int) -> list[Layer]:
    return [Combine("sub")]


def _multiply(layer: KerasLayer, count: int) -> list[Layer]:
    return [Combine("mul")]


def _divide(layer: KerasLayer, count: int) -> list[Layer]:
    return [Combine("div")]


def _maximum(layer: KerasLayer, count: int) -> list[Layer]:
    return [Combine("max")]


def _minimum(layer: KerasLayer, count: int) -> list[Layer]:
    return [Combine("min")]


def _average(layer: KerasLayer, count: int) -> list[Layer]:
    return [Combine("add"), Elementwise("affine", 1 / count, 0.0)]


JOINS: Final[Mapping[str, Join]] = MappingProxyType(
    {
        "Add": _add,
        "operator Add": _add,
        "operator Divide": _divide,
        "operator Multiply": _multiply,
        "operator Subtract": _subtract,
        "operator TrueDivide": _divide,
        "Average": _average,
        "Concatenate": _concatenate,
        "Maximum": _maximum,
        "Minimum": _minimum,
        "Multiply": _multiply,
        "Subtract": _subtract,
    }
)
"""What makes one value of several: the layers that it is."""
