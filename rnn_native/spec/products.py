"""How equations multiply by a matrix: every product with a weight is made here.

The equations of a layer are given one of these functions, ``dot``: ``dot(x, W)`` is W x of each row
of x, [..., n] of x [..., k] and W [n, k]. Which one it is says what precision the product has; all
around it is float64. Weights come as they are stored (``stored.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..errors import OptionError, UnsupportedError
from .layer import Float64
from .rounding import bfloat16_operand, int8_operand

Dot = Callable[[Float64, Float64], Float64]

COMPUTES: Final = ("bfloat16",)
"""What ``compute=`` takes beside None."""


def exact(x: Float64, weight: Float64) -> Float64:
    """W x, in float64."""
    return x @ weight.T


def of_bfloat16(x: Float64, weight: Float64) -> Float64:
    """Both as bfloat16 (``compute="bfloat16"``)."""
    return bfloat16_operand(x) @ bfloat16_operand(weight).T


def of_int8(x: Float64, weight: Float64) -> Float64:
    """Each row of x as int8 with a scale of its own (``weight_dtype="int8"``)."""
    return int8_operand(x) @ weight.T


def check_compute(weight_dtype: str | None, compute: str | None) -> None:
    """``OptionError`` for an unknown ``compute``, ``UnsupportedError`` for one that does not go
    with the weights' type."""
    if compute is None:
        return
    if compute not in COMPUTES:
        raise OptionError(
            f"compute: expected None (products in dtype) or {' or '.join(COMPUTES)}; "
            f"got {compute!r}"
        )
    if weight_dtype not in (None, compute):
        raise UnsupportedError(
            f"compute={compute!r}: expected weight_dtype None or {compute!r}, which such products "
            f"are made of; got {weight_dtype!r}"
        )


def dot_of(weight_dtype: str | None, compute: str | None) -> Dot:
    """How a Model of these options multiplies; errors of :func:`check_compute`."""
    check_compute(weight_dtype, compute)
    if compute is not None:
        return of_bfloat16
    return of_int8 if weight_dtype == "int8" else exact
