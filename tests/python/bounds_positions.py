"""Steps of several positions as rows of their own, with their bounds, and back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from bounds_arithmetic import F64, Approx

Change = Callable[[F64], F64]


def apart(x: Approx, positions: int, change: Change) -> Approx:
    """x [..., positions * size] as what ``change`` makes of [..., positions, size]. Its norm
    is at most that of its components' bounds."""
    value, each = (
        change(a.reshape(*a.shape[:-1], positions, a.shape[-1] // positions))
        for a in (x.value, x.each)
    )
    return Approx(value, each, np.sqrt(np.sum(each**2, axis=-1, keepdims=True)))


def together(x: Approx, change: Change) -> Approx:
    """The inverse: of [..., positions, size], which ``change`` makes of x, [..., positions *
    size]."""
    value, each, norm = change(x.value), change(x.each), change(x.norm)
    shape = (*value.shape[:-2], value.shape[-2] * value.shape[-1])
    norm = np.sqrt(np.sum(norm**2, axis=-2))
    return Approx(value.reshape(shape), each.reshape(shape), norm)
