"""Layers that read a sequence from its end because it is turned round before and behind them.

TensorFlow has no backward layer: it reverses the sequence, runs a forward one, and reverses what
that gives. The operators RNN, GRU and LSTM have ``direction``. A sequence is reversed by a Slice of
step -1, or by ReverseSequence with the lengths of all rows, or those that the layer has as well.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import replace
from typing import Final

from ....errors import RnnError
from ..constants import axes_of, axis_of, slices_of
from ..graph import Graph, Node
from ..interpret import interpret
from ..recurrent import layout_of
from ..states import is_whole
from ..values import Data, live
from .known import Known
from .rewriting import Rewriting, attributes_of

_RECURRENT: Final = ("GRU", "LSTM", "RNN")
_OPPOSITE: Final = {"forward": "reverse", "reverse": "forward"}
_STEPS: Final = 10_000  # of the file's budget, for each operator that may make lengths
_MOVES: Final = ("Identity", "Squeeze", "Transpose", "Unsqueeze")
_FAR: Final = 16  # moves between a layer and where the sequence is turned round
_END: Final = 2**31 - 1


def turned(graph: Graph) -> Graph:
    """The graph with such layers in the other direction, of the sequence as it is."""
    if not any(node.op in ("ReverseSequence", "Slice") for node in graph.nodes):
        return graph
    found = _Reversals(graph)
    for node in graph.nodes:
        if node.op in _RECURRENT and not node.domain and len(node.inputs) > 2:
            with suppress(RnnError):
                found.turn(node)
    return found.to.finish()


class _Reversals:
    def __init__(self, graph: Graph) -> None:
        self.to, self._known = Rewriting(graph), Known(graph)
        self._readers: dict[str, list[Node]] = defaultdict(list)
        for node in graph.nodes:
            for name in dict.fromkeys(node.inputs):
                self._readers[name].append(node)

    def turn(self, node: Node) -> None:
        """A layer that reads a reversed sequence, and what is reversed of its Y."""
        direction, layout = direction_of(node), layout_of(node)
        lengths = [*node.inputs, *[""] * 5][4]
        way = self._way(node.inputs[0], layout, lengths) if direction in _OPPOSITE else None
        if way is None:
            return
        reversal, axis, moves = way
        source = reversal.inputs[0]
        names = {reversal.outputs[0]: source}
        for move in moves:
            names[move.outputs[0]] = self.to.name(f"{move.outputs[0]}/turned")
            self.to.again(move, {n: names.get(n, n) for n in (move.inputs[0], move.outputs[0])})
        x, y = names.get(node.inputs[0], node.inputs[0]), node.outputs[0]
        turned = attributes_of({"direction": _OPPOSITE[direction]})
        made = self.to.name(f"{y or node.outputs[-1]}/turned")
        self.to.put(
            replace(
                node,
                inputs=(x, *node.inputs[1:]),
                outputs=(made, *node.outputs[1:]),
                attributes={**node.attributes, **turned},
            )
        )
        if y:
            self._back(y, made, layout, lengths, (source, axis))

    def _way(self, name: str, axis: int, lengths: str) -> tuple[Node, int, list[Node]] | None:
        """The reversal on the way to X, along which axis it goes, and the moves behind it."""
        rank, moves = 3, list[Node]()
        for _ in range(_FAR):
            node = self._known.makers.get(name)
            if node is None or node.domain:
                return None
            if self._reverses(node, axis, rank, lengths, (node.inputs[0], axis)):
                return node, axis, moves[::-1]
            moved = self._before(node, axis, rank)
            if moved is None:
                return None
            axis, rank = moved
            moves.append(node)
            name = node.inputs[0]
        return None

    def _back(self, y: str, made: str, layout: int, lengths: str, time: tuple[str, int]) -> None:
        """Makes what is reversed of ``y``, wherever that has been moved, of the new Y instead."""
        pending = [(y, made, layout, 4)]
        for _ in range(_FAR):
            if not pending:
                return
            name, new, axis, rank = pending.pop()
            for node in self._readers[name]:
                if node.domain or node.inputs[0] != name:
                    continue
                if self._reverses(node, axis, rank, lengths, time):
                    self.to.put(replace(_identity(node), inputs=(new,), outputs=node.outputs))
                    continue
                moved = self._behind(node, axis, rank)
                if moved is not None:
                    output = self.to.name(f"{node.outputs[0]}/turned")
                    self.to.again(node, {name: new, node.outputs[0]: output})
                    pending.append((node.outputs[0], output, *moved))

    def _before(self, node: Node, axis: int, rank: int) -> tuple[int, int] | None:
        """The axis and the rank of what a node moves, of those of what it makes."""
        if node.op == "Identity":
            return axis, rank
        if node.op == "Transpose":
            perm = self._perm(node, rank)
            return (perm[axis], rank)
        if node.op == "Unsqueeze":
            added = axes_of(node, self._known.values(node), rank) or []
            left = [i for i in range(rank) if i not in added]
            return (left.index(axis), len(left)) if axis in left else None
        if node.op == "Squeeze":
            count = len(axes_of(node, self._known.values(node), 64) or [])
            gone = axes_of(node, self._known.values(node), rank + count) or []
            return [i for i in range(rank + count) if i not in gone][axis], rank + count
        return None

    def _behind(self, node: Node, axis: int, rank: int) -> tuple[int, int] | None:
        """The axis and the rank of what a node makes, of those of what it moves."""
        if node.op == "Unsqueeze":
            rank += len(axes_of(node, self._known.values(node), 64) or [])
        if node.op == "Squeeze":
            rank -= len(axes_of(node, self._known.values(node), rank) or [])
        for made in range(rank) if node.op in _MOVES else ():
            before = self._before(node, made, rank)
            if before is not None and before[0] == axis:
                return made, rank
        return None

    def _perm(self, node: Node, rank: int) -> list[int]:
        perm = node.options(perm=("ints", None))["perm"]
        perm = list(range(rank))[::-1] if perm is None else perm
        if sorted(perm) != list(range(rank)):
            raise node.malformed(f"attribute perm={perm} of a tensor of rank {rank}")
        return list(perm)

    def _reverses(
        self, node: Node, axis: int, rank: int, lengths: str, time: tuple[str, int]
    ) -> bool:
        """Whether a node turns round all of this axis, or of each row its length; ``time`` is the
        same axis, of a tensor in front of the layer."""
        if node.op == "Slice" and node.opset >= 10 and not lengths:
            cuts = slices_of(node, self._known.values(node), rank)
            if len(cuts) != 1:
                return False
            at, start, stop, step = cuts[0]
            return at == axis and step == -1 and (start == -1 or start >= _END) and stop <= -_END
        if node.op == "ReverseSequence" and len(node.inputs) == 2:
            options = node.options(batch_axis=("int", 1), time_axis=("int", 0))
            if axis_of(node, options["time_axis"], rank) != axis:
                return False
            return node.inputs[1] == lengths if lengths else self._is_whole(node, *time)
        return False

    def _is_whole(self, node: Node, data: str, axis: int) -> bool:
        """Whether the lengths of ReverseSequence are those of this axis of the data."""
        graph = self._known.graph
        graph.contents.budget.work(str(node), _STEPS * len(graph.nodes))
        values = interpret(graph, [data, node.inputs[1]])
        sequence = values[data]
        if not isinstance(sequence, Data) or axis >= len(sequence.dims):
            return False
        dim = live(sequence.dims[axis]) or sequence.dims[axis]
        return len(dim) == 1 and is_whole(values[node.inputs[1]], dim[0])


def direction_of(node: Node) -> str:
    attribute = node.attributes.get("direction")
    return "forward" if attribute is None else bytes(attribute.s).decode(errors="replace")


def _identity(node: Node) -> Node:
    return replace(node, op="Identity", attributes={})
