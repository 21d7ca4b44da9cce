"""A graph that is written anew in places: nodes are added, and tensors made by others."""

from __future__ import annotations

from collections import ChainMap, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from heapq import heapify, heappop, heappush
from typing import Any

import numpy as np

from ..graph import Anything, Graph, Node
from ..messages import Attribute


class Rewriting:
    """What is added to a graph. A tensor keeps its name, whatever makes it from now on."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[Node | None] = list(graph.nodes)
        self._constants: dict[str, Anything] = {}
        self._names = {n for node in graph.nodes for n in (*node.inputs, *node.outputs)}
        self._names |= {*graph.inputs, *graph.outputs, *graph.infos}
        self._made: dict[str, int] = {
            name: i for i, node in enumerate(graph.nodes) for name in node.outputs if name
        }
        self.changed = False

    def name(self, base: str) -> str:
        """A new name that begins so."""
        found, number = base, 0
        while found in self._names or found in self.graph.constants:
            number += 1
            found = f"{base}/{number}"
        self._names.add(found)
        return found

    def constant(self, base: str, array: Anything) -> str:
        name = self.name(base)
        self._constants[name] = array
        return name

    def fixed(self, arrays: Mapping[str, Anything]) -> None:
        """Tensors of these names are constants from now on, whatever made them before."""
        for name, array in arrays.items():
            self._unmake(name)
            self._constants[name] = array
            self.changed = True

    def add(
        self,
        like: Node,
        op: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        name: str = "",
        **attributes: Any,
    ) -> tuple[str, ...]:
        """A node in the place of others, of which one is ``like``; it makes these tensors, whatever
        made them before. Returns their names."""
        node = Node(
            op=op,
            domain="",
            name=name,
            inputs=tuple(inputs),
            outputs=tuple(outputs),
            attributes=attributes_of(attributes),
            opset=like.opset,
            contents=like.contents,
            result=self.graph.infos.get(outputs[0]),
        )
        self.put(node)
        return node.outputs

    def put(self, node: Node) -> None:
        """Adds a node, which makes its outputs from now on."""
        for output in node.outputs:
            self._unmake(output)
        self.nodes.append(node)
        self._made |= {output: len(self.nodes) - 1 for output in node.outputs if output}
        self._names |= set(node.outputs)
        self.changed = True

    def axes(self, like: Node, op: str, x: str, axes: Sequence[int], output: str) -> str:
        """Squeeze or Unsqueeze, as the operator set has it."""
        if like.opset < 13:
            return self.add(like, op, [x], [output], axes=list(axes))[0]
        given = self.constant(f"{output}/axes", np.array(axes, np.int64))
        return self.add(like, op, [x, given], [output])[0]

    def time_first(self, like: Node, x: str, axis: int, output: str) -> str:
        """Of three axes the one that is the time before the others."""
        perm = [axis, *(i for i in range(3) if i != axis)]
        return self._transposed(like, x, perm, output)

    def time_at(self, like: Node, x: str, axis: int, output: str) -> str:
        """Of [time, batch, features] the time at another place among the axes."""
        perm = [1, 2]
        perm.insert(axis, 0)
        return self._transposed(like, x, perm, output)

    def _transposed(self, like: Node, x: str, perm: list[int], output: str) -> str:
        if perm == sorted(perm):
            return self.add(like, "Identity", [x], [output])[0]
        return self.add(like, "Transpose", [x], [output], perm=perm)[0]

    def again(self, node: Node, names: Mapping[str, str]) -> None:
        """A node once more, that reads and makes other tensors."""
        inputs, outputs = (
            tuple(names.get(name, name) for name in many) for many in (node.inputs, node.outputs)
        )
        self.put(replace(node, inputs=inputs, outputs=outputs))

    def instead(self, names: Mapping[str, str]) -> None:
        """All nodes that there are read other tensors."""
        for index, node in enumerate(self.nodes):
            if node is not None and any(name in names for name in node.inputs):
                inputs = tuple(names.get(name, name) for name in node.inputs)
                self.nodes[index] = replace(node, inputs=inputs)
                self.changed = True

    def simplify(self) -> None:
        """Concat of one tensor, and Split into one, are that tensor."""
        for node in self.graph.nodes:
            one = node.op in ("Concat", "Split") and len(node.inputs) == len(node.outputs) == 1
            if one and not node.domain and "num_outputs" not in node.attributes:
                self.add(node, "Identity", node.inputs, node.outputs, node.name)

    def finish(self) -> Graph:
        """The graph with all that was added, each node behind those whose tensors it reads."""
        if not self.changed:
            return self.graph
        nodes = _in_order([node for node in self.nodes if node is not None])
        constants = ChainMap(self._constants, self.graph.constants)  # type: ignore[arg-type]
        return replace(self.graph, nodes=tuple(nodes), constants=constants)

    def _unmake(self, name: str) -> None:
        index = self._made.pop(name, None)
        node = None if index is None else self.nodes[index]
        if index is None or node is None:
            return
        outputs = tuple("" if output == name else output for output in node.outputs)
        self.nodes[index] = replace(node, outputs=outputs) if any(outputs) else None


def attributes_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as a node has them."""
    return {name: Attribute(name, value) for name, value in values.items()}


def _in_order(nodes: Sequence[Node]) -> list[Node]:
    """As they were, but for those that would stand before what they read."""
    makers = {name: i for i, node in enumerate(nodes) for name in node.outputs if name}
    readers: dict[int, list[int]] = defaultdict(list)
    missing = [0] * len(nodes)
    for index, node in enumerate(nodes):
        for maker in {makers[name] for name in node.reads if name in makers}:
            readers[maker].append(index)
            missing[index] += 1
    ready = [index for index, count in enumerate(missing) if not count]
    heapify(ready)
    found = []
    while ready:
        index = heappop(ready)
        found.append(nodes[index])
        for reader in readers[index]:
            missing[reader] -= 1
            if not missing[reader]:
                heappush(ready, reader)
    return found
