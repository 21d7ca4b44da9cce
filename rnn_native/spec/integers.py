"""int8 weights: integers and one scale a row, ``weight = integer * scale`` rounded to float32.

A row that already is such multiples, as of a quantised file, keeps its integers. Any other becomes
127 steps to either side of 0. What comes out depends on the products alone, so that integers and
scales survive being saved as floats. ``src/weights/int8_rows.c`` does the same to a bit.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

LEAST: Final = 2.0**-100
"""A row whose largest weight is smaller is all zero: its scale is 0."""

_MOST: Final = 127
_NEAR: Final = 2.0**-15
"""How far a multiple may be from whole before scales are tried: 128 times two roundings' error."""
_ULPS: Final = 2
_FEW: Final = 16
"""Columns that are looked at first."""


def int8_rows(rows: NDArray[Any]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Integers [n, k] and scales [n] of finite float32 ``rows`` [n, k].

    Example
    -------
    >>> integers, scales = int8_rows(np.float32([[0.5, -1.0, 0.25]]))
    >>> integers.tolist(), scales.tolist()
    ([[2, -4, 1]], [0.25])
    """
    rows = np.ascontiguousarray(rows, np.float32)
    integers = np.zeros(rows.shape, np.int8)
    scales = np.zeros(len(rows), np.float32)
    large = np.abs(rows).max(axis=1, initial=0.0)
    todo = np.flatnonzero(large >= LEAST)
    left = _place(rows, todo, integers, scales)
    steps = (large[left].astype(np.float64) / _MOST).astype(np.float32)[:, None]
    beyond = steps.astype(np.float64) * _MOST > np.finfo(np.float32).max
    steps = np.where(beyond, np.nextafter(steps, np.float32(0)), steps)
    rounded = np.rint(rows[left].astype(np.float64) / steps).clip(-_MOST, _MOST)
    products = np.zeros_like(rows)
    products[left] = (rounded * steps).astype(np.float32)
    _place(products, left, integers, scales)
    return integers, scales


def dequantised(integers: NDArray[np.int8], scales: NDArray[np.float32]) -> NDArray[np.float32]:
    """The float32 weights [n, k] of integers [n, k] and scales [n]."""
    floats = integers.astype(np.float32)
    with np.errstate(over="ignore", under="ignore"):
        floats *= scales[:, None]  # of 8 and 24 bits: rounded once
    return floats


def _place(
    rows: NDArray[np.float32],
    todo: NDArray[np.intp],
    integers: NDArray[np.int8],
    scales: NDArray[np.float32],
) -> NDArray[np.intp]:
    """Fills integers and scales of those rows that are multiples of one number; returns the others.
    Of several such numbers it is the largest, and of its neighbours the smallest."""
    for most in range(1, _MOST + 2):
        if not len(todo):
            break
        near = _are_near(rows[todo, :_FEW], _largest(rows, todo) / most)
        found = todo[near]
        if len(found):
            found = found[_are_near(rows[found], _largest(rows, found) / most)]
        for row in found:
            _place_row(rows[row], most, integers[row], scales[row : row + 1])
        todo = todo[scales[todo] == 0]
    return todo


def _largest(rows: NDArray[np.float32], which: NDArray[np.intp]) -> NDArray[np.float64]:
    largest: NDArray[np.float64] = np.abs(rows[which]).max(axis=1).astype(np.float64)
    return largest


def _are_near(rows: NDArray[np.float32], steps: NDArray[np.float64]) -> NDArray[np.bool_]:
    times = rows / steps[:, None]
    return np.asarray((np.abs(times - np.rint(times)) <= _NEAR).all(axis=1))


def _place_row(
    row: NDArray[np.float32], most: int, integers: NDArray[np.int8], scale: NDArray[np.float32]
) -> None:
    step = float(np.abs(row).max()) / most
    times = np.rint(row / step)
    if times.max() > _MOST:
        return  # 128 is no int8, -128 is
    tried = np.float32(step)
    for _ in range(_ULPS):
        tried = np.nextafter(tried, np.float32(0))
    for _ in range(2 * _ULPS + 1):
        if ((times * float(tried)).astype(np.float32) == row).all():
            integers[:], scale[:] = times, tried
            return
        tried = np.nextafter(tried, np.float32(np.inf))
