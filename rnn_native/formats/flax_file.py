"""Flax's ``.msgpack``: a tree of arrays, as ``flax.serialization.to_bytes`` writes it.

The arrays have their names with dots between, ``params.LSTMCell_0.hf.bias``, of which ``flax``
makes the arrays of modules. A file is not trusted: nothing in it is executed, and no array is
longer than its bytes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, UnsupportedError
from ..spec import Array, ModelSpec
from . import msgpack
from .bfloat16 import widened
from .metadata import read_tensors
from .reading import read_bytes
from .stored import FLOAT8, Stored, empty, gathered, in_float32

_PLAIN: Final = {
    name: np.dtype(name).newbyteorder("<").str
    for name in (
        "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
        "float16", "float32", "float64", "complex64", "complex128",
    )
}  # fmt: skip
_FLOATS: Final = {"float64": "<f8", "float32": "<f4", "float16": "<f2", "bfloat16": "<u2"}


def read(path: str | os.PathLike[str], **options: Any) -> ModelSpec:
    """Read a tree of arrays with cells of Flax's; options as of ``plain.from_state_dict`` and
    ``chain.from_state_dict``."""
    return read_all(path, **options)[0]


def read_all(path: str | os.PathLike[str], **options: Any) -> tuple[ModelSpec, dict[str, str]]:
    """The model, and what there is to tell of how its arrays were made."""
    return read_tensors({}, Arrays(read_bytes(path)), **options)


def arrays(path: str | os.PathLike[str]) -> dict[str, Stored]:
    """Every array, in its own type; bfloat16 and float8 as float32."""
    tree = Arrays(read_bytes(path))
    return gathered(tree, tree.stored)


class Arrays(Mapping[str, Array]):
    """Arrays by name: views of ``data`` where possible, float16 and bfloat16 widened to float32.
    One of another type raises ``UnsupportedError`` when it is asked for."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._claims = msgpack.arrays(data)

    def __getitem__(self, name: str) -> Array:
        claim, where = self._claims[name], f"array {name!r:.200}"
        if claim.dtype not in _FLOATS:
            raise UnsupportedError(
                f"{where}: expected {', '.join(_FLOATS)}; got {claim.dtype!r:.50}"
            )
        array = self._raw(where, claim, _FLOATS[claim.dtype])
        if not array.size:
            raise FormatError(f"{where}: shape {claim.shape} of {claim.dtype} takes 0 bytes")
        if claim.dtype == "bfloat16":
            return widened(array)
        return array.astype(np.float32) if claim.dtype == "float16" else array

    def stored(self, name: str) -> Stored:
        """An array in its own type; ``UnsupportedError`` for one that NumPy has not."""
        claim, where = self._claims[name], f"array {name!r:.200}"
        wide = claim.dtype in FLOAT8 or claim.dtype == "bfloat16"
        if not wide and claim.dtype not in _PLAIN:
            raise UnsupportedError(f"{where}: of the type {claim.dtype!r:.50}")
        code = _PLAIN.get(claim.dtype) or ("<u2" if claim.dtype == "bfloat16" else "u1")
        raw = self._raw(where, claim, code)
        return in_float32(claim.dtype, raw) if wide else raw

    def _raw(self, where: str, claim: msgpack.Claim, code: str) -> NDArray[Any]:
        """A view of the bytes of an array."""
        dtype = np.dtype(code)
        size, there = math.prod(claim.shape) * dtype.itemsize, claim.end - claim.begin
        if size != there:
            raise FormatError(
                f"{where}: shape {claim.shape} of {claim.dtype} takes {size} bytes, got {there}"
            )
        if not size:
            return empty(where, claim.shape, dtype)
        count = there // dtype.itemsize
        return np.frombuffer(self._data, dtype, count, claim.begin).reshape(claim.shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._claims)

    def __len__(self) -> int:
        return len(self._claims)
