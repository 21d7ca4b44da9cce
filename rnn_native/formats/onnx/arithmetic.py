"""Add, Mul, Sub, Div, Sum, Mean and Neg: a bias, a Merge, values of a graph combined, numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import numpy as np

from ...spec import Elementwise, Merge, Scale
from ...spec.layers.conv import Conv
from .constants import bias_of
from .drafts import LinearDraft, SumDraft, is_product
from .features import of_half
from .graph import Anything, Node
from .joining import elementwise, whole
from .layout import spread
from .merge import merge
from .normal_form import normalised, with_numbers
from .roles import Roles
from .shapes import multiply
from .values import Constant, Data, Half, Value, show, size_of

Values = Sequence[Value | None]
Reader = Callable[[Node, Values, Roles], list[Value]]


def add(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """The bias of the product just before; the halves of a Merge; or any two values."""
    left, right = inputs[0], inputs[1]
    if isinstance(left, Half) and isinstance(right, Half) and left.is_other_of(right):
        node.options()
        return [merge(left, "sum")]
    data, bias = (left, right) if isinstance(left, Data) else (right, left)
    if not (isinstance(data, Data) and isinstance(bias, Constant)):
        return combine(node, inputs, roles)
    draft = data.draft
    channels = _channels(data, draft, bias.array) if isinstance(draft, Conv) else None
    if isinstance(draft, Conv) and channels is not None:
        node.options()
        return [data.instead(replace(draft, bias=channels))]
    if not _takes_bias(data) or not isinstance(draft, (LinearDraft, SumDraft)):
        return combine(node, inputs, roles)
    node.options()
    data.check_features(node, -1)
    if bias.array.ndim > len(data.dims):
        raise node.unsupported(f"its constant of shape {bias.array.shape} adds dimensions")
    vector = bias_of(node, bias, size_of(data.features) or 0)
    return [data.instead(replace(draft, bias=vector))]


def _channels(data: Data, draft: Conv, array: Anything) -> Anything | None:
    """A constant as a number for each channel of a convolution without a bias yet; None where it is
    none."""
    if draft.bias is not None or draft.activation != "identity" or array.dtype.kind != "f":
        return None
    count = draft.out_channels
    if array.ndim > len(data.dims) or size_of(data.features[-1:]) != count:
        return None
    vector = spread(data, array) if array.size >= count else None
    if vector is None:
        return None
    rows = vector.reshape(-1, count)
    return rows[0] if bool((rows == rows[0]).all()) else None


def _takes_bias(data: Data) -> bool:
    """A product; or the sum of values of which one is, as of an RNN's output layer."""
    draft = data.draft
    if not isinstance(draft, SumDraft):
        return is_product(draft)
    assert data.step is not None
    products = any(is_product(value.draft) for value in data.step.inputs)
    return products and draft.bias is None and draft.activation == "identity"


def combine(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """Add, Mul, Sub, Div or Sum of several values; Add, Mul, Sub or Div of one and a constant."""
    node.options()
    parts = [of_half(node, value) if isinstance(value, Half) else value for value in inputs]
    data = [value for value in parts if isinstance(value, Data)]
    if len(data) == len(parts):
        found = normalised(node, data)
        return [elementwise(node, data) if found is None else found]
    constants = [value for value in parts if isinstance(value, Constant)]
    if len(data) != 1 or len(constants) != 1 or len(parts) != 2:
        raise node.unsupported("expected values of the graph, or one and a constant")
    data[0].check_floats(node)
    array, first = constants[0].array, isinstance(parts[0], Constant)
    if array.dtype.kind != "f":
        raise node.malformed(f"its constant is {array.dtype}, its other input of floats")
    if array.ndim > len(data[0].dims):
        raise node.unsupported(f"its constant of shape {array.shape} adds dimensions")
    op = node.op
    if first and op == "Div":  # c / x is c times 1 / x
        data, op = [data[0].then(Elementwise("reciprocal"), data[0].dims, data[0].features)], "Mul"
        if array.size == 1 and array.item() == 1:
            return [data[0]]
    each = array if _fits(data[0], array.shape) else spread(data[0], array)
    if each is not None:
        more = with_numbers(node, data[0], each)
        if more is not None:
            return [more]
    if array.size and (array == array.flat[0]).all() and _fits(data[0], array.shape):
        return [_affine(node, data[0], float(array.flat[0]), first, op)]
    return [_scaled(node, data[0], array, first, op)]


def mean(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """The sum of several values by their number."""
    data = [value for value in inputs if isinstance(value, Data)]
    node.options()
    if len(data) != len(inputs):
        raise node.unsupported("expected values of the graph")
    total = elementwise(node, data)
    return [total if len(data) == 1 else _affine(node, total, 1 / len(data), True, "Mul")]


def _fits(data: Data, shape: Sequence[int]) -> bool:
    """Whether a constant of this shape is a number, or a vector of the features."""
    return all(size == 1 for size in shape) or (
        whole(data) == len(data.dims) - 1
        and shape[-1] == size_of(data.features)
        and all(size == 1 for size in shape[:-1])
    )


def _scaled(node: Node, data: Data, array: Anything, first: bool, op: str) -> Data:
    """Each feature with a number of its own: a Scale, or more of the one right before."""
    if size_of(data.features) == 1 and whole(data) == len(data.dims) - 1:
        return _spread(node, data, array, first, op)
    vector = array.reshape(-1) if _fits(data, array.shape) else spread(data, array)
    if vector is None or array.dtype.kind != "f":
        raise node.unsupported(
            f"its constant of shape {array.shape} is neither a number nor one for each of the "
            f"features of {show(data.dims)}"
        )
    if op == "Div" and not vector.all():
        raise node.unsupported("divides by 0")
    ones, zeros = np.ones_like(vector), np.zeros_like(vector)
    scale = {"Mul": vector, "Div": 1 / (vector if op == "Div" else ones)}.get(op, ones)
    shift = {"Add": vector, "Sub": vector if first else -vector}.get(op, zeros)
    last = data.draft
    if op == "Add" and isinstance(last, Scale) and not last.shift.any():
        return data.instead(Scale(last.scale, shift))
    scale = -scale if first and op == "Sub" else scale
    return data.then(Scale(scale, shift), data.dims, data.features)


def _spread(node: Node, data: Data, array: Anything, first: bool, op: str) -> Data:
    """One feature with a vector, which makes as many: a Linear of a matrix of one column."""
    if any(size != 1 for size in array.shape[:-1]):
        raise node.unsupported(f"its constant of shape {array.shape} is not one of features")
    vector = array.reshape(-1)
    if op == "Div" and not vector.all():
        raise node.unsupported("divides by 0")
    node.contents.budget.take(str(node), 2 * array.nbytes)
    ones = np.ones_like(vector)
    weight = {"Mul": vector, "Div": 1 / vector if op == "Div" else ones}.get(op, ones)
    weight = -weight if first and op == "Sub" else weight
    shift = {"Add": vector, "Sub": vector if first else -vector}.get(op)
    features = data.fresh(len(vector))
    draft = LinearDraft(weight[:, None], shift)
    return data.then(draft, (*data.dims[:-1], features), features)


def _affine(node: Node, data: Data, number: float, first: bool, op: str) -> Data:
    """Of each feature x one of x + number, x * number, x / number, x - number, number - x."""
    if op == "Div" and number == 0:
        raise node.unsupported("divides by 0")
    scale = {"Mul": number, "Div": 1 / number if number else 0.0, "Sub": -1.0 if first else 1.0}
    alpha = scale.get(op, 1.0)
    beta = {"Add": number, "Sub": number if first else -number}.get(op, 0.0)
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
    if isinstance(left, Half) and isinstance(right, Half) and left.is_other_of(right):
        node.options()
        return [merge(left, "mul")]
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
        "Mean": (mean, 1, 1000),
        "Mul": (times, 2, 2),
        "Neg": (negate, 1, 1),
        "Sub": (combine, 2, 2),
        "Sum": (combine, 1, 1000),
    }
)
"""What reads the operators of this module, how many inputs it needs, and how many there may be."""
