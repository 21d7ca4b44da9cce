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

from ..errors import FormatError
from ..spec import Array, ModelSpec
from . import msgpack
from .bfloat16 import widened
from .metadata import read_tensors
from .reading import read_bytes

_FLOATS: Final = {"float64": "<f8", "float32": "<f4", "float16": "<f2", "bfloat16": "<u2"}


def read(path: str | os.PathLike[str], **options: Any) -> ModelSpec:
    """Read a tree of arrays with cells of Flax's; options as of ``plain.from_state_dict`` and
    ``chain.from_state_dict``."""
    return read_all(path, **options)[0]


def read_all(path: str | os.PathLike[str], **options: Any) -> tuple[ModelSpec, dict[str, str]]:
    """The model, and what there is to tell of how its arrays were made."""
    return read_tensors({}, Arrays(read_bytes(path)), **options)


class Arrays(Mapping[str, Array]):
    """Arrays by name: views of ``data`` where possible, float16 and bfloat16 widened to float32.
    One of another type raises ``FormatError`` when it is asked for."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._claims = msgpack.arrays(data)

    def __getitem__(self, name: str) -> Array:
        claim, where = self._claims[name], f"array {name!r:.200}"
        if claim.dtype not in _FLOATS:
            raise FormatError(f"{where}: expected {', '.join(_FLOATS)}; got {claim.dtype!r:.50}")
        dtype = np.dtype(_FLOATS[claim.dtype])
        size, there = math.prod(claim.shape) * dtype.itemsize, claim.end - claim.begin
        if size != there or not size:
            raise FormatError(
                f"{where}: shape {claim.shape} of {claim.dtype} takes {size} bytes, got {there}"
            )
        count = there // dtype.itemsize
        raw: NDArray[Any] = np.frombuffer(self._data, dtype, count, claim.begin)
        array = raw.reshape(claim.shape)
        if claim.dtype == "bfloat16":
            return widened(array)
        return array.astype(np.float32) if claim.dtype == "float16" else array

    def __iter__(self) -> Iterator[str]:
        return iter(self._claims)

    def __len__(self) -> int:
        return len(self._claims)
