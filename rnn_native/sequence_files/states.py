"""The recurrent state as named arrays of an .npz file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from ..errors import FormatError
from ..spec import ModelSpec
from ..states import flatten, state_counts, state_names, unflatten


def names(spec: ModelSpec) -> list[str]:
    """A name for each array of the state, in order: ``h``, ``c``; in a model of several layers
    with the layer's index, as in a trace: ``1.h``, in a graph with the node's name."""
    return [
        f"{node}.{name}" if len(spec.nodes) > 1 else name
        for node, (layer, _) in spec.nodes.items()
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
    flat = [arrays[name] for name in expected]
    return unflatten(state_counts(spec), flat, state_names(spec))


def to_arrays(spec: ModelSpec, state: Any) -> dict[str, NDArray[Any]]:
    """The inverse of :func:`from_arrays`."""
    return dict(
        zip(names(spec), flatten(state_counts(spec), state, state_names(spec)), strict=True)
    )


def shapes(spec: ModelSpec) -> dict[str, tuple[int, str, int]]:
    """The shape of each array of the state by its name: (rows, "batch", features)."""
    all_shapes = [
        (rows, "batch", size) for shapes in spec.state_shapes.values() for rows, size in shapes
    ]
    return dict(zip(names(spec), all_shapes, strict=True))
