"""Losses: the mean over what counts, and its exact gradient.

Each takes ``y``, what a network gave, as [time, batch, features] or [batch, features], and returns
``(loss, dy)``: a float, and the gradient of it in y's shape and dtype, ready for ``backward``.
Sums run in float64 whatever the type of y.

What counts: with ``lengths`` [batch], the steps before each row's length (y has a time axis then);
with ``mask``, booleans in the shape of y without its features, the places that are True; with both,
what both allow. Anything else has no part in the loss and a gradient of 0, whatever stands there,
NaN included. Where nothing counts, the loss is 0.

With ``weights``, numbers of at least 0 in the shape of the mask, a place counts so many times: the
loss is sum w l / sum w over what counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import as_array
from ..errors import DTypeError, ShapeError

Array = NDArray[np.float64]
Result = tuple[float, NDArray[Any]]
Loss = Callable[..., Result]


def cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    lengths: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> Result:
    """Of a softmax over the features, against one class for each place.

    With p = softmax(a) for the logits a and the class c of a place, N places counting:

    loss = -1/N sum log p_c,   log p_c = a_c - m - log sum_j exp(a_j - m),   m = max_j a_j
    da_j = (p_j - [j = c]) / N

    ``targets``: integers 0 to features - 1, in the shape of the logits without their features.
    """
    a, counts = _output("logits", logits, lengths, mask)
    classes = a.shape[-1]
    labels = as_array("targets", targets)
    if labels.dtype.kind not in "iu":
        raise DTypeError(f"targets: expected integers, got {labels.dtype}")
    _expect("targets", labels, a.shape[:-1])
    wrong = counts & ((labels < 0) | (labels >= classes))
    if wrong.any():
        place = tuple(int(index) for index in np.argwhere(wrong)[0])
        raise ShapeError(f"targets{list(place)}: expected 0..{classes - 1}, got {labels[place]}")

    chosen, label = a[counts], labels[counts]
    rows = np.arange(len(label))
    shifted = chosen - chosen.max(axis=-1, keepdims=True)
    exponentials = np.exp(shifted)
    total = exponentials.sum(axis=-1, keepdims=True)
    terms = np.log(total[:, 0]) - shifted[rows, label]
    gradient = exponentials / total
    gradient[rows, label] -= 1.0
    return _mean(logits, counts, terms, gradient, weights)


def binary_cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    lengths: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> Result:
    """Of a sigmoid for each feature, against a probability (mostly 0 or 1) for each.

    With the logits a and the targets t, both of N counting places times F features::

        loss = 1/(N F) sum max(a, 0) - a t + log(1 + exp(-|a|))
        da = (sigmoid(a) - t) / (N F)

    ``targets``: floats, integers or booleans from 0 to 1, in the shape of the logits.
    """
    a, counts = _output("logits", logits, lengths, mask)
    t = _like("targets", targets, a)[counts]
    wrong = ~((t >= 0) & (t <= 1))  # NaN too
    if wrong.any():
        raise ShapeError(f"targets: expected 0 to 1, got {t[wrong][0]}")
    chosen = a[counts]
    e = np.exp(-np.abs(chosen))
    terms = np.maximum(chosen, 0.0) - chosen * t + np.log1p(e)
    gradient = np.where(chosen >= 0, 1.0, e) / (1.0 + e) - t
    return _mean(logits, counts, terms, gradient, weights)


def mean_squared_error(
    y: ArrayLike,
    targets: ArrayLike,
    lengths: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> Result:
    """loss = 1/(N F) sum (y - t)^2 over N counting places times F features; dy = 2 (y - t)/(N F).

    ``targets``: numbers in the shape of y.
    """
    a, counts = _output("y", y, lengths, mask)
    difference = a[counts] - _like("targets", targets, a)[counts]
    return _mean(y, counts, difference**2, 2.0 * difference, weights)


def _output(
    where: str, y: ArrayLike, lengths: ArrayLike | None, mask: ArrayLike | None
) -> tuple[Array, NDArray[np.bool_]]:
    """y in float64, and which of its places count."""
    array = as_array(where, y)
    if array.dtype.kind != "f":
        raise DTypeError(f"{where}: expected real floats, got {array.dtype}")
    if array.ndim not in (2, 3) or array.shape[-1] == 0:
        raise ShapeError(
            f"{where}: expected [time, batch, features] or [batch, features], got {array.shape}"
        )
    counts = np.ones(array.shape[:-1], dtype=np.bool_)
    if lengths is not None:
        if array.ndim != 3:
            raise ShapeError(f"lengths: expected None where {where} has no time, got a value")
        counts &= steps_within(lengths, *array.shape[:2])
    if mask is not None:
        given = as_array("mask", mask)
        if given.dtype.kind != "b":
            raise DTypeError(f"mask: expected booleans, got {given.dtype}")
        counts &= _expect("mask", given, counts.shape)
    return array.astype(np.float64), counts


def steps_within(lengths: ArrayLike, time: int, batch: int) -> NDArray[np.bool_]:
    """Whether step t of row b comes before the row's length, [time, batch]."""
    array = as_array("lengths", lengths)
    if array.dtype.kind not in "iu":
        raise DTypeError(f"lengths: expected integers, got {array.dtype}")
    _expect("lengths", array, (batch,))
    for row, length in enumerate(array.tolist()):
        if not 0 <= length <= time:
            raise ShapeError(f"lengths[{row}]: expected 0..{time}, got {length}")
    within: NDArray[np.bool_] = np.arange(time)[:, None] < array.astype(np.int64)
    return within


def _like(where: str, value: ArrayLike, y: Array) -> Array:
    array = as_array(where, value)
    if array.dtype.kind not in "fiub":
        raise DTypeError(f"{where}: expected numbers, got {array.dtype}")
    return _expect(where, array, y.shape).astype(np.float64)


def _expect(where: str, array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    if array.shape != shape:
        raise ShapeError(f"{where}: expected shape {shape}, got {array.shape}")
    return array


def _mean(
    y: ArrayLike,
    counts: NDArray[np.bool_],
    terms: Array,
    gradient: Array,
    weights: ArrayLike | None,
) -> Result:
    """The mean of ``terms``, one or one a feature for each place that counts, and its gradient."""
    array = as_array("y", y)
    dy = np.zeros(array.shape, dtype=array.dtype)
    number: float = terms.size
    if weights is not None and number:
        weight = _weights(weights, counts)
        terms = terms * weight.reshape(-1, *[1] * (terms.ndim - 1))
        gradient = gradient * weight[:, None]
        number = float(weight.sum()) * (number / len(weight))
    if number == 0:
        return 0.0, dy
    loss = float(np.sum(terms))
    dy[counts] = gradient / number
    return loss / number, dy


def _weights(weights: ArrayLike, counts: NDArray[np.bool_]) -> Array:
    """Of the places that count, checked."""
    array = as_array("weights", weights)
    if array.dtype.kind not in "fiub":
        raise DTypeError(f"weights: expected numbers, got {array.dtype}")
    chosen = _expect("weights", array, counts.shape)[counts].astype(np.float64)
    wrong = ~((chosen >= 0) & np.isfinite(chosen))
    if wrong.any():
        raise ShapeError(f"weights: expected finite numbers of at least 0, got {chosen[wrong][0]}")
    return chosen
