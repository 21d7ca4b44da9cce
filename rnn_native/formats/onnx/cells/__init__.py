"""Recurrent cells that a graph has in pieces, as the operators RNN, GRU and LSTM.

An exporter that does not know a recurrent layer writes the arithmetic of its steps, once where the
graph is one step of a stream, or as often as the sequence is long. ``gathered`` is a pass over the
nodes before any of them is read: what together is one step of a cell, or several with the same
weights that follow each other, gets one node (``equations``, ``chains``, ``layers``). All else of
the graph stays as it is, the pieces too, should something else need a part of them.
"""

from __future__ import annotations

from ..graph import File, Graph
from .chains import chains
from .equations import Step, steps
from .known import Known, is_well_formed
from .layers import Layers
from .loop import loops
from .outputs import states_apart
from .reversals import turned
from .rewriting import Rewriting
from .scan import scans
from .sums import Sums
from .unread import in_pieces as in_pieces
from .unread import unread as unread

_MULTIPLIES = ("MatMul", "Gemm")


def gathered(file: File, graph: Graph, start: str | None = None, end: str | None = None) -> Graph:
    """The graph with cells as single nodes; ``start`` and ``end`` are the ends of the part that is
    read, if that is not all of it."""
    if not is_well_formed(graph):  # which is for ``interpret`` to say
        return graph
    rewriting = Rewriting(graph)
    rewriting.simplify()
    scans(rewriting, file)
    loops(rewriting, file)
    sums = Sums(Known(graph))
    found = []
    if sum(node.op in _MULTIPLIES for node in graph.nodes) > 1:
        found = chains(sums, steps(sums, graph.nodes), start)
    found = [chain for chain in found if not _contains(sums.known, chain, start)]
    if found:
        names = states_apart(rewriting, sums.known, found, end)
        layers = Layers(rewriting, sums, names)
        for chain in found:
            layers.add(chain)
        layers.finish()
    return turned(rewriting.finish())


def _contains(known: Known, chain: list[Step], start: str | None) -> bool:
    """Whether ``start`` is in the middle of a step, which then begins there."""
    for step in chain if start is not None else ():
        ends = {*step.sources, *step.before}
        pending = list(step.node.inputs)
        while pending:
            name = pending.pop()
            if name == start and name not in ends:
                return True
            node = known.makers.get(name)
            if node is not None and name not in ends:
                pending += node.inputs
    return False
