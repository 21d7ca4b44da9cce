"""Operators of integers that have the scales of what they read and make as inputs: QLinearMatMul,
QLinearConv, and onnxruntime's of the same form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ..graph import Node
from .ends import ends_of
from .floats import Floats


def of_outputs(floats: Floats, node: Node) -> None:
    """A QGemm that makes floats: it leaves their scale out."""
    ends = ends_of(node)
    if ends is not None and not ends[0]:
        floats.rewriting.add(node, "Identity", [_gemm(floats, node)], node.outputs)


def _operands(floats: Floats, node: Node, count: int, first: int = 0) -> list[str]:
    named = [*node.inputs, *[""] * 10]
    return [floats.real(node, named[i : i + 3]) for i in range(first, first + 3 * count, 3)]


def _matmul(floats: Floats, node: Node) -> str:
    a, b = (floats.real(node, node.inputs[i : i + 3], axis=-1) for i in (0, 3))
    return _add(floats, node, "MatMul", [a, b])


def _conv(floats: Floats, node: Node) -> str:
    named = [*node.inputs, ""]
    x, w = (floats.real(node, named[i : i + 3], axis=0) for i in (0, 3))
    bias = [_bias(floats, node, named[8], 1.0)] if named[8] else []
    return _add(floats, node, "Conv", [x, w, *bias], **_plain(node))


def _gemm(floats: Floats, node: Node) -> str:
    named = [*node.inputs, *[""] * 9]
    options = node.options(alpha=("float", 1.0), transA=("int", 0), transB=("int", 0))
    a = floats.real(node, named[:3])
    b = floats.real(node, named[3:6], axis=0 if options["transB"] else 1)
    bias = [_bias(floats, node, named[6], options["alpha"])] if named[6] else []
    return _add(floats, node, "Gemm", [a, b, *bias], **_plain(node))


def _bias(floats: Floats, node: Node, name: str, alpha: float) -> str:
    """Integers with a scale that is the product of those of both operands."""
    x, w = (floats.array(node, node.inputs[i], "scale") for i in (1, 4))
    scale = floats.rewriting.constant(f"{name}/scale", (np.float32(alpha) * x * w).reshape(-1))
    return floats.real(node, (name, scale, ""), axis=0)


def _of(op: str, count: int) -> Callable[[Floats, Node], str]:
    """What is an operator of so many operands, with the same attributes."""

    def made(floats: Floats, node: Node) -> str:
        return _add(floats, node, op, _operands(floats, node, count), **_plain(node))

    return made


def _concat(floats: Floats, node: Node) -> str:
    count = (len(node.inputs) - 2) // 3
    return _add(floats, node, "Concat", _operands(floats, node, count, 2), **_plain(node))


def _plain(node: Node) -> dict[str, Any]:
    """Its attributes, as the operator of floats has them."""
    return {key: value for key, value in node.attributes.items() if key != "opset"}


def _add(floats: Floats, node: Node, op: str, inputs: list[str], **attributes: Any) -> str:
    output = floats.rewriting.name(f"{node.outputs[0]}/float")
    made = replace(
        node, op=op, domain="", inputs=tuple(inputs), outputs=(output,), attributes=attributes
    )
    floats.rewriting.put(made)
    return output


QLINEAR: Final[Mapping[str, Callable[[Floats, Node], str]]] = MappingProxyType(
    {
        "QGemm": _gemm,
        "QLinearAdd": _of("Add", 2),
        "QLinearAveragePool": _of("AveragePool", 1),
        "QLinearConcat": _concat,
        "QLinearConv": _conv,
        "QLinearGlobalAveragePool": _of("GlobalAveragePool", 1),
        "QLinearLeakyRelu": _of("LeakyRelu", 1),
        "QLinearMatMul": _matmul,
        "QLinearMul": _of("Mul", 2),
        "QLinearReduceMean": _of("ReduceMean", 1),
        "QLinearSigmoid": _of("Sigmoid", 1),
        "QLinearSoftmax": _of("Softmax", 1),
    }
)
"""What makes the operator of floats that one stands for; its result is still to be clipped."""
