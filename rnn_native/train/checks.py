"""Options that are numbers, as callers give them: Python's or NumPy's in, Python's out.

NumPy's scalars are numbers to every user, but not to JSON, which files are described in.
"""

from __future__ import annotations

from math import isfinite
from numbers import Integral, Real
from typing import TypeGuard

import numpy as np

from ..errors import OptionError


def whole(name: str, value: object, least: int) -> int:
    """An integer of at least ``least``; ``OptionError`` for anything else, booleans included."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise OptionError(f"{name}: expected an integer of at least {least}, got {value!r}")
    return int(value)


def flag(name: str, value: object) -> bool:
    """True or False, NumPy's too."""
    if not isinstance(value, (bool, np.bool_)):
        raise OptionError(f"{name}: expected True or False, got {value!r}")
    return bool(value)


def finite(name: str, value: object) -> float:
    if not _is_real(value) or not isfinite(value):
        raise OptionError(f"{name}: expected a finite number, got {value!r}")
    return float(value)


def positive(name: str, value: object) -> float:
    if not _is_real(value) or not 0 < value < float("inf"):
        raise OptionError(f"{name}: expected a finite number above 0, got {value!r}")
    return float(value)


def not_negative(name: str, value: object) -> float:
    if not _is_real(value) or not 0 <= value < float("inf"):
        raise OptionError(f"{name}: expected a finite number of at least 0, got {value!r}")
    return float(value)


def above_zero(name: str, value: object) -> float:
    """Infinity too: of a bound, where it means none."""
    if not _is_real(value) or not value > 0:
        raise OptionError(f"{name}: expected a number above 0, got {value!r}")
    return float(value)


def fraction(name: str, value: object) -> float:
    if not _is_real(value) or not 0 <= value < 1:
        raise OptionError(f"{name}: expected at least 0 and less than 1, got {value!r}")
    return float(value)


def _is_real(value: object) -> TypeGuard[float]:
    return isinstance(value, Real) and not isinstance(value, bool)
