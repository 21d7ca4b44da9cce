"""What a model is called with, at random or from the start, and what is done to it in tests.

- ``zero_state``, ``first_state``, ``random_state``, ``random_input``: the arguments of a call;
- ``map_state``, ``grouped``: the arrays of a state, whatever its structure;
- ``some_rows``: rows of y, which has an axis of time or, after a last state alone, has none;
- ``poison_padding``: NaN into everything past each row's length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rnn_native.spec import (
    ModelSpec,
    Recurrent,
)


def stateful(spec: ModelSpec) -> list[Recurrent]:
    """The Recurrents that carry a state from step to step."""
    return [layer for layer in spec.recurrents if layer.state_names]


def _states(spec: ModelSpec, batch: int, fill: Any) -> Any:
    per_layer = []
    for layer in stateful(spec):
        rows = layer.num_layers * layer.num_directions
        arrays = tuple(fill((rows, batch, size)) for size in layer.state_sizes)
        per_layer.append(arrays if len(arrays) > 1 else arrays[0])
    return per_layer[0] if len(per_layer) == 1 else tuple(per_layer)


def zero_state(spec: ModelSpec, batch: int, *, dtype: DTypeLike = np.float32) -> Any:
    """The model's state, all zeros: ``h``, a tuple such as ``(h, c)``, or a tuple of those for
    several layers, as the API has it."""
    return _states(spec, batch, lambda shape: np.zeros(shape, dtype))


def first_state(spec: ModelSpec, batch: int, *, dtype: DTypeLike = np.float32) -> Any:
    """The state that a call begins with where it states none, structured as ``zero_state``."""
    each = [layer.first_state(batch, layer.input_size) for layer in stateful(spec)]
    arrays = iter([array for state in each for array in state])
    return _states(spec, batch, lambda shape: next(arrays).astype(dtype))


def random_state(
    spec: ModelSpec, batch: int, rng: np.random.Generator, *, dtype: DTypeLike = np.float32
) -> Any:
    """A state uniform in +-1, structured as ``zero_state``."""
    return _states(spec, batch, lambda shape: rng.uniform(-1.0, 1.0, shape).astype(dtype))


def map_state(change: Callable[[NDArray[Any]], Any], state: Any) -> Any:
    """The state with every array replaced by change(array)."""
    if isinstance(state, tuple):
        return tuple(map_state(change, part) for part in state)
    return change(state)


def grouped(spec: ModelSpec, state: Any) -> list[tuple[Any, ...]]:
    """The state as one tuple of arrays per Recurrent layer that has one: ``(h,)``, ``(h, c)`` and
    so on."""
    per_layer = [state] if len(stateful(spec)) == 1 else state
    return [part if isinstance(part, tuple) else (part,) for part in per_layer]


def some_rows(spec: ModelSpec, y: NDArray[Any], which: Any) -> NDArray[Any]:
    """Those rows of y, time first."""
    rows: NDArray[Any] = y[:, which] if spec.return_sequences else y[which]
    return rows


def random_input(
    spec: ModelSpec,
    time: int,
    batch: int,
    rng: np.random.Generator,
    *,
    dtype: DTypeLike = np.float32,
) -> NDArray[Any]:
    """Standard normal [time, batch, input_size], or for an Embedding indices [time, batch]."""
    if spec.takes_indices:
        return rng.integers(0, spec.input_size, (time, batch))
    return rng.standard_normal((time, batch, spec.input_size)).astype(dtype)


def poison_padding(x: NDArray[Any], lengths: Sequence[int]) -> NDArray[Any]:
    """A copy of float x [time, batch, ...] that is NaN past each row's length."""
    poisoned = x.copy()
    for row, length in enumerate(lengths):
        poisoned[length:, row] = np.nan
    return poisoned
