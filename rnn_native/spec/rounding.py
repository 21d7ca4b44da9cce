"""Numbers as types of fewer bits have them: stored weights, and what is multiplied by these.

Each is the nearest number of the type, and of two as near the even one; what is past its largest
becomes infinite. ``src/weights`` and the kernels do the same to a bit.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .integers import LEAST, dequantised, int8_rows

_BITS: Final = 8  # of a bfloat16's mantissa
_LAST_BIT: Final = -133  # exponent of the smallest number of bfloat16
_LEAST_NORMAL: Final = 2.0**-126
_TOO_LARGE: Final = 2.0**128
_MOST: Final = np.float32(127)


def bfloat16(x: NDArray[Any]) -> NDArray[np.float64]:
    """Each number as a bfloat16, rounded once, of doubles too.

    Example
    -------
    >>> bfloat16(np.array([1.0, 1.00390625, 1.0040, 3.4e38])).tolist()
    [1.0, 1.0, 1.0078125, inf]
    """
    mantissa, exponent = np.frexp(np.asarray(x, np.float64))
    last = np.maximum(exponent - _BITS, _LAST_BIT)
    rounded = np.asarray(np.ldexp(np.rint(np.ldexp(mantissa, exponent - last)), last))
    rounded[np.abs(rounded) >= _TOO_LARGE] *= np.inf
    return rounded


def bfloat16_operand(x: NDArray[Any]) -> NDArray[np.float64]:
    """What of x is multiplied in bfloat16: what is below the least normal number counts as 0."""
    return np.where(np.abs(x) < _LEAST_NORMAL, 0.0, bfloat16(x))


def int8_operand(x: NDArray[Any]) -> NDArray[np.float64]:
    """What of x [..., k] is multiplied by int8 weights: 127 steps to either side of 0, up to the
    largest magnitude of each row of k, in the float32 arithmetic of the kernels.

    A row whose largest is below 2^-100 is zeros; one that has an infinity or a NaN is all NaN.

    Example
    -------
    >>> int8_operand(np.array([[127.0, 1.4, -0.6], [0.0, np.inf, 1.0]])).tolist()
    [[127.0, 1.0, -1.0], [nan, nan, nan]]
    """
    with np.errstate(all="ignore"):
        rows = np.asarray(x).astype(np.float32)
        largest = np.abs(rows).max(axis=-1, keepdims=True, initial=np.float32(0))
        small = largest < LEAST
        inverse = _MOST / np.where(small, np.float32(1), largest)
        steps = np.rint(rows * inverse).astype(np.float64)
        rounded = steps * (largest / _MOST)
    return np.where(small, 0.0, np.where(np.isfinite(largest), rounded, np.nan))


def float16_weight(weight: NDArray[Any]) -> NDArray[np.float32]:
    """A weight as float16 stores it, widened."""
    with np.errstate(over="ignore"):
        return weight.astype(np.float16).astype(np.float32)


def bfloat16_weight(weight: NDArray[Any]) -> NDArray[np.float32]:
    """A weight as bfloat16 stores it, widened."""
    return bfloat16(weight).astype(np.float32)


def int8_weight(weight: NDArray[Any]) -> NDArray[np.float32]:
    """A finite weight [n, k] as int8 with a scale a row stores it, widened."""
    return dequantised(*int8_rows(weight))
