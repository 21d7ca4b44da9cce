"""How a model is called, as strings of its file: what ``rn.load`` makes a Model with.

Both in any format that we write (docs/file-format.md), each where it is not the default::

    rnn_native.batch_first   true         x and y are [batch, time, features]; otherwise false
    rnn_native.dtype         float64      what is computed in; otherwise float32
    rnn_native.weight_dtype  float16      what weights of matrices are stored as; otherwise the same
    rnn_native.compute       bfloat16     what products have both sides rounded to; otherwise none

``matmul`` and ``num_threads`` belong to the machine that runs a model, and are in no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..errors import FormatError
from ..weight_types import COMPUTES, WEIGHT_DTYPES

BATCH_FIRST: Final = "rnn_native.batch_first"
DTYPE: Final = "rnn_native.dtype"
WEIGHT_DTYPE: Final = "rnn_native.weight_dtype"
COMPUTE: Final = "rnn_native.compute"
KEYS: Final = frozenset({BATCH_FIRST, DTYPE, WEIGHT_DTYPE, COMPUTE})

_FLAGS: Final = {"false": False, "true": True}
_DTYPES: Final = ("float32", "float64")


@dataclass(frozen=True)
class Calling:
    """``Model``'s ``batch_first``, ``dtype``, ``weight_dtype``, ``compute``, with its defaults."""

    batch_first: bool = False
    dtype: str = "float32"
    weight_dtype: str | None = None
    compute: str | None = None

    @property
    def reduced(self) -> dict[str, Any]:
        """Those of a Model that go with its ``dtype`` alone."""
        return {"weight_dtype": self.weight_dtype, "compute": self.compute}


def to_strings(calling: Calling) -> dict[str, str]:
    """The strings: none for what is the default."""
    strings = {}
    if calling.batch_first:
        strings[BATCH_FIRST] = "true"
    if calling.dtype != Calling.dtype:
        strings[DTYPE] = calling.dtype
    if calling.weight_dtype is not None:
        strings[WEIGHT_DTYPE] = calling.weight_dtype
    if calling.compute is not None:
        strings[COMPUTE] = calling.compute
    return strings


def from_strings(strings: Mapping[str, str]) -> Calling:
    """What a file says; the defaults where it says nothing. ``FormatError`` for another value."""
    flag, dtype = strings.get(BATCH_FIRST, "false"), strings.get(DTYPE, Calling.dtype)
    for key, text, known in ((BATCH_FIRST, flag, _FLAGS), (DTYPE, dtype, _DTYPES)):
        if text not in known:
            raise FormatError(f"metadata: {key}: expected {' or '.join(known)}, got {text[:40]!r}")
    weight_dtype = strings.get(WEIGHT_DTYPE)
    if weight_dtype is not None and (weight_dtype not in WEIGHT_DTYPES or dtype != "float32"):
        raise FormatError(
            f"metadata: {WEIGHT_DTYPE}: expected {' or '.join(WEIGHT_DTYPES)} where dtype is "
            f"float32, got {weight_dtype[:40]!r} with {dtype}"
        )
    compute = strings.get(COMPUTE)
    if compute is not None and (compute not in COMPUTES or weight_dtype != compute):
        raise FormatError(
            f"metadata: {COMPUTE}: expected {' or '.join(COMPUTES)}, and {WEIGHT_DTYPE} the same; "
            f"got {compute[:40]!r} with {weight_dtype}"
        )
    return Calling(_FLAGS[flag], dtype, weight_dtype, compute)
