"""Attention of steps to steps, as exporters write it: numbers of each two steps of a row, which a
MatMul of two values or an Add makes, until a MatMul weighs a third value by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from ...spec import Attention
from .constants import axes_of, axis_of
from .graph import Node
from .layout import arranged
from .roles import Roles
from .values import Constant, Data, Pairs, Step, Value, live, show, size_of

Values = Sequence[Value | None]


def read(node: Node, inputs: Values, roles: Roles) -> Value | None:
    """What an operator makes of pairs, or the pairs that it makes of values; None where it is
    about neither."""
    first = next((value for value in inputs if isinstance(value, Pairs)), None)
    if first is not None:
        reader = _READERS.get(node.op)
        if reader is None:
            raise node.unsupported("of a number of each two steps: no attention that is known")
        return reader(node, first, inputs, roles)
    if len(inputs) != 2 or not all(isinstance(value, Data) for value in inputs):
        return None
    one, other = (value for value in inputs if isinstance(value, Data))
    if node.op == "MatMul" and _is_features(one, -1) and not _is_features(other, -1):
        node.options()
        return _products(node, one, other, roles)
    if node.op == "Add" and len(one.dims) == len(other.dims) == 4:
        return _sums(node, one, other, roles)
    return None


def _is_features(data: Data, at: int) -> bool:
    dim = live(data.dims[at]) if data.dims else ()
    return bool(dim) and all(axis in data.features for axis in dim)


def _checked(node: Node, data: Data, time: int, roles: Roles) -> Data:
    """A value whose dimension ``time`` is the time, with its heads before the rest of its
    features."""
    data.check_floats(node)
    roles.bind(node, data, 0, "batch")
    roles.bind(node, data, time, "time")
    if roles.lengths is not None:
        raise node.unsupported("in a graph with sequence_lens: it takes the steps beyond as well")
    inside = [dim for i, dim in enumerate(data.dims) if i not in (0, time)]
    return arranged(node, data, tuple(axis for dim in inside for axis in live(dim)))


def _products(node: Node, query: Data, key: Data, roles: Roles) -> Pairs:
    """[batch, time, features] by [batch, features, time], or of several heads, which stand behind
    the batch."""
    rank = len(query.dims)
    if rank not in (3, 4) or len(key.dims) != rank:
        raise node.unsupported(f"multiplies {show(query.dims)} and {show(key.dims)}, values both")
    turned = key.shaped((*key.dims[:-2], key.dims[-1], key.dims[-2]))
    query, key = (_checked(node, data, rank - 2, roles) for data in (query, turned))
    heads = size_of(query.dims[1]) if rank == 4 else 1
    sizes = [size_of(data.features) for data in (query, key)]
    same = rank == 3 or heads == size_of(key.dims[1])
    if heads is None or None in sizes or sizes[0] != sizes[1] or not same:
        raise node.unsupported(f"multiplies {show(query.dims)} and {show(key.dims)}, values both")
    return Pairs(query, key, rank, "products", heads)


def _sums(node: Node, one: Data, other: Data, roles: Roles) -> Pairs | None:
    """[batch, time, 1, features] and [batch, 1, time, features]."""
    places = [
        [i for i in (1, 2) if live(data.dims[i]) and not _is_features(data, i)]
        for data in (one, other)
    ]
    if sorted(places) != [[1], [2]] or not (_is_features(one, 3) and _is_features(other, 3)):
        return None
    query, key = (one, other) if places[0] == [1] else (other, one)
    query = _checked(node, query.shaped((*query.dims[:2], query.dims[3])), 1, roles)
    key = _checked(node, key.shaped((key.dims[0], *key.dims[2:])), 1, roles)
    return Pairs(query, key, 4, "sums")


def _scaled(node: Node, pairs: Pairs, inputs: Values, roles: Roles) -> Value:
    """A product times or by a number."""
    node.options()
    constant = next((value for value in inputs if isinstance(value, Constant)), None)
    first = isinstance(inputs[0], Constant)
    if pairs.stage != "products" or constant is None or constant.array.size != 1:
        raise node.unsupported("of a number of each two steps, other than a scale of products")
    number = float(constant.array.reshape(()))
    if not number > 0 or (first and node.op == "Div"):
        raise node.unsupported(f"a scale of products of {number}")
    return replace(pairs, scale=pairs.scale * (number if node.op == "Mul" else 1 / number))


def _tanh(node: Node, pairs: Pairs, inputs: Values, roles: Roles) -> Value:
    node.options()
    if pairs.stage != "sums":
        raise node.unsupported(f"of {pairs.stage} of each two steps; of sums it is supported")
    return replace(pairs, stage="tanh")


def _softmax(node: Node, pairs: Pairs, inputs: Values, roles: Roles) -> Value:
    axis = node.options(axis=("int", -1 if node.opset >= 13 else 1))["axis"]
    at = axis_of(node, axis, pairs.rank)
    if pairs.stage not in ("products", "scores") or at != pairs.rank - 1:
        raise node.unsupported(f"of {pairs.stage} of each two steps, axis {axis}")
    return replace(pairs, stage="weights")


def _squeeze(node: Node, pairs: Pairs, inputs: Values, roles: Roles) -> Value:
    axes = axes_of(node, inputs, pairs.rank)
    if pairs.stage != "weighed" or axes != [pairs.rank - 1]:
        raise node.unsupported(f"of {pairs.stage} of each two steps, axes {axes}")
    return replace(pairs, stage="scores", rank=pairs.rank - 1)


def _multiplied(node: Node, pairs: Pairs, inputs: Values, roles: Roles) -> Value:
    """A sum's features by a vector; or what the weights make of a value."""
    node.options()
    other = inputs[1]
    if pairs.stage == "tanh" and isinstance(other, Constant):
        if other.array.shape != (size_of(pairs.query.features), 1):
            raise node.unsupported(f"B: expected shape (features, 1), got {other.array.shape}")
        return replace(pairs, stage="weighed", weight=other.array.reshape(-1))
    if pairs.stage != "weights" or not isinstance(other, Data) or len(other.dims) != pairs.rank:
        raise node.unsupported(f"of {pairs.stage} of each two steps")
    value = _checked(node, other, pairs.rank - 2, roles)
    heads = size_of(value.dims[1]) if pairs.rank == 4 else 1
    if heads != pairs.heads:
        raise node.unsupported(f"weighs {show(value.dims)}, of {heads} heads, not {pairs.heads}")
    if pairs.weight is None:
        layer = Attention(pairs.heads, pairs.scale)
    else:
        layer = Attention(weight=pairs.weight)
    step = Step(layer, (pairs.query, pairs.key, value))
    return Data(value.source, value.element, value.dims, value.features, step)


_READERS: Final[Mapping[str, Callable[[Node, Pairs, Values, Roles], Value]]] = {
    "Div": _scaled,
    "Identity": lambda node, pairs, inputs, roles: pairs,
    "Dropout": lambda node, pairs, inputs, roles: pairs,
    "MatMul": _multiplied,
    "Mul": _scaled,
    "Softmax": _softmax,
    "Squeeze": _squeeze,
    "Tanh": _tanh,
}
