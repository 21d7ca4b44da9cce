"""What operators calculate, in NumPy, one kind of them a file.

The operators of https://onnx.ai/onnx/operators/ that models with recurrent layers are written
with, but for RNN, GRU and LSTM, which the core runs, and If, Loop and Scan, which have graphs of
their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from . import (
    convolution,
    indexing,
    logic,
    moving,
    normalization,
    numbers,
    padding,
    pooling,
    products,
    qlinear,
    quantization,
    reductions,
)
from .common import Entry

FUNCTIONS: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        **convolution.OPERATORS,
        **indexing.OPERATORS,
        **logic.OPERATORS,
        **moving.OPERATORS,
        **normalization.OPERATORS,
        **numbers.OPERATORS,
        **padding.OPERATORS,
        **pooling.OPERATORS,
        **products.OPERATORS,
        **qlinear.OPERATORS,
        **quantization.OPERATORS,
        **reductions.OPERATORS,
    }
)
"""Each operator with how many inputs it requires, and how many it may have."""

_OF_DATA: Final = (
    *convolution.OPERATORS, *normalization.OPERATORS, *pooling.OPERATORS, "Einsum", "QLinearConv",
    "Resize",
)  # fmt: skip

FOLDED: Final = frozenset(FUNCTIONS) - frozenset(_OF_DATA)
"""What is calculated of constants while a file is read: the operators that files put weights,
shapes and conditions together with, and that say what they cost before they are begun."""
