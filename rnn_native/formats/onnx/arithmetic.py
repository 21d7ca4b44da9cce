"""Add, Mul, Sub, Div, Sum and Neg: a bias, a Merge, values of a graph combined, numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ...spec import Elementwise, Merge
from .constants import bias_of
from .drafts import LinearDraft, SumDraft, is_product
from .features import of_half
from .graph import Node
from .joining import MODES, elementwise
from .merge import merge
from .shapes import multiply
from .values import Constant, Data, Half, Roles, Value, size_of

Values = Sequence[Value | None]
Reader = Callable[[Node, Values, Roles], list[Value]]


def add(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """The bias of the product just before; the halves of a Merge; or any two values."""
    left, right = inputs[0], inputs[1]
    if isinstance(left, Half) and isinstance(right, Half) and left.data == right.data:
        node.options()
        return [merge(node, left, right, "sum")]
    data, bias = (left, right) if isinstance(left, Data) else (right, left)
    if not (isinstance(data, Data) and isinstance(bias, Constant)):
        return combine(node, inputs, roles)
    draft = data.draft
    if not _takes_bias(data) or not isinstance(draft, (LinearDraft, SumDraft)):
        return combine(node, inputs, roles)
    node.options()
    data.check_features(node, -1)
    if bias.array.ndim > len(data.dims):
        raise node.unsupported(f"its constant of shape {bias.array.shape} adds dimensions")
    vector = bias_of(node, bias, size_of(data.features) or 0)
    return [data.instead(replace(draft, bias=vector))]


def _takes_bias(data: Data) -> bool:
    """A product; or the sum of values of which one is, as of an RNN's output layer."""
    draft = data.draft
    if not isinstance(draft, SumDraft):
        return is_product(draft)
    assert data.step is not None
    products = any(is_product(value.draft) for value in data.step.inputs)
    return products and draft.bias is None and draft.activation == "identity"


def combine(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """Add, Mul, Sub or Sum of several values; Add, Mul, Sub or Div of one with a number."""
    node.options()
    parts = [of_half(value) if isinstance(value, Half) else value for value in inputs]
    data = [value for value in parts if isinstance(value, Data)]
    if len(data) == len(parts) and node.op in MODES:
        return [elementwise(node, data)]
    if len(parts) != 2 or len(data) != 1:
        raise node.unsupported("expected values of the graph, or one and a constant number")
    (number,) = [value for value in parts if not isinstance(value, Data)]
    if not isinstance(number, Constant):
        raise node.unsupported("expected values of the graph, or one and a constant number")
    array, first = number.array, parts[0] is number
    if array.size != 1 or array.ndim > len(data[0].dims) or (first and node.op == "Div"):
        raise node.unsupported(
            f"expected two values of the graph, or one and a constant number; got a constant of "
            f"shape {array.shape}"
        )
    data[0].check_floats(node)
    return [_affine(node, data[0], float(array.item()), first)]


def _affine(node: Node, data: Data, number: float, first: bool) -> Data:
    """Of each feature x one of x + number, x * number, x / number, x - number, number - x."""
    if node.op == "Div" and number == 0:
        raise node.unsupported("divides by 0")
    scale = {"Mul": number, "Div": 1 / number if number else 0.0, "Sub": -1.0 if first else 1.0}
    alpha = scale.get(node.op, 1.0)
    beta = {"Add": number, "Sub": number if first else -number}.get(node.op, 0.0)
    last = data.draft
    scaled = isinstance(last, Elementwise) and last.function == "affine" and last.beta == 0
    if scaled and alpha == 1:
        assert isinstance(last, Elementwise)
        return data.instead(Elementwise("affine", last.alpha, beta))
    return data.then(Elementwise("affine", alpha, beta), data.dims, data.features)


def negate(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """-x."""
    node.options()
    data = inputs[0]
    if not isinstance(data, Data):
        raise node.unsupported("expected the data")
    data.check_floats(node)
    return [data.then(Elementwise("affine", -1.0, 0.0), data.dims, data.features)]


def times(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """Mul of two halves; of their sum by 0.5, which is their average; of data; or of shapes."""
    left, right = inputs[0], inputs[1]
    if isinstance(left, Half) and isinstance(right, Half):
        node.options()
        if left.data == right.data and left.which != right.which:
            return [merge(node, left, right, "mul")]
    data, factor = (left, right) if isinstance(left, (Data, Half)) else (right, left)
    if isinstance(data, Data) and isinstance(factor, Constant):
        last = data.draft
        half = factor.array.size == 1 and factor.array.ndim <= len(data.dims)
        if isinstance(last, Merge) and last.mode == "sum" and half and factor.array.item() == 0.5:
            node.options()
            return [data.instead(Merge("ave", last.size))]
    if isinstance(data, (Data, Half)):
        return combine(node, inputs, roles)
    return multiply(node, inputs, roles)


OPERATORS: Final[Mapping[str, tuple[Reader, int, int]]] = MappingProxyType(
    {
        "Add": (add, 2, 2),
        "Div": (combine, 2, 2),
        "Mul": (times, 2, 2),
        "Neg": (negate, 1, 1),
        "Sub": (combine, 2, 2),
        "Sum": (combine, 1, 1000),
    }
)
"""What reads the operators of this module, how many inputs it needs, and how many there may be."""
