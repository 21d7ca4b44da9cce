"""Arrays of numbers as text that a C compiler reads back bit for bit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ZEROS = re.compile(r"\.?0+p")
_NAMES = {"inf": "INFINITY", "-inf": "-INFINITY", "nan": "NAN"}
_WIDTH = 96  # columns of a line
_LONGEST = {"int8": 6, "uint16": 8, "int32": 13}  # characters of an integer, its comma and a space


def number(value: float, suffix: str = "") -> str:
    """A hexadecimal constant (C11, 6.4.4.2) of exactly that value, or a macro of <math.h>."""
    text = float(value).hex()
    return _NAMES.get(text) or _ZEROS.sub("p", text) + suffix


def lines(array: NDArray[Any]) -> Iterator[str]:
    """The elements in lines of initialisers. A NaN is one, whatever its sign and payload."""
    values = array.reshape(-1)
    if values.dtype.kind in "iu":
        yield from _integers(values)
        return
    suffix = "f" if values.dtype == np.float32 else ""
    per_line = _WIDTH // (16 if suffix else 24)
    finite = bool(np.isfinite(values).all())
    for first in range(0, values.size, per_line):
        texts = [value.hex() for value in values[first : first + per_line].tolist()]
        if not finite:
            texts = [_NAMES.get(text, text + suffix) for text in texts]
            yield _ZEROS.sub("p", ", ".join(texts)) + ","
        else:
            yield _ZEROS.sub("p", f"{suffix}, ".join(texts)) + suffix + ","


def _integers(values: NDArray[Any]) -> Iterator[str]:
    per_line = _WIDTH // _LONGEST[values.dtype.name]
    form = "{:#06x}".format if values.dtype.kind == "u" else str  # bits are easier to read in hex
    for first in range(0, values.size, per_line):
        yield ", ".join(map(form, values[first : first + per_line].tolist())) + ","
