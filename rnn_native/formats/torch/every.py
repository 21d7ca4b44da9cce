"""Every array of a file of ``torch.save``, in the type that it has there.

A quantized tensor is its integers, beside which are ``NAME.scale`` and ``NAME.zero_point``, of all
or of each channel. A program's constants, of which freezing makes its weights, have the names that
its code has for them, ``CONSTANTS.c0``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from ...errors import FormatError
from ..stored import Stored, gathered
from . import quantized
from .foreign import Foreign, Unread
from .loading import Loaded, load_file
from .numpy_arrays import NumpyArray, NumpyArrays
from .storages import Tensors
from .values import Tensor

Leaf = Tensor | NumpyArray | Foreign | Unread


def every(data: bytes) -> dict[str, Stored]:
    """By the names that reading the file has for them, too."""
    kinds: tuple[type[Any], ...] = (Tensor, NumpyArray)
    found: Loaded[Any] = load_file(data, *kinds)
    named = quantized.renamed(found.flat.named, found.flat.said, whole=True)
    ways = _ways(named, found, data)
    if found.constants is not None:
        constants = found.constants(*kinds)
        constants.order = found.order
        called = {_called(name): leaf for name, leaf in constants.flat.named.items()}
        for name, way in _ways(called, constants, data).items():
            _put(ways, name, way)
    return gathered(ways, lambda name: ways[name]())


def _ways(
    named: Mapping[str, Any], found: Loaded[Any], data: bytes
) -> dict[str, Callable[[], Stored]]:
    """How each array is made, when it is asked for."""
    tensors = Tensors(named, found.fetch, found.order, len(data))
    arrays = NumpyArrays(named, data)
    ways: dict[str, Callable[[], Stored]] = {}
    for name, leaf in named.items():
        of = arrays if isinstance(leaf, NumpyArray) else tensors
        _put(ways, name, partial(of.stored, name))
        by = leaf.quantizer if isinstance(leaf, Tensor) else None
        if by is not None:
            for own, value in (("scale", by.scale), ("zero_point", by.zero)):
                way = partial(_value, tensors, f"{name}.{own}", value)
                _put(ways, f"{name}.{own}", way)
    return ways


def _value(tensors: Tensors, name: str, value: float | Tensor) -> Stored:
    if isinstance(value, Tensor):
        return tensors.numbers(f"tensor {name!r:.200}", value)
    return np.asarray(value)


def _called(name: str) -> str:
    return f"CONSTANTS.c{name}"


def _put(ways: dict[str, Callable[[], Stored]], name: str, way: Callable[[], Stored]) -> None:
    if name in ways:
        raise FormatError(f"the name {name!r:.200} is there twice")
    ways[name] = way
