"""What a message says of a graph that is not read: where its recurrence is, if that is no RNN, GRU
or LSTM, and what helps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from ..graph import Graph, Node
from ..interpret import needed
from .known import Known, is_well_formed
from .sums import Sums, is_gate

_PRODUCTS: Final = ("MatMul", "Gemm")
_LOOPS: Final = ("Loop", "Scan")
_WHOLE: Final = ("RNN", "GRU", "LSTM")
_MOST: Final = 64  # weights that are followed
_LONGEST: Final = 80  # characters of a name


def unread(graph: Graph, wanted: Sequence[str], start: str | None) -> str:
    """In front of the message about what is not read; "" where nothing is recognised."""
    nodes = needed(graph, wanted, start) if is_well_formed(graph) else []
    known = Known(graph)
    loop = next((node for node in nodes if node.op in _LOOPS and not node.domain), None)
    if loop is not None and not any(node.op in _WHOLE for node in nodes):
        return f"its recurrence is in a {loop.op} ({_called(loop)}): {loop.contents.instead}; "
    again = _again(known, nodes)
    if again is not None:
        node, weight = again
        return (
            "its recurrence is unrolled, written out step by step, and no RNN, GRU or LSTM: "
            f"{_called(node)} multiplies by {weight!r:.{_LONGEST}} what that has made before; "
            f"{node.contents.instead}; "
        )
    return ""


def in_pieces(graph: Graph, wanted: Sequence[str], start: str | None) -> str:
    """Behind that message: where the graph has a gate in pieces."""
    nodes = needed(graph, wanted, start) if is_well_formed(graph) else []
    sums = Sums(Known(graph))
    for node in nodes:
        sums.read(node)
        if node.op == "Mul" and any(map(is_gate, sums.of(node.outputs[0]).factors)):
            return (
                f"; {node} seems to be a part of a recurrent cell that is unrolled or in pieces, "
                "but these are no RNN, GRU or LSTM over a whole sequence: "
                f"{node.contents.runner} runs them as they are"
            )
    return ""


def _again(known: Known, nodes: Sequence[Node]) -> tuple[Node, str] | None:
    """A node that multiplies by a weight what the same weight has made, and that weight."""
    weights = [_weight(known, node) for node in nodes]
    several = [name for name, count in Counter(filter(None, weights)).items() if count > 1]
    bits = {name: 1 << i for i, name in enumerate(several[:_MOST])}
    made: dict[str, int] = {}  # by the weights on the way to a tensor
    for node, weight in zip(nodes, weights, strict=True):
        behind = 0
        for name in node.reads:
            behind |= made.get(name, 0)
        own = bits.get(weight or "", 0)
        if behind & own and weight:
            return node, weight
        if behind | own:
            made.update((name, behind | own) for name in node.outputs if name)
    return None


def _weight(known: Known, node: Node) -> str | None:
    if node.op not in _PRODUCTS or node.domain or len(node.inputs) < 2:
        return None
    return node.inputs[1] if known.is_constant(node.inputs[1]) else None


def _called(node: Node) -> str:
    text = str(node)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
