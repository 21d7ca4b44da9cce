"""Softmax: of features, of an axis of them, or over time; what it weighs, summed over time, which
is an attention pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import numpy as np

from ...spec import AttentionPool, Reduce, Softmax, SoftmaxOverTime, Strided
from ...spec.layers.combine import Combine
from .constants import axis_of
from .drafts import LinearDraft
from .features import of_features
from .graph import Node
from .layout import arranged
from .roles import Roles
from .values import Data, Dim, Step, Value, live, show, size_of

Values = Sequence[Value | None]


def axis_taken(node: Node, data: Data) -> int:
    """The dimension that a Softmax or LogSoftmax is of."""
    axis = node.options(axis=("int", -1 if node.opset >= 13 else 1))["axis"]
    at = axis_of(node, axis, len(data.dims))
    # Before operator set 13 everything from the axis on is one.
    if node.opset < 13 and any(live(dim) for dim in data.dims[at + 1 :]):
        raise node.unsupported(f"attribute axis={axis} is not the last one")
    return at


def softmax(node: Node, data: Data, at: int, roles: Roles) -> Data:
    """One that is no Linear's activation."""
    log, axes = node.op == "LogSoftmax", live(data.dims[at])
    if of_features(data, at):
        rest = tuple(axis for axis in live(data.features) if axis not in axes)
        data = arranged(node, data, (*rest, *axes))
        groups = size_of(rest)
        if groups is None:
            raise node.unsupported("the file does not say how many features there are")
        return data.then(Softmax(groups, log), data.dims, data.features)
    if not axes:
        raise node.unsupported(f"of dimension {at} of {show(data.dims)}, which is a single number")
    if log:
        raise node.unsupported("over time; Softmax is supported there")
    roles.bind(node, data, at, "time")
    if roles.lengths is not None:
        raise node.unsupported("in a graph with sequence_lens: it takes the steps beyond as well")
    return data.then(SoftmaxOverTime(), data.dims, data.features)


def _weights(data: Data) -> tuple[Data, int] | None:
    """The scores whose softmax over time these are, and of how many features each is."""
    each, step = 1, data.step
    times = None if step is None else _times(step.draft)
    if step is not None and times is not None:
        each, step = times, step.inputs[0].step
    if step is None or not isinstance(step.draft, SoftmaxOverTime):
        return None
    return step.inputs[0], each


def _times(draft: object) -> int | None:
    """How often it gives each feature, one behind the other; None where that is not all it does."""
    if isinstance(draft, Strided):
        each, rest = divmod(draft.output_size, draft.in_features)
        same = not rest and np.array_equal(
            draft.read, np.repeat(np.arange(draft.in_features), each)
        )
        return each if same else None
    if not isinstance(draft, LinearDraft) or draft.bias is not None:
        return None
    weight = draft.weight
    each, rest = divmod(len(weight), weight.shape[1])
    if draft.activation != "identity" or rest:
        return None
    same = np.array_equal(weight, np.repeat(np.eye(weight.shape[1]), each, axis=0))
    return each if same else None


def weighed(data: Data) -> tuple[Data, Data] | None:
    """The values and scores of an attention pool, where this is what it sums over time."""
    if data.step is None or data.step.draft != Combine("mul") or data.padding:
        return None
    for weights, values in (data.step.inputs, data.step.inputs[::-1]):
        found = _weights(weights)
        if found is None:
            continue
        scores, each = found
        count, size = size_of(scores.features), size_of(values.features)
        if count is not None and size == count * each:
            return values, scores
    return None


def summed(node: Node, data: Data, dims: tuple[Dim, ...]) -> Data:
    """The sum of all steps."""
    found = weighed(data)
    if found is None:
        return data.then(Reduce("sum"), dims, data.features)
    values, scores = found
    heads = size_of(scores.features) or 1
    step = Step(AttentionPool(heads), (values, scores))
    return Data(values.source, values.element, dims, data.features, step)


def contracted(node: Node, one: Data, other: Data, roles: Roles) -> Data:
    """MatMul of two values over the time: [batch, n, time] and [batch, time, features], where n is
    features of its own, or 1."""
    if len(one.dims) != 3 or len(other.dims) != 3:
        raise node.unsupported(
            f"multiplies {show(one.dims)} and {show(other.dims)}, values both; only [batch, n, "
            "time] and [batch, time, features] can be"
        )
    for data, time, inside in ((one, 2, 1), (other, 1, 2)):
        data.check_floats(node)
        roles.bind(node, data, 0, "batch")
        axis = roles.bind(node, data, time, "time")
        if live(data.dims[inside]) != live(data.features) or not axis:
            data.check_features(node, inside)
    if roles.lengths is not None:
        raise node.unsupported("in a graph with sequence_lens: it takes the steps beyond as well")
    if live(one.dims[2]) != live(other.dims[1]):
        raise node.unsupported(
            f"multiplies {show(one.dims)} and {show(other.dims)}, whose steps are not the same"
        )
    heads, size = size_of(one.features), size_of(other.features)
    if heads is None or size is None:
        raise node.unsupported("the file does not say how many features there are")
    dims = (one.dims[0], one.dims[2])
    first = _spread(one, Strided(heads, (heads, size), (1, 0)), dims)
    second = _spread(other, Strided(size, (heads, size), (0, 1)), dims)
    both = one.fresh(heads, size)
    step = Step(Combine("mul"), (first, second))
    product = Data(one.source, one.element, (*dims, both), both, step)
    made = summed(node, product, (one.dims[0], both[:1], both[1:]))
    return replace(made, features=both)


def einsum(node: Node, inputs: Values, roles: Roles) -> list[Value]:
    """The sum over time of the products of two values, such as bt,btf->bf or bth,btf->bhf."""
    text = node.options(equation=("string", None))["equation"] or ""
    left, arrow, made = text.replace(" ", "").partition("->")
    terms = left.split(",")
    data = [value for value in inputs if isinstance(value, Data)]
    if not arrow or len(data) != 2 or len(terms) != 2 or "." in text:
        raise node.unsupported(f"equation {text}: expected two values of the graph, and ->")
    for term, value in zip(terms, data, strict=True):
        if len({*term}) != len(term) or len(term) != len(value.dims):
            raise node.unsupported(f"equation {text}: {term} of {show(value.dims)}")
    shared = [c for c in terms[0] if c in terms[1]]
    time, batch = ([c for c in shared if (c in made) == kept] for kept in (False, True))
    own = ["".join(c for c in term if c not in shared) for term in terms]
    if len(time) != 1 or len(batch) != 1 or any(len(one) > 1 for one in own):
        raise node.unsupported(f"equation {text}: expected a sum over the time, of each row")
    turned = []
    for term, value, inside, first in zip(terms, data, own, (True, False), strict=True):
        dims = {c: value.dims[term.index(c)] for c in term}
        rest = dims[inside] if inside else ()
        order = (rest, dims[time[0]]) if first else (dims[time[0]], rest)
        turned.append(value.shaped((dims[batch[0]], *order)))
    found = contracted(node, turned[0], turned[1], roles)
    places = dict(zip((batch[0], own[0], own[1]), found.dims, strict=True))
    if {*made} != {batch[0], *own[0], *own[1]} or len(made) != len({*made}):
        raise node.unsupported(f"equation {text}: what it makes")
    return [found.shaped(tuple(places[c] for c in made))]


def _spread(data: Data, view: Strided, dims: tuple[Dim, ...]) -> Data:
    """The features as this view of them, behind these dimensions."""
    if view.output_size == view.in_features:
        return replace(data, dims=(*dims, data.features))
    features = data.fresh(view.output_size)
    return data.then(view, (*dims, features), features)


OPERATORS: Final = MappingProxyType({"Einsum": (einsum, 2, 2)})
"""What reads the operators of this module, how many inputs it needs, and how many there may be."""
