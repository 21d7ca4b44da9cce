"""What callers give as arrays: the numbers of it, or a refusal of what numbers alone would lose.

Everything that takes arrays takes them here, so that all of it takes the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DTypeError, ShapeError
from .tensors import array_of, is_tensor


def as_array(where: str, value: Any, any_device: bool = True) -> NDArray[Any]:
    """``value`` as a plain array, which may share its memory.

    Arrays and their subclasses, nested lists, whatever has ``__array__``; PyTorch's tensors without
    their gradients, on another device copied to the CPU or, without ``any_device``, refused.
    bfloat16, a type that NumPy takes from ``ml_dtypes`` alone, becomes float32, which is exact.

    Raises
    ------
    DTypeError
        A masked array, a quantity with a unit or a sparse matrix, alone or in a list: its numbers
        are something else without the mask, the unit or the places. ``where`` is named.
    ShapeError
        Rows of different lengths.
    UnsupportedError
        A tensor without strides, without data or, without ``any_device``, on another device.
    """
    if type(value) is np.ndarray:
        return _widened(value)
    if is_tensor(value):
        return array_of(where, value, any_device)
    value, kind = _numbers(where, value, any_device), type(value).__name__
    try:
        array: NDArray[Any] = np.asarray(value)
    except ValueError as error:
        raise ShapeError(f"{where}: expected an array, got {kind}: {error}") from None
    except (TypeError, RuntimeError) as error:  # of somebody's __array__
        raise DTypeError(f"{where}: expected an array, got {kind}: {error}") from None
    return _widened(array)


def _widened(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind == "V" and array.dtype.name == "bfloat16":
        return array.astype(np.float32)
    return array


def _numbers(where: str, value: Any, any_device: bool) -> Any:
    """``value``, or a list of such; with its tensors as arrays."""
    if isinstance(value, (list, tuple)):
        if all(type(part) in (float, int, bool) for part in value):
            return value
        return [
            array_of(where, part, any_device)
            if is_tensor(part)
            else _numbers(where, part, any_device)
            for part in value
        ]
    kind = type(value)
    if isinstance(value, np.ndarray) and hasattr(kind, "mask"):
        raise DTypeError(
            f"{where}: expected a plain array, got a masked one; masks mean nothing here: give its "
            "filled() and, where rows end early, lengths"
        )
    if hasattr(kind, "tocsr"):
        raise DTypeError(
            f"{where}: expected a dense array, got a sparse {kind.__name__}; give its toarray()"
        )
    if hasattr(kind, "__array__") and (
        hasattr(kind, "units") or (isinstance(value, np.ndarray) and hasattr(kind, "unit"))
    ):
        raise DTypeError(
            f"{where}: expected plain numbers, got a {kind.__name__} with a unit; give its "
            "value in the unit that the model was trained with"
        )
    return value
