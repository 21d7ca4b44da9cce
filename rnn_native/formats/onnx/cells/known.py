"""What can be told of a graph's tensors before any of it is read: who makes them, and which are
constants."""

from __future__ import annotations

from typing import Final

from ....errors import RnnError
from ..evaluate import FUNCTIONS, fold
from ..graph import Anything, Graph, Node
from ..values import Constant, Value

_DEEPEST: Final = 32  # nodes one behind the other that make a constant


class Known:
    """The tensors of a graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.makers: dict[str, Node] = {
            name: node for node in graph.nodes for name in node.outputs if name
        }
        self._constant: dict[str, bool] = {}
        self._arrays: dict[str, Anything | None] = {}

    def is_constant(self, name: str, depth: int = 0) -> bool:
        """Whether the file fixes it: an initializer, or what operators make of such."""
        found = self._constant.get(name)
        if found is None:
            found = name in self.graph.constants
            node = self.makers.get(name)
            if not found and node is not None and not node.domain and depth < _DEEPEST:
                found = node.op in FUNCTIONS and all(
                    self.is_constant(one, depth + 1) for one in node.inputs if one
                )
            self._constant[name] = found
        return found

    def array(self, name: str) -> Anything | None:
        """A constant's numbers; None where it is none, or cannot be read."""
        if name not in self._arrays:
            self._arrays[name] = self._array(name) if self.is_constant(name) else None
        return self._arrays[name]

    def _array(self, name: str) -> Anything | None:
        try:
            if name in self.graph.constants:
                return self.graph.constants[name]
            node = self.makers[name]
            arrays = [self.array(one) if one else None for one in node.inputs]
            missing = any(a is None for a, one in zip(arrays, node.inputs, strict=True) if one)
            results = None if missing else fold(node, arrays)
        except RnnError:
            return None
        return None if results is None else dict(zip(node.outputs, results, strict=False))[name]

    def values(self, node: Node) -> list[Value | None]:
        """The inputs of a node, as far as they are constants."""
        arrays = [self.array(name) if name else None for name in node.inputs]
        return [None if array is None else Constant(array) for array in arrays]
