"""Which axis of an input is the time, where its shape alone does not say it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from math import prod
from typing import Final, TypeVar

from ...errors import ShapeError, UnsupportedError
from ...spec import ModelSpec
from .graph import Graph, Tensor
from .shape import Shape, starts

Starts = Mapping[Tensor, Shape | None]
_MOST: Final = 16
"""How many ways to read a model are tried."""
Read = TypeVar("Read", bound=ModelSpec)


def with_times(graph: Graph, read: Callable[[Starts], Read]) -> Read:
    """The model that the one way makes to take an axis of each input as the time that later layers
    agree with: a recurrent layer needs the time as its steps, a Reshape may not mix it with
    others. ``UnsupportedError`` where there is none, or more than one."""
    options = {tensor: starts(_of_step(graph, tensor)) for tensor in graph.inputs}
    if prod(map(len, options.values())) > _MOST:
        raise UnsupportedError(f"{_named(options)}: too many axes could be the time")
    ways: list[Starts] = [
        dict(zip(options, way, strict=True)) for way in product(*options.values())
    ]
    if len(ways) == 1:
        return read(ways[0])
    found: list[Read] = []
    problems: list[str] = []
    for way in ways:
        try:
            found.append(read(way))
        except (UnsupportedError, ShapeError) as error:
            axes = [str(s.time + 1) for s in way.values() if s is not None and s.time is not None]
            problems.append(f"with axis {', '.join(axes)} as the time: {error}")
    if not found:
        raise UnsupportedError("; ".join(problems))
    if len(found) > 1:
        raise UnsupportedError(
            f"{_named(options)}: nothing says which axis is the time; expected one of unknown size "
            "(None), or a recurrent layer behind it"
        )
    return found[0]


def _of_step(graph: Graph, tensor: Tensor) -> list[int | None] | None:
    shape = graph.shapes.get(tensor)
    return None if shape is None else shape[1:]


def _named(options: Mapping[Tensor, list[Shape | None]]) -> str:
    texts = [f"{t.layer!r} of shape {ways[0]}" for t, ways in options.items() if len(ways) > 1]
    return f"input {', '.join(texts)}"
