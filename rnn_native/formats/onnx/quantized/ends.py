"""Where quantisers have the scale and the zero point of what they make."""

from __future__ import annotations

from typing import Final

from ..graph import Node

_PLACES: Final = {
    "QGemm": 7, "QLinearAdd": 6, "QLinearAveragePool": 3, "QLinearConcat": 0, "QLinearConv": 6,
    "QLinearGlobalAveragePool": 3, "QLinearLeakyRelu": 3, "QLinearMatMul": 6, "QLinearMul": 6,
    "QLinearReduceMean": 3, "QLinearSigmoid": 3, "QLinearSoftmax": 3, "QuantizeLinear": 1,
}  # fmt: skip
"""Among the inputs, of the scale; the zero point stands behind it."""


def place_of_ends(op: str) -> int | None:
    """Where the scale stands; None for what is no quantiser, or finds one itself."""
    return _PLACES.get(op)


def ends_of(node: Node) -> tuple[str, str] | None:
    """The scale and the zero point, ``""`` for none; None for what is no quantiser."""
    if node.op == "DynamicQuantizeLinear" and len(node.outputs) == 3 and not node.domain:
        return node.outputs[1], node.outputs[2]
    at = place_of_ends(node.op)
    named = [*node.inputs, *[""] * 10]
    return None if at is None else (named[at], named[at + 1])
