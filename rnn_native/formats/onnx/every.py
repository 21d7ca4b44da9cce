"""Every array of an ONNX file by name: initializers, and what nodes called Constant give.

Those in a body of If, Loop or Scan, and in a function of the file, have the name alone too where no
other has it; else the node's name and the attribute before it, ``If_4/then_branch/W``, or that of
the function.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import numpy as np

from ...errors import FormatError, UnsupportedError
from ..stored import Stored, gathered, unpacked
from .graph import MAX_NODES, MAX_TENSORS, bodies_of, parse
from .tensors import Contents, text

_NUMBERS: Final = {
    "value_float": ("f", np.float32), "value_floats": ("floats", np.float32),
    "value_int": ("i", np.int64), "value_ints": ("ints", np.int64),
}  # fmt: skip
_Place = tuple[str, str, Callable[[], Stored]]  # what stands in front, its name, how it is made


def arrays(path: str | os.PathLike[str]) -> dict[str, Stored]:
    """Each in its own type; bfloat16 and float8 as float32, int4 and uint4 as those of 8 bits."""
    model, size = parse(path)
    if not model.graph.node and not model.graph.initializer:
        raise FormatError("not an ONNX model: it has no nodes")
    contents = Contents(os.path.dirname(os.fspath(path)), size)
    places = [place for place in _places(model, contents) if place[1]]
    alone = Counter(name for _, name, _ in places)
    ways: dict[str, Callable[[], Stored]] = {}
    for before, name, way in places:
        whole = name if alone[name] == 1 else f"{before}{name}"
        if whole in ways:
            raise FormatError(f"the name {whole!r:.200} is there twice")
        ways[whole] = way
    return gathered(ways, lambda name: unpacked(ways[name]()))


def _places(model: Any, contents: Contents) -> Iterator[_Place]:
    """All of a file; bounded as a graph that is read is."""
    waiting = [("", model.graph)]
    waiting += [(f"{text(function.name)}/", function) for function in model.functions]
    nodes = tensors = 0
    while waiting:
        before, graph = waiting.pop()
        for tensor in getattr(graph, "initializer", ()):
            name = text(tensor.name)
            yield before, name, partial(contents.array, f"initializer {name!r:.200}", tensor)
        for sparse in getattr(graph, "sparse_initializer", ()):
            yield before, text(sparse.values.name), _sparse
        nodes += len(graph.node)
        tensors += len(getattr(graph, "initializer", ()))
        if nodes > MAX_NODES or tensors > MAX_TENSORS:
            raise UnsupportedError(f"more than {MAX_NODES} nodes, or {MAX_TENSORS} tensors")
        for node in graph.node:
            label = text(node.name) or ", ".join(map(text, node.output))
            if node.op_type == "Constant" and node.domain in ("", "ai.onnx") and node.output:
                name = text(node.output[0])
                yield before, name, partial(_constant, name, node, contents)
            waiting += [(f"{before}{label}/{own}/", body) for own, body in bodies_of(node)]


def _constant(name: str, node: Any, contents: Contents) -> Stored:
    where = f"the Constant {name!r:.200}"
    for attribute in node.attribute:
        own = text(attribute.name)
        if own == "value":
            return contents.array(where, attribute.t)
        if own in _NUMBERS:
            of, dtype = _NUMBERS[own]
            return np.array(getattr(attribute, of), dtype)
    raise UnsupportedError(f"{where}: no numbers, or only those that are not zero")


def _sparse() -> Stored:
    raise UnsupportedError("a tensor of which the file has those numbers that are not zero")
