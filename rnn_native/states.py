"""The recurrent state in the form callers see, and as the flat list of arrays the core takes.

One Recurrent: h_n, or where its cell carries on more than h, a tuple, such as (h_n, c_n) of an
LSTM (``Recurrent.state_names``), each [layers * directions, batch, size].
A model with several: a tuple of those, in the order of its layers; a graph with several, or a model
with other layers that have a state: a dict of those by the names of its nodes. One with none: ().
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import as_array
from .errors import ShapeError
from .spec import ModelSpec

State = NDArray[Any] | tuple[Any, ...]


def _parts(where: str, value: Any, count: int) -> Sequence[Any]:
    if not isinstance(value, (tuple, list)) or len(value) != count:
        came = f"{len(value)}" if isinstance(value, (tuple, list)) else type(value).__name__
        raise ShapeError(f"{where}: expected a tuple of {count} arrays, got {came}")
    return value


def state_counts(spec: ModelSpec) -> tuple[int, ...]:
    """How many arrays the state of each layer that has one has: 1 (h), or more, such as
    2 (h, c) for LSTM."""
    return tuple(len(layer.state_names) for layer in spec.stateful)


def state_names(spec: ModelSpec) -> tuple[str, ...] | None:
    """The names of the layers that have a state, where that is a dict; else None."""
    names = tuple(name for name, node in spec.nodes.items() if node.layer.state_names)
    return names if spec.has_named_state else None


def by_name(names: Sequence[str], state: Any) -> tuple[Any, ...]:
    """The states of the layers of these names, in their order, of a dict of them."""
    if not isinstance(state, Mapping) or set(state) != set(names):
        came = ", ".join(map(repr, state)) if isinstance(state, Mapping) else type(state).__name__
        raise ShapeError(f"state: expected a dict of {', '.join(map(repr, names))}, got {came}")
    return tuple(state[name] for name in names)


def flatten(counts: Sequence[int], state: Any, names: Sequence[str] | None = None) -> list[Any]:
    """The arrays of ``state`` in the core's order; ``ShapeError`` where its form is wrong.
    ``names``: of a graph's layers (:func:`state_names`)."""
    state = state if names is None else by_name(names, state)
    each = [state] if len(counts) == 1 else _parts("state", state, len(counts))
    flat: list[Any] = []
    for index, (count, value) in enumerate(zip(counts, each, strict=True)):
        where = "state" if len(counts) == 1 else f"state[{index}]"
        if count > 1:
            flat.extend(_parts(where, value, count))
        elif isinstance(value, (tuple, list)) and any(hasattr(part, "shape") for part in value):
            raise ShapeError(f"{where}: expected one array, got a {type(value).__name__} of arrays")
        elif value is None or isinstance(value, Mapping):
            raise ShapeError(f"{where}: expected one array, got {type(value).__name__}")
        else:
            flat.append(value)
    return flat


def unflatten(
    counts: Sequence[int], arrays: Sequence[NDArray[Any]], names: Sequence[str] | None = None
) -> Any:
    """The inverse of :func:`flatten`."""
    rest = iter(arrays)
    each = [tuple(next(rest) for _ in range(count)) for count in counts]
    whole = tuple(part[0] if len(part) == 1 else part for part in each)
    if names is not None:
        return dict(zip(names, whole, strict=True))
    return whole[0] if len(counts) == 1 else whole


def joined(
    counts: Sequence[int], arrays: Sequence[NDArray[Any]], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """The arrays of a state, flat, in the order of ``formats.golden``."""
    rest = iter(arrays)
    pieces: list[NDArray[Any]] = []
    for count in counts:
        group = [as_array("state", next(rest)) for _ in range(count)]
        most = max(map(len, group))
        pieces += [a[row].ravel() for row in range(most) for a in group if row < len(a)]
    return np.concatenate([np.zeros(0, dtype), *pieces]).astype(dtype, copy=False)
