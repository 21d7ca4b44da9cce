"""The arrays of a layer: a form that nobody changes, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import as_array
from ..errors import DTypeError, ShapeError

Array = NDArray[np.floating[Any]]


def as_weight(where: str, value: ArrayLike) -> Array:
    """A C-contiguous, native-endian float32 or float64 array of ``value``, which nobody can write
    to: a copy, unless ``value`` is such an array itself.

    float16 and bfloat16 widen to float32; every other element type is refused with a ``DTypeError``
    that names the array.
    """
    array = as_array(where, value)
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        raise DTypeError(f"{where}: expected float32 or float64 weights, got {array.dtype}")
    dtype = np.float64 if array.dtype.itemsize == 8 else np.float32
    made: Array = np.ascontiguousarray(array, dtype)
    if not (made.flags.aligned and _is_unchangeable(made)):
        made = np.frombuffer(made.tobytes(), dtype)
    return made.reshape(array.shape)


def _is_unchangeable(array: NDArray[Any]) -> bool:
    """Whether the memory is that of a ``bytes`` object, as files are read into, which nobody can
    write to; and most of it, so that it does not keep alive much that is not needed."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    return type(owner) is bytes and 2 * array.nbytes >= len(owner)


def as_weights(
    where: str, given: Mapping[str, ArrayLike], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, Array]:
    """The arrays of these names and shapes, in their order, each as :func:`as_weight` has it;
    ``ShapeError`` where the names are others."""
    missing = [name for name in shapes if name not in given]
    unknown = [name for name in given if name not in shapes]
    if missing or unknown:
        wrong = (("missing", missing), ("unexpected", unknown))
        found = "; ".join(f"{what} {', '.join(names)}" for what, names in wrong if names)
        raise ShapeError(f"{where}: {found}; expected {', '.join(shapes)}")
    return {
        name: expect(name, as_weight(name, given[name]), shape) for name, shape in shapes.items()
    }


def expect(where: str, array: Array, shape: tuple[int, ...]) -> Array:
    if array.shape != shape:
        raise ShapeError(f"{where}: expected shape {shape}, got {array.shape}")
    return array


def brief(thing: object, *parts: object, **options: object) -> str:
    """The repr of what holds arrays: in angle brackets, since no constructor takes it."""
    texts = [*map(repr, parts), *(f"{name}={value!r}" for name, value in options.items())]
    return f"<{type(thing).__name__}: {', '.join(texts)}>"
