"""Every constant of a TensorFlow Lite file by name, in the type that it has there.

Of integers that stand for other numbers, (q - zero_point) * scale, there are ``NAME.scale`` and
``NAME.zero_point`` beside them, of all or of each slice along an axis. A name that several tensors
have gets that of the subgraph in front, or the tensor's number there: ``main/7``.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from functools import partial

from ...errors import FormatError
from ..stored import Stored, gathered
from .contents import Constants
from .model import SubGraph, Tensor, load


def arrays(path: str | os.PathLike[str]) -> dict[str, Stored]:
    model = load(path)
    contents = Constants(model.size)
    constants = [
        (index, graph, tensor)
        for index, graph in enumerate(model.subgraphs)
        for tensor in graph.tensors
        if tensor.data is not None
    ]
    alone = Counter(tensor.name for _, _, tensor in constants)
    ways: dict[str, Callable[[], Stored]] = {}
    for index, graph, tensor in constants:
        name = tensor.name
        if alone[name] > 1 or not name:
            name = _placed(index, graph, tensor, ways)
        _put(ways, name, partial(contents.stored, tensor))
        if tensor.scale is not None:
            for own in ("scale", "zero"):
                value: Stored = getattr(tensor.scale, own)
                _put(
                    ways, f"{name}.{'zero_point' if own == 'zero' else own}", partial(_same, value)
                )
    return gathered(ways, lambda name: ways[name]())


def _placed(
    index: int, graph: SubGraph, tensor: Tensor, taken: dict[str, Callable[[], Stored]]
) -> str:
    where = graph.name or f"{index}"
    name = f"{where}/{tensor.name}"
    return f"{where}/{tensor.index}" if name in taken or not tensor.name else name


def _same(array: Stored) -> Stored:
    return array


def _put(ways: dict[str, Callable[[], Stored]], name: str, way: Callable[[], Stored]) -> None:
    if name in ways:
        raise FormatError(f"the name {name!r:.200} is there twice")
    ways[name] = way
