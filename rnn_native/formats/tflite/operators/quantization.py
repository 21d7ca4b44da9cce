"""From integers to the numbers that they stand for, and back: what is read are these numbers, so
that each of both is what it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from ...onnx.tensors import element_code
from ..writer import Writer


def _dequantize(w: Writer) -> None:
    tensor, x = w.tensor(0), w.required(0)
    half = tensor is not None and tensor.element == "FLOAT16"
    w.give(w.add("Cast", x, to=element_code("FLOAT")) if half else x)


def _quantize(w: Writer) -> None:
    w.give(w.required(0))


OPERATORS: Final[Mapping[str, Callable[[Writer], None]]] = MappingProxyType(
    {"DEQUANTIZE": _dequantize, "QUANTIZE": _quantize}
)
