"""Arithmetic that is a layer normalisation, in whatever way exporters write it.

A graph that calculates one by ReduceMean, Sub, Mul, Sqrt and Div is read operator by operator, each
as a layer. Where the last of them comes, ``normalised`` looks back at these layers: what they come
to is (x - mean) / sqrt(variance + epsilon), times and plus numbers of each feature, or it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np

from ...spec import Elementwise, InstanceNorm, LayerNorm, Linear, Scale
from ...spec.layers.combine import Combine
from ...spec.layers.strided import Strided
from .drafts import LinearDraft
from .graph import Anything, Node
from .values import Data, Step, size_of

_PEELED: Final = 4  # numbers that are multiplied and added one behind the other


class _Affine(NamedTuple):
    """scale * core + shift, numbers or vectors of the features."""

    core: Data
    scale: Anything
    shift: Anything


def _peeled(value: Data) -> _Affine:
    """A value without the numbers that it was multiplied by, and those that were added."""
    scale, shift = np.ones(1), np.zeros(1)
    for _ in range(_PEELED):
        numbers = _NUMBERS.get(type(value.draft), lambda draft: None)(value.draft)
        if numbers is None:
            break
        scale, shift = scale * numbers[0], scale * numbers[1] + shift
        assert value.step is not None
        (value,) = value.step.inputs
    return _Affine(value, scale, shift)


def _of_elementwise(draft: Elementwise) -> tuple[Any, Any] | None:
    is_affine = draft.function == "affine"
    return (np.array([draft.alpha]), np.array([draft.beta])) if is_affine else None


def _of_scale(draft: Scale) -> tuple[Any, Any]:
    return draft.scale, draft.shift


def _of_linear(draft: LinearDraft) -> tuple[Any, Any] | None:
    """Of one feature, which it makes several of."""
    if draft.weight.shape[1] != 1 or draft.activation != "identity":
        return None
    return draft.weight[:, 0], np.zeros(1) if draft.bias is None else draft.bias


def _of_view(draft: Strided) -> tuple[Any, Any] | None:
    """Of one feature, which comes several times."""
    return (np.ones(1), np.zeros(1)) if draft.in_features == 1 else None


_NUMBERS: Final[Mapping[type, Callable[[Any], tuple[Any, Any] | None]]] = {
    Elementwise: _of_elementwise,
    Scale: _of_scale,
    LinearDraft: _of_linear,
    Strided: _of_view,
}
"""What a layer multiplies by and adds, by its class."""


def _same_step(one: Data, other: Data) -> bool:
    return one.step is other.step and (one.source, one.last) == (other.source, other.last)


def _same(one: Data, other: Data) -> bool:
    """Whether both are the same numbers: of one step, or of two that do the same with it."""
    if _same_step(one, other):
        return True
    if one.step is None or other.step is None or len(one.step.inputs) != len(other.step.inputs):
        return False
    a, b = one.draft, other.draft
    alike = isinstance(a, Combine) and isinstance(b, Combine) and a == b
    alike = alike or (_is_mean(a) and _is_mean(b))
    # A mean reads no mean, and a difference what are not differences: this comes to an end.
    return alike and all(
        _same_step(p, q) or _same_mean(p, q)
        for p, q in zip(one.step.inputs, other.step.inputs, strict=True)
    )


def _same_mean(one: Data, other: Data) -> bool:
    a, b = _mean_of(one), _mean_of(other)
    return a is not None and b is not None and _same_step(a, b)


def _is_mean(draft: Any) -> bool:
    if not isinstance(draft, Linear) or draft.bias is not None or len(draft.weight) != 1:
        return False
    return bool(np.all(draft.weight == draft.weight.dtype.type(1 / draft.input_size)))


def _mean_of(value: Data) -> Data | None:
    """What it is the mean of."""
    core, scale, shift = _peeled(value)
    if core.step is None or not _is_mean(core.draft) or (scale != 1).any() or shift.any():
        return None
    return core.step.inputs[0]


def _centred(value: Data) -> Data | None:
    """The x of x - mean(x)."""
    if value.step is None or value.draft != Combine("sub"):
        return None
    x, mean = value.step.inputs
    of = _mean_of(mean)
    return x if of is not None and _same(x, of) else None


def _deviation(value: Data) -> tuple[Data, float] | None:
    """The d and epsilon of sqrt(mean(d d) + epsilon)."""
    step, draft = value.step, value.draft
    root = isinstance(draft, Elementwise) and (
        draft.function == "sqrt" or (draft.function == "pow" and draft.alpha == 0.5)
    )
    return _spread(step.inputs[0]) if root and step else None


def _spread(value: Data) -> tuple[Data, float] | None:
    """The d and epsilon of mean(d d) + epsilon."""
    core, scale, shift = _peeled(value)
    if core.step is None or not _is_mean(core.draft) or (scale != 1).any() or shift.size != 1:
        return None
    square = core.step.inputs[0]
    epsilon = float(shift[0])
    if square.step is None or not epsilon > 0:
        return None
    if isinstance(square.draft, Elementwise) and square.draft.function == "pow":
        return (square.step.inputs[0], epsilon) if square.draft.alpha == 2 else None
    if square.draft == Combine("mul") and _same(*square.step.inputs):
        return square.step.inputs[0], epsilon
    return None


def _inverse(value: Data) -> tuple[Data, float] | None:
    """The d and epsilon of 1 / sqrt(mean(d d) + epsilon)."""
    draft, step = value.draft, value.step
    if not isinstance(draft, Elementwise) or step is None:
        return None
    if draft.function == "reciprocal":
        return _deviation(step.inputs[0])
    return _spread(step.inputs[0]) if draft.function == "pow" and draft.alpha == -0.5 else None


class _Normal(NamedTuple):
    """What a normalised value is made of: scale d / sqrt(mean(d d) + epsilon) + shift."""

    d: Data
    of: Data
    epsilon: float
    scale: Anything
    shift: Anything


def _product(left: Data, right: Data) -> _Normal | None:
    """Of a value ``d`` and an inverse deviation, that of ``of``."""
    for d, inverse in ((_peeled(left), _peeled(right)), (_peeled(right), _peeled(left))):
        found = _inverse(inverse.core)
        if found and not d.shift.any() and not inverse.shift.any():
            return _Normal(d.core, *found, d.scale * inverse.scale, np.zeros(1))
    return None


def _quotient(left: Data, right: Data) -> _Normal | None:
    d, deviation = _peeled(left), _peeled(right)
    found = _deviation(deviation.core)
    if not found or d.shift.any() or deviation.shift.any() or (deviation.scale != 1).any():
        return None
    return _Normal(d.core, *found, d.scale, np.zeros(1))


def _total(left: Data, right: Data, sign: float) -> _Normal | None:
    """x / deviation plus or minus mean(x) / deviation: of x - mean(x)."""
    parts = []
    for value, by in ((left, 1.0), (right, sign)):
        core, scale, shift = _peeled(value)
        if core.step is None or core.draft != Combine("mul"):
            return None
        found = _product(*core.step.inputs)
        if found is None:
            return None
        parts.append(
            found._replace(scale=by * scale * found.scale, shift=by * (scale * found.shift + shift))
        )
    for x, mean in (parts, parts[::-1]):
        of = _mean_of(mean.d)
        if of is None or not _same(of, x.d) or x.epsilon != mean.epsilon:
            continue
        shape = np.broadcast_shapes(x.scale.shape, mean.scale.shape)
        opposite = np.broadcast_to(x.scale, shape) == np.broadcast_to(-mean.scale, shape)
        centred = _centred(x.of)
        if opposite.all() and _same(x.of, mean.of) and centred is not None and _same(centred, x.d):
            return x._replace(d=x.of, shift=x.shift + mean.shift)
    return None


def normalised(node: Node, parts: Sequence[Data]) -> Data | None:
    """The LayerNorm that an operator ends which combines two values; None where it does not."""
    if len(parts) != 2:
        return None
    left, right = parts
    finders = {"Mul": _product, "Div": _quotient}
    if node.op in finders:
        found = finders[node.op](left, right)
    elif node.op in ("Add", "Sub"):
        found = _total(left, right, 1.0 if node.op == "Add" else -1.0)
    else:
        return None
    if found is None or not _same(found.d, found.of):
        return None
    x = _centred(found.d)
    of, count = found.d if x is None else x, size_of(found.d.features)
    wide = next((part for part in parts if size_of(part.features) == count), None)
    if count is None or wide is None:
        return None
    dtype = np.float64 if wide.element == "DOUBLE" else np.float32
    weight = _vector(found.scale, 1.0, count, dtype)
    bias = _vector(found.shift, 0.0, count, dtype)
    layer = LayerNorm(count, weight, bias, 1, found.epsilon, subtract_mean=x is not None)
    return Data(of.source, of.element, wide.dims, wide.features, Step(layer, (of,)))


def _vector(numbers: Anything, plain: float, count: int, dtype: Any) -> Anything | None:
    """A number of each feature; None where all of them are ``plain``."""
    if (numbers == plain).all():
        return None
    made: Anything = np.broadcast_to(numbers, (count,)).astype(dtype)
    return made


def with_numbers(node: Node, data: Data, array: Anything) -> Data | None:
    """A LayerNorm, or an InstanceNorm of groups, times or plus a number of each feature, which it
    had none of yet."""
    takes = _TAKES_NUMBERS.get(type(data.draft))
    return takes(node, data, data.draft, array.reshape(-1)) if takes else None


def _layer_norm(node: Node, data: Data, last: LayerNorm, vector: Anything) -> Data | None:
    if len(vector) != last.features or last.bias is not None:
        return None
    plain = last.weight is None or (last.groups > 1 and bool(np.all(last.weight == 1)))
    if node.op == "Mul" and plain:
        return data.instead(replace(last, weight=vector))
    return data.instead(replace(last, bias=vector)) if node.op == "Add" else None


def _instance_norm(node: Node, data: Data, last: InstanceNorm, vector: Anything) -> Data | None:
    """The operator has numbers of each channel, of groups ones and zeros."""
    if last.groups == last.channels or last.positions > 1 or len(vector) != last.channels:
        return None
    if last.bias is None or bool(np.any(last.bias)):
        return None
    if node.op == "Mul" and bool(np.all(last.weight == 1)):
        return data.instead(replace(last, weight=vector))
    return data.instead(replace(last, bias=vector)) if node.op == "Add" else None


_TAKES_NUMBERS: Final[Mapping[type, Callable[..., Data | None]]] = {
    LayerNorm: _layer_norm,
    InstanceNorm: _instance_norm,
}
