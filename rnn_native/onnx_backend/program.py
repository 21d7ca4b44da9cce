"""The nodes of a graph, or of a body inside of one, and what runs them one after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from ..formats.onnx.evaluate import FUNCTIONS, evaluate, fold
from ..formats.onnx.graph import Graph, Node, body_of
from ..formats.onnx.interpret import needed
from . import control
from .cell import INPUTS, Cell, of_weights

Array = NDArray[Any]


class Program:
    """A graph with its constants folded, and its cells packed where their weights are constant.

    ``around`` are the constants that a body sees; ``variable`` are names of the graph's own that
    a caller may give other values.
    """

    def __init__(
        self,
        graph: Graph,
        options: Mapping[str, Any],
        around: Mapping[str, Array] | None = None,
        variable: Sequence[str] = (),
    ) -> None:
        self._options = options
        self.inputs, self.outputs, self.infos = tuple(graph.inputs), graph.outputs, graph.infos
        nodes = needed(graph, graph.outputs, None)
        for node in nodes:
            if node.domain or node.op not in (*INPUTS, *FUNCTIONS, *control.BODIES):
                raise node.unsupported("this operator is not supported")
        used = {*graph.outputs, *(name for node in nodes for name in node.reads)}
        own = {name: graph.constants[name] for name in graph.constants if name in used}
        self.defaults = {name: own.pop(name) for name in variable if name in own}
        self._constants = own
        self._known = {**(around or {}), **own}
        self._cells: dict[Node, Cell] = {}
        self._bodies: dict[Node, dict[str, Program]] = {}
        self._nodes = [node for node in nodes if not self._settled(node)]

    def run(self, values: Mapping[str, Array]) -> list[Array]:
        """The outputs, of values for the inputs and for what is captured."""
        found = {**values, **self._constants}
        for node in self._nodes:
            arrays = [_lookup(node, found, name) for name in node.inputs]
            found.update(zip(node.outputs, self._run(node, arrays, found), strict=False))
        return [_output(found, name) for name in self.outputs]

    def _settled(self, node: Node) -> bool:
        """Does already what can be done without the inputs; True where nothing is left to do."""
        known = self._known
        if node.op in control.BODIES:
            self._bodies[node] = self._prepared_bodies(node)
            return False
        if node.op in FUNCTIONS:
            if any(name and name not in known for name in node.inputs):
                return False
            folded = fold(node, [known.get(name) for name in node.inputs])
            if folded is None:
                return False
            made = dict(zip(node.outputs, folded, strict=False))
            known.update(made)
            self._constants.update(made)
            return True
        names = of_weights(node.inputs)
        if all(not name or name in known for name in names):
            weights = [known.get(name or "") for name in names]
            self._cells[node] = Cell(node, weights, self._options, constant=True)
        return False

    def _prepared_bodies(self, node: Node) -> dict[str, Program]:
        """Of an If whose condition is constant, that of its branch alone."""
        names = control.BODIES[node.op]
        condition = self._known.get(node.inputs[0]) if node.op == "If" and node.inputs else None
        if condition is not None:
            names = (control.branch(node, condition),)
        return {
            name: Program(body_of(node, name), self._options, around=self._known) for name in names
        }

    def _run(
        self, node: Node, arrays: Sequence[Array | None], values: Mapping[str, Array]
    ) -> list[Array]:
        if node.op in FUNCTIONS:
            return evaluate(node, arrays)
        if node.op in control.BODIES:
            seen = {name: values[name] for name in node.captured if name in values}
            return control.run(node, self._bodies[node], arrays, seen)
        if not 3 <= len(arrays) <= INPUTS[node.op] or arrays[0] is None:
            raise node.malformed(f"expected 3 to {INPUTS[node.op]} inputs, X among them")
        weights = of_weights(arrays)
        cell = self._cells.get(node)
        if cell is None or not cell.has(weights):
            cell = self._cells[node] = Cell(node, weights, self._options)
        lengths, *states = [*arrays[4:7], None, None, None][:3]
        return cell.run(arrays[0], lengths, states)


def _lookup(node: Node, values: Mapping[str, Array], name: str) -> Array | None:
    if name and name not in values:
        raise node.malformed(f"its input {name!r} is made by nothing before it")
    return values[name] if name else None


def _output(values: Mapping[str, Array], name: str) -> Array:
    if name not in values:
        raise FormatError(f"no node makes the output {name!r}")
    return np.asarray(values[name])
