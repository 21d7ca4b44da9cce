"""The state that a Recurrent begins with where a call states none: zeros, or arrays of its own.

A file has each array as ``h_0``, ``c_0``, ...: the name of the state, and what PyTorch calls its
first value. It is [num_layers * num_directions, features], one row for all rows of a batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ...errors import OptionError, ShapeError
from ..weights import Array, as_weight

_END: Final = "_0"


def array_name(state: str) -> str:
    """What a file calls the first value of a state."""
    return state + _END


def split(arrays: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The weights among the arrays of a layer and, by the names of states, its initial state."""
    weights = {name: array for name, array in arrays.items() if not name.endswith(_END)}
    initial = {n.removesuffix(_END): array for n, array in arrays.items() if n.endswith(_END)}
    return weights, initial or None


def as_initial_state(given: Any, rows: int, sizes: Mapping[str, int]) -> Mapping[str, Array] | None:
    """The initial state by the names of the states, in their order, each [rows, size]; None where
    all of it is zero.

    ``given`` is a mapping by these names, a tuple or list in their order or, where there is one
    state, its array. An array may have an axis of a batch of 1, [rows, 1, size], as the state of a
    call has. Raises ``OptionError`` for another form, ``ShapeError`` and ``DTypeError`` for arrays.
    """
    if given is None:
        return None
    arrays = {
        name: _rows(f"initial_state {name}", array, rows, sizes[name])
        for name, array in _by_name(given, tuple(sizes)).items()
    }
    if not any(array.any() for array in arrays.values()):
        return None
    dtype = np.result_type(*arrays.values())
    missing = {n: as_weight(n, np.zeros((rows, sizes[n]), dtype)) for n in sizes if n not in arrays}
    return MappingProxyType({name: (arrays | missing)[name] for name in sizes})


def _by_name(given: Any, names: tuple[str, ...]) -> Mapping[str, Any]:
    expected = f"expected {', '.join(names)} of a mapping, or a tuple in this order"
    if isinstance(given, Mapping):
        unknown = [repr(name) for name in given if name not in names]
        if unknown or not given:
            raise OptionError(
                f"Recurrent initial_state: {expected}; got {', '.join(unknown) or 'an empty one'}"
            )
        return given
    if isinstance(given, (tuple, list)) and (len(names) > 1 or _is_of_arrays(given)):
        if len(given) != len(names):
            raise OptionError(f"Recurrent initial_state: {expected}; got {len(given)} arrays")
        return dict(zip(names, given, strict=True))
    if len(names) > 1:
        raise OptionError(f"Recurrent initial_state: {expected}; got {type(given).__name__}")
    return {names[0]: given}


def _is_of_arrays(given: Sequence[Any]) -> bool:
    """Whether these are arrays, and not the numbers of one."""
    return any(hasattr(part, "shape") for part in given)


def _rows(where: str, given: Any, rows: int, size: int) -> Array:
    array = as_weight(where, given)
    if array.shape not in ((rows, size), (rows, 1, size)):
        raise ShapeError(
            f"Recurrent {where}: expected shape {(rows, size)}, a row for each layer and "
            f"direction, got {array.shape}"
        )
    return array.reshape(rows, size)
