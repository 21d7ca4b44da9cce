"""Integers of a matrix chosen by what they do to its products, not each by itself.

Plain rounding moves each weight by half a step at most, as if features had nothing to do with each
other. They have, so that the error of one weight can be made up for by others. Of weights w [k]
that multiply x, which is rounded to x^, the chosen v (integers times one step) make

    sum over the data of (w x - v x^)^2  +  damping |v - w|^2

small. That is (v - t) A (v - t)' and a constant, where A = sum of x^ x^' + damping, and t is the
best v of all numbers, t = w + w M' / A with M = sum of x^ (x - x^)': it makes up for the rounding
of x, as far as that is always the same. Columns are rounded in turn, those of the largest x first,
and the rest takes over the error of each, by the inverse of A: GPTQ (Frantar et al. 2022,
arXiv:2210.17323), with t in the place of w, the asymmetric calibration of Li et al. (2025,
arXiv:2504.02692). Last, each integer becomes the best one beside the others, a few times over:
coordinate descent, as in QuantEase (Behdin et al. 2023, arXiv:2309.01885).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..spec.integers import LEAST, dequantised
from ..spec.layer import Float64
from ..spec.rounding import int8_weight
from .operands import Sums

DAMPING: Final = 0.01
"""In units of the mean of sum of x^ x^ over features, as GPTQ has it. To it comes the square of the
features by the rows: with fewer rows than features the data say nothing of most directions, and
weights that move along these are worse on all other data."""
_MOST: Final = 127
_SWEEPS: Final = 4
"""Of coordinate descent, at most."""
_AT_ONCE: Final = 64
"""Columns between two products with all others."""


def int8_weight_for(weight: NDArray[Any], sums: Sums) -> NDArray[np.float32]:
    """A finite weight [n, k] as int8 with a scale a row is to have it, widened.

    A row stays as it is where it is such integers already, and is rounded plainly where that is as
    good on the data.
    """
    plain = int8_weight(weight)
    wide = weight.astype(np.float64)
    features, rows = len(sums.rounded), max(1, sums.count)
    damping = float(np.trace(sums.rounded)) / features * (DAMPING + (features / rows) ** 2)
    if not damping > 0:
        return plain
    curvature = sums.rounded + damping * np.eye(len(sums.rounded))
    target = wide + np.linalg.solve(curvature, sums.missing @ wide.T).T
    with np.errstate(over="ignore", under="ignore"):
        scales = (np.abs(target).max(axis=1) / _MOST).astype(np.float32)
        has_room = np.isfinite(scales * np.float32(_MOST)) & (scales >= LEAST)
    todo = np.flatnonzero(has_room & (plain != weight.astype(np.float32)).any(axis=1))
    columns, steps = target[todo].T.copy(), scales[todo].astype(np.float64)
    integers = _round_in_turn(columns, curvature, steps)
    _descend(integers, columns, curvature, steps)
    made = dequantised(integers.T.astype(np.int8), scales[todo])
    loss = [_loss(each - wide[todo], wide[todo], sums) for each in (made, plain[todo])]
    better = loss[0] < loss[1]
    plain[todo[better]] = made[better]
    return plain


def _loss(moved: Float64, weight: Float64, sums: Sums) -> Float64:
    """The squared error of each row's products, where it is moved by so much, but a constant."""
    found: Float64 = (moved * (moved @ sums.rounded - 2.0 * weight @ sums.missing.T)).sum(axis=1)
    return found


def _nearest(numbers: Float64) -> Float64:
    return np.rint(numbers).clip(-_MOST, _MOST)


def _round_in_turn(target: Float64, curvature: Float64, steps: Float64) -> Float64:
    """Integers [k, n] of a target [k, n] for steps [n]."""
    order = np.argsort(-np.diag(curvature), kind="stable")
    left, integers = target[order], np.empty_like(target)
    factor = np.linalg.cholesky(np.linalg.inv(curvature[np.ix_(order, order)])).T
    count = len(order)
    for first in range(0, count, _AT_ONCE):
        last = min(first + _AT_ONCE, count)
        errors = np.empty((last - first, len(steps)))
        for i in range(first, last):
            integers[i] = _nearest(left[i] / steps)
            errors[i - first] = (left[i] - integers[i] * steps) / factor[i, i]
            left[i + 1 : last] -= np.outer(factor[i, i + 1 : last], errors[i - first])
        left[last:] -= factor[first:last, last:].T @ errors
    integers[order] = integers.copy()
    return integers


def _descend(integers: Float64, target: Float64, curvature: Float64, steps: Float64) -> None:
    """Makes each of the integers [k, n] the best one beside the others, in place."""
    moved, count = integers * steps - target, len(integers)
    for _ in range(_SWEEPS):
        before = integers.copy()
        for first in range(0, count, _AT_ONCE):
            last = min(first + _AT_ONCE, count)
            slope = curvature[first:last] @ moved
            for i in range(first, last):
                was = integers[i].copy()
                integers[i] = _nearest(was - slope[i - first] / (curvature[i, i] * steps))
                slope += np.outer(curvature[first:last, i], (integers[i] - was) * steps)
            moved[first:last] = integers[first:last] * steps - target[first:last]
        if np.array_equal(before, integers):
            break
