"""What operators of TensorFlow Lite are in ONNX's, one kind of them a file.

A function adds to a :class:`~..writer.Writer` what stands in the place of the operator that this is
at; what it says of shapes and numbers is in docs/tflite.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from ..writer import Writer
from . import arithmetic, convolution, indexing, moving, quantization, recurrent

OPERATORS: Final[Mapping[str, Callable[[Writer], None]]] = MappingProxyType(
    {
        **arithmetic.OPERATORS,
        **convolution.OPERATORS,
        **indexing.OPERATORS,
        **moving.OPERATORS,
        **quantization.OPERATORS,
        **recurrent.OPERATORS,
    }
)
