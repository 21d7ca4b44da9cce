"""What a cell's new h is for: the layers behind, or the state that the graph gives back.

A graph of one step has one tensor for both, where the operators have Y and Y_h. An output of the
graph is a state if it is made of states alone, by operators that only move numbers, and one of them
is a c, or all are h of layers that the other outputs need.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..graph import Node
from .equations import Step
from .known import Known
from .rewriting import Rewriting

_STEPS = 2000  # of the file's budget, for each operator on the way to an output
_MOVES = ("Cast", "Concat", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")


@dataclass(frozen=True)
class Names:
    """Of the h that single steps make: what those read that take it for data, and for a state."""

    data: dict[str, str]
    states: dict[str, str]


def states_apart(
    rewriting: Rewriting, known: Known, chains: Sequence[Sequence[Step]], end: str | None
) -> Names:
    """Gives every h of a single step two names, and the outputs that are states the second."""
    single = [chain[0] for chain in chains if len(chain) == 1]
    made = {step.made for step in single}
    cells = {name for step in single for name in step.after}
    outputs = list(known.graph.outputs) if end is None else [end]
    order = {id(node): index for index, node in enumerate(known.graph.nodes)}
    cones = {name: _cone(known, name, made | cells, order) for name in outputs}
    states = _states(known, single, outputs, cones, cells)
    data = {name: rewriting.name(f"{name}/data") if name in states else name for name in made}
    kept = {name: name if name in states else rewriting.name(f"{name}/state") for name in made}
    rewriting.instead({name: other for name, other in data.items() if name != other})
    for output in states - made - cells:
        again: dict[str, str] = dict(kept)
        for node in cones[output][0]:
            for name in node.outputs:
                again[name] = name if name == output else rewriting.name(f"{name}/state")
            rewriting.again(node, again)
    return Names(data, kept)


def _cone(
    known: Known, output: str, leaves: set[str], order: Mapping[int, int]
) -> tuple[list[Node], set[str]]:
    """The moves that make an output of states alone, and these; nothing for any other output."""
    nodes: dict[str, Node] = {}
    found: set[str] = set()
    pending = [output]
    while pending:
        name = pending.pop()
        if name in leaves:
            found.add(name)
            continue
        node = known.makers.get(name)
        if node is None or node.domain or node.op not in _MOVES or len(node.outputs) != 1:
            return [], set()
        if name not in nodes:
            node.contents.budget.work(str(node), _STEPS)
            nodes[name] = node
            data = node.inputs if node.op == "Concat" else node.inputs[:1]
            pending += data
    return sorted(nodes.values(), key=lambda node: order[id(node)]), found


def _states(
    known: Known,
    single: Sequence[Step],
    outputs: Sequence[str],
    cones: dict[str, tuple[list[Node], set[str]]],
    cells: set[str],
) -> set[str]:
    """The outputs that are states: all but those that the others do not need."""
    origins = {step.made: known.part(step.h).source for step in single}
    given = {name for name, source in origins.items() if source in known.graph.inputs}
    reached: set[str] = set()
    found: set[str] = set()
    for name in outputs:
        _, leaves = cones[name]
        if leaves & cells:
            found.add(name)
        elif not leaves or not leaves <= given:
            _reach(known, name, reached)
    rest = [name for name in outputs if cones[name][1] and not cones[name][1] & cells]
    depth = {step.made: index for index, step in enumerate(single)}
    rest = [name for name in rest if cones[name][1] <= given]
    for name in sorted(rest, key=lambda n: -max(depth[leaf] for leaf in cones[n][1])):
        if cones[name][1] <= reached:
            found.add(name)
        else:
            _reach(known, name, reached)
    return found


def _reach(known: Known, output: str, reached: set[str]) -> None:
    """Adds all that an output is made of."""
    pending = [output]
    while pending:
        name = pending.pop()
        if name not in reached:
            reached.add(name)
            node = known.makers.get(name)
            pending += node.inputs if node else ()
