"""The bound of products in bfloat16 holds of Arm's, which round to odd: here they are scalar sums.

``tests/c/test_rounded_sums.c`` sees that the instruction's bits are those of the same sums.
"""

from __future__ import annotations

import numpy as np
import pytest
from bounds_arithmetic import F64, Matrix, exact
from bounds_rounded import OfBfloat16, bfloat16


def to_odd(a: F64, b: F64) -> F64:
    """The exact a + b, where it is no float32 the one towards zero, with an odd last bit."""
    total = a + b
    part = total - a
    near = total.astype(np.float32)
    beyond = (total - near) + ((a - (total - part)) + (b - part))
    bits = near.view(np.int32) - ((beyond != 0) & ((beyond > 0) != (near > 0)))
    return np.asarray(bits | (beyond != 0), np.int32).view(np.float32).astype(np.float64)


def bfdot_sum(x: F64, w: F64, bias: F64) -> F64:
    """bias + W x of each row of x, of an even number of columns."""
    products = x[:, None, :] * w
    total = np.broadcast_to(bias, products.shape[:2])
    for k in range(0, x.shape[1], 2):
        total = to_odd(total, to_odd(products[..., k], products[..., k + 1]))
    return total


def part_of_bound(x: F64, w: F64, bias: F64) -> float:
    """The largest error, as a part of what is allowed."""
    allowed = OfBfloat16().dot([(Matrix(w), exact(x))], [bias])
    error = np.abs(bfdot_sum(x, w, bias) - allowed.value)
    return float(np.max(error / allowed.each))


@pytest.mark.parametrize("features", [2, 4, 30, 512])
def test_sums_are_within_the_bound(features: int) -> None:
    rng = np.random.default_rng(features)
    x = bfloat16(np.ldexp(rng.standard_normal((30, features)), rng.integers(-6, 6, (30, features))))
    w = bfloat16(rng.standard_normal((40, features)))
    bias = rng.standard_normal(40).astype(np.float32).astype(np.float64)
    assert part_of_bound(x, w, bias) <= 1
    assert part_of_bound(np.abs(x), np.abs(w), bias) <= 1


def test_an_odd_sum_that_takes_nothing_up_nearly_meets_it() -> None:
    """Each pair is a little less than the last bit of the sum, which stays what it is."""
    features = 2000
    x = np.full((1, features), 2.0**-24 * 255 / 256)
    w = np.ones((1, features))
    bias = np.array([1 + 2.0**-23])
    assert bfdot_sum(x, w, bias) == bias
    assert 0.95 < part_of_bound(x, w, bias) <= 1
