"""A golden input and output: what a model is to give for one input, as strings of its file.

The strings, in any format that has a place for strings (docs/file-format.md)::

    rnn_native.golden.x        float32 16,1,8 <base64>     or int32 16,1 for indices
    rnn_native.golden.lengths  int32 1 <base64>            where the call had lengths
    rnn_native.golden.state    float32 64 <base64>         where the call had a state
    rnn_native.golden.y        float32 16,1,74 <base64>
    rnn_native.golden.final    float32 64 <base64>
    rnn_native.golden.error    1.1e-07

Arrays are [time, batch, features], little-endian and row-major. ``state`` and ``final`` are flat,
in an order that does not depend on how layers are stacked: for each layer of each recurrent
layer, for each of its directions, h and what else its cell carries on, each [batch, size].
``verify`` makes and replays them.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, OptionError
from .calling import COMPUTE, WEIGHT_DTYPE

PREFIX: Final = "rnn_native.golden."
ARRAYS: Final = ("x", "lengths", "state", "y", "final")
KEYS: Final = frozenset(f"{PREFIX}{name}" for name in (*ARRAYS, "error"))

MAX_CHARACTERS: Final = 256 * 1024
"""Of all the strings together: a quarter of the longest header that the C core reads."""

_MOST: Final = 2.0**14  # unit roundoffs of measured error: more is no longer a result
_MOST_ROUNDED: Final = 2.0**-4  # the same where what is multiplied is rounded
_OPTIONAL: Final = frozenset({"lengths", "state"})
_FLOATS: Final = ("float32", "float64")
_TEXT = re.compile(
    r"(float32|float64|int32) "
    r"((?:0|[1-9][0-9]{0,9})(?:,(?:0|[1-9][0-9]{0,9})){0,3}) "
    r"([A-Za-z0-9+/]*={0,2})"
)
_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?(e[+-][0-9]{1,3})?")


@dataclass(frozen=True, eq=False)
class Golden:
    """Arguments and results of one call.

    ``y`` and ``final`` have the type that was computed in; floating arguments have it too.
    ``error``: how far the results were from the float64 reference where they were made, in units
    of the largest magnitude of the array, to three digits; at most :func:`largest_error`. The
    reference multiplies the weights that are stored, and rounds nothing else.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    final: NDArray[Any]
    error: float
    lengths: NDArray[Any] | None = None
    state: NDArray[Any] | None = None


def rounds_operands(weight_dtype: str | None, compute: str | None) -> bool:
    """Whether what is multiplied is rounded in such a Model, so that results are off by more."""
    return compute is not None or weight_dtype == "int8"


def largest_error(dtype: np.dtype[Any], rounded: bool = False) -> float:
    """The largest ``Golden.error`` of results of that type; ``rounded``: of rounded operands."""
    return _MOST_ROUNDED if rounded else _MOST * float(np.finfo(dtype).eps) / 2


def to_strings(golden: Golden) -> dict[str, str]:
    """The strings; ``OptionError`` where they would take more than ``MAX_CHARACTERS``."""
    arrays = {name: getattr(golden, name) for name in ARRAYS}
    strings = {f"{PREFIX}{n}": _text(array) for n, array in arrays.items() if array is not None}
    strings[f"{PREFIX}error"] = f"{golden.error:.3g}"
    size = sum(map(len, strings.values()))
    if size > MAX_CHARACTERS:
        shapes = ", ".join(f"{n} {array.shape}" for n, array in arrays.items() if array is not None)
        raise OptionError(
            f"golden: {shapes} take {size} characters, at most {MAX_CHARACTERS} are kept in a "
            "file: choose fewer steps or rows"
        )
    return strings


def from_strings(strings: Mapping[str, str]) -> Golden | None:
    """What :func:`to_strings` made; None where there is nothing of it, ``FormatError`` where it
    is malformed. Strings of others are ignored."""
    own = {key.removeprefix(PREFIX): s for key, s in strings.items() if key.startswith(PREFIX)}
    if not own:
        return None
    required = {*ARRAYS, "error"} - _OPTIONAL
    if not required <= set(own) <= required | _OPTIONAL:
        raise FormatError(
            f"golden: expected {', '.join(sorted(required))}, maybe {', '.join(sorted(_OPTIONAL))};"
            f" found {', '.join(sorted(own)):.200}"
        )
    size = sum(map(len, own.values()))
    if size > MAX_CHARACTERS:
        raise FormatError(f"golden: {size} characters, more than the {MAX_CHARACTERS} allowed")
    arrays = {name: _array(name, own[name]) for name in ARRAYS if name in own}
    text = own["error"]
    if not _NUMBER.fullmatch(text):
        raise FormatError(f"golden: error: expected a number such as 1.1e-07, got {text[:40]!r}")
    golden = Golden(**arrays, error=float(text))
    _check(golden, rounds_operands(strings.get(WEIGHT_DTYPE), strings.get(COMPUTE)))
    return golden


def _check(golden: Golden, rounded: bool) -> None:
    x, y = golden.x, golden.y
    dtype, indices = y.dtype.name, golden.x.dtype == np.int32
    for name in ("y", "final", "state", *(() if indices else ("x",))):
        array = getattr(golden, name)
        if array is not None and (array.dtype.name not in _FLOATS or array.dtype != y.dtype):
            raise FormatError(f"golden: {name}: expected the floats of y, got {array.dtype}")
    if golden.lengths is not None and golden.lengths.dtype != np.int32:
        raise FormatError(f"golden: lengths: expected int32, got {golden.lengths.dtype}")
    if x.ndim != (2 if indices else 3) or x.size == 0 or y.size == 0:
        raise FormatError(
            f"golden: expected some steps and rows; got x {x.shape}, y {dtype} {y.shape}"
        )
    most = largest_error(y.dtype, rounded)
    if golden.error > most:
        raise FormatError(
            f"golden: error: expected at most {most:.3g} for {dtype}, got {golden.error:.3g}"
        )
    for name, array in (("y", y), ("final", golden.final)):
        if not np.isfinite(array).all():
            raise FormatError(f"golden: {name}: expected finite numbers")


def _text(array: NDArray[Any]) -> str:
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    shape = ",".join(map(str, array.shape))
    return f"{array.dtype.name} {shape} {base64.b64encode(little.tobytes()).decode()}"


def _array(name: str, text: str) -> NDArray[Any]:
    match = _TEXT.fullmatch(text)
    try:
        data = base64.b64decode(match[3], validate=True) if match else b""
    except binascii.Error:
        match = None
    if match is None:
        raise FormatError(
            f"golden: {name}: expected 'float32 2,3 <base64>' or the like, got {text[:40]!r}"
        )
    dtype = np.dtype(match[1]).newbyteorder("<")
    shape = tuple(map(int, match[2].split(",")))
    if math.prod(shape) * dtype.itemsize != len(data):
        raise FormatError(
            f"golden: {name}: {match[1]} of shape {shape} takes "
            f"{math.prod(shape) * dtype.itemsize} bytes; there are {len(data)}"
        )
    return np.frombuffer(data, dtype).reshape(shape).astype(match[1])
