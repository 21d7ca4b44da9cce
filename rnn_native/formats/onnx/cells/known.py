"""What can be told of a graph's tensors before any of it is read: who makes them, and which are
constants."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from ....errors import RnnError
from ..constants import axes_of
from ..evaluate import fold
from ..given import MOVES
from ..graph import Anything, Graph, Node
from ..values import Constant, Value

_DEEPEST: Final = 32  # nodes one behind the other that make a constant
_FOLDED: Final = (
    "Cast", "Concat", "Constant", "DequantizeLinear", "Identity", "Reshape", "Slice", "Split",
    "Squeeze", "Transpose", "Unsqueeze",
)  # fmt: skip
"""What makes weights of constants, of about their size: it is made again when the graph is read."""
_ZEROS: Final = ("ConstantOfShape", "Expand", "Tile")
"""What makes a state to begin with, of a shape that may not be known."""


_LEAST: Final = {
    **dict.fromkeys(("Add", "Gather", "Gemm", "MatMul", "Mul", "ReverseSequence", "Sub"), 2),
    **dict.fromkeys(("Constant", "SequenceEmpty"), 0),
}
"""How many inputs an operator needs, where that is not one."""


@dataclass(frozen=True)
class Part:
    """What another tensor is a part of, or has been moved from: ``source`` is None where that is
    zeros or made of shapes; ``rank`` is that of the part, None where it is not known."""

    source: str | None
    rank: int | None


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
                found = node.op in _FOLDED and all(
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

    def part(self, name: str, start: str | None = None) -> Part:
        """Where a tensor comes from; ``start`` comes from nowhere."""
        more, node = 0, None
        for _ in range(_DEEPEST):
            node = None if name == start else self.makers.get(name)
            if node is None or node.domain or node.op not in MOVES:
                break
            change = self._change(node)
            if change is None:
                return Part(name, None)
            more += change
            name = node.inputs[0]
        zeros = node is not None and node.op in _ZEROS and not node.domain
        rank = self._rank(name)
        return Part(None if zeros else name, None if rank is None else rank + more)

    def _change(self, node: Node) -> int | None:
        """By how much one of ``MOVES`` changes the rank."""
        values = self.values(node)
        with suppress(RnnError):
            if node.op == "Gather":
                index = values[1] if len(values) > 1 else None
                return index.array.ndim - 1 if isinstance(index, Constant) else None
            if node.op in ("Squeeze", "Unsqueeze"):
                axes = axes_of(node, values, 64)
                count = 0 if axes is None else len(axes)
                return (count if node.op == "Unsqueeze" else -count) if count else None
            return 0
        return None

    def _rank(self, name: str) -> int | None:
        info = self.graph.inputs.get(name) or self.graph.infos.get(name)
        if info is not None and info.sizes is not None:
            return len(info.sizes)
        array = self.array(name)
        return None if array is None else array.ndim


def is_well_formed(graph: Graph) -> bool:
    """Whether nodes stand behind those that they read, each tensor is made once, and those of ONNX
    have the inputs that they need: what else is wrong is found where it is read."""
    given = {*graph.inputs, *graph.constants}
    made = [name for node in graph.nodes for name in node.outputs if name]
    if len(made) != len(set(made)) or not given.isdisjoint(made):
        return False
    for node in graph.nodes:
        least = 0 if node.domain else _LEAST.get(node.op, 1)
        if len(node.inputs) < least or not all(node.inputs[:least]) or not any(node.outputs):
            return False
        if not all(name in given for name in node.inputs if name):
            return False
        given.update(node.outputs)
    return True
