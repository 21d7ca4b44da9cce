"""Every array of a file, in the type that it has there.

NumPy has no bfloat16 and no float8: float32 holds them exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import FormatError, UnsupportedError
from ..warn import warn
from .bfloat16 import widened
from .names import some

Stored = NDArray[Any]

_FEW: Final = 5  # reasons in one message


def gathered(names: Iterable[str], stored: Callable[[str], Stored]) -> dict[str, Stored]:
    """The arrays of these names, none of which can be written to. Of one that NumPy has no type
    for, or that is no array of numbers, a warning says so."""
    found: dict[str, Stored] = {}
    refused: dict[str, str] = {}
    for name in names:
        try:
            found[name] = fixed(stored(name))
        except UnsupportedError as error:
            refused[name] = str(error)
    if refused:
        reasons = list(dict.fromkeys(refused.values()))
        more = f"; and {len(reasons) - _FEW} reasons more" if len(reasons) > _FEW else ""
        warn(
            f"left out: {some([repr(name) for name in refused])}: "
            f"{'; '.join(f'{reason:.300}' for reason in reasons[:_FEW])}{more}"
        )
    return found


def fixed(array: Stored) -> Stored:
    """The same numbers, which cannot be written to."""
    view = array.view()
    view.flags.writeable = False
    return view


def empty(where: str, shape: Sequence[int], dtype: DTypeLike) -> Stored:
    """An array without elements; ``FormatError`` for sizes that no array can have."""
    try:
        return np.zeros(shape, dtype)
    except ValueError as error:
        raise FormatError(f"{where}: no array has the shape {tuple(shape)}") from error


def unpacked(array: Stored) -> Stored:
    """An array with an element type of ``ml_dtypes``, in NumPy's smallest that holds it."""
    name = array.dtype.name
    if array.dtype.kind != "V" and name not in ("int4", "uint4", "int2", "uint2"):
        return array
    if name.startswith("int"):
        return array.astype(np.int8)
    return array.astype(np.uint8 if name.startswith("uint") else np.float32)


FLOAT8: Final = {
    # Bits of exponent and mantissa, bias; how it has infinities and NaN.
    "float8_e4m3fn": (4, 3, 7, "nan"),
    "float8_e5m2": (5, 2, 15, "ieee"),
    "float8_e4m3fnuz": (4, 3, 8, "unsigned zero"),
    "float8_e5m2fnuz": (5, 2, 16, "unsigned zero"),
    "float8_e8m0fnu": (8, 0, 127, "exponents"),
}
"""The types of one byte, as PyTorch calls them."""


def in_float32(kind: str, raw: Stored) -> Stored:
    """What the bytes (of bfloat16, the uint16) of a type stand for."""
    return widened(raw) if kind == "bfloat16" else _table(kind)[raw]


@cache
def _table(kind: str) -> NDArray[np.float32]:
    exponents, mantissas, bias, ends = FLOAT8[kind]
    code = np.arange(256)
    if ends == "exponents":
        table = np.exp2(code.astype(np.float64) - bias)
        table[255] = np.nan
        return table.astype(np.float32)
    mantissa = (code & (2**mantissas - 1)) / 2**mantissas
    exponent = (code >> mantissas) & (2**exponents - 1)
    sign = np.where(code & 128, -1.0, 1.0)
    table = sign * np.where(
        exponent > 0, np.exp2(exponent - bias) * (1 + mantissa), np.exp2(1 - bias) * mantissa
    )
    if ends == "unsigned zero":
        table[128] = np.nan
    elif ends == "nan":
        table[[127, 255]] = np.nan
    else:
        last = exponent == 2**exponents - 1
        table = np.where(last, np.where(mantissa == 0, sign * np.inf, np.nan), table)
    return table.astype(np.float32)
