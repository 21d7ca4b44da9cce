"""The recurrent state as named arrays of an .npz file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from ..errors import FormatError
from ..spec import ModelSpec
from ..states import flatten, state_counts, unflatten


def names(spec: ModelSpec) -> list[str]:
    """A name for each array of the state, in order: ``h``, ``c``; in a model of several layers
    with the layer's index, as in a trace: ``1.h``."""
    return [
        f"{index}.{name}" if len(spec.layers) > 1 else name
        for index, layer in enumerate(spec.layers)
        for name in layer.state_names
    ]


def from_arrays(spec: ModelSpec, where: str, arrays: Mapping[str, NDArray[Any]]) -> Any:
    """The state of these arrays; ``FormatError`` unless they are exactly those it has."""
    expected = names(spec)
    if set(expected) != set(arrays):
        raise FormatError(
            f"{where}: expected the arrays {', '.join(expected) or '(none: no recurrent layer)'}; "
            f"found {', '.join(arrays) or 'none'}"
        )
    return unflatten(state_counts(spec), [arrays[name] for name in expected])


def to_arrays(spec: ModelSpec, state: Any) -> dict[str, NDArray[Any]]:
    """The inverse of :func:`from_arrays`."""
    return dict(zip(names(spec), flatten(state_counts(spec), state), strict=True))


def shapes(spec: ModelSpec) -> dict[str, tuple[int, str, int]]:
    """The shape of each array of the state by its name: (rows, "batch", features)."""
    all_shapes = [
        (layer.state_rows, "batch", size) for layer in spec.stateful for size in layer.state_sizes
    ]
    return dict(zip(names(spec), all_shapes, strict=True))
