"""If in a graph that is read: its nodes are those of the branch that is known to be taken."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...errors import RnnError
from .graph import Graph, Node, bodies_in, body_of
from .tensors import text
from .values import Constant, Failure, Value


def branch_of(
    graph: Graph, node: Node, inputs: Sequence[Value | None], asked: Collection[str]
) -> Graph:
    """The branch of an If, which sees the constants around it.

    It is the one that the condition says, else that in which a tensor of ``asked`` is made. Raises
    ``UnsupportedError`` where neither is known.
    """
    condition = inputs[0] if len(inputs) == 1 else None
    if isinstance(condition, Constant):
        if condition.array.size != 1:
            raise node.malformed(f"its condition has the shape {condition.array.shape}")
        name = "then_branch" if condition.array.reshape(()) else "else_branch"
    else:
        named = [name for name, body in bodies_in(node) if any(n in asked for n in _made(body))]
        if len(named) != 1:
            raise _undecided(graph, node, condition)
        (name,) = named
    branch = body_of(node, name)
    if len(branch.outputs) != len(node.outputs) or branch.inputs:
        raise node.malformed(f"{len(node.outputs)} outputs of a branch of {len(branch.outputs)}")
    return replace(branch, constants=ChainMap(branch.constants, graph.constants))  # type: ignore[arg-type]


def made_inside(node: Node) -> Iterator[str]:
    """The tensors that nodes in the branches of an If make, and in those inside of them."""
    if node.op == "If":
        for _, body in bodies_in(node):
            yield from _made(body)


def _made(body: Any) -> Iterator[str]:
    pending = [body]
    while pending:
        for inner in pending.pop().node:
            yield from (text(name) for name in inner.output if name)
            if inner.op_type == "If":
                pending += [a.g for a in inner.attribute if a.HasField("g")]


def graph_around(graph: Graph, name: str) -> Graph:
    """The graph whose node makes a tensor: this one, or a branch inside of it."""
    for node in graph.nodes:
        if name in node.outputs:
            return graph
        if name in made_inside(node):
            for attribute, _ in bodies_in(node):
                found = graph_around(body_of(node, attribute), name)
                if any(name in inner.outputs for inner in found.nodes):
                    return found
    return graph


def _undecided(graph: Graph, node: Node, condition: Value | None) -> RnnError:
    """The error for a condition that is not constant: what would state it, or why it is none."""
    roots = _roots(graph, node.inputs[:1])
    if roots:
        shown = ", ".join(f"{name!r}: ..." for name in roots)
        return node.unsupported(
            f"its branch depends on {', '.join(map(repr, roots))}: given={{{shown}}} states that"
        )
    if isinstance(condition, Failure):
        return condition.error
    return node.unsupported("its condition is not known from the file")


def _roots(graph: Graph, names: Sequence[str]) -> list[str]:
    """The inputs of the graph that these tensors are calculated from, where they are integers or
    truth values."""
    graph.contents.budget.work("an If", 64 * len(graph.nodes))
    makers: Mapping[str, Node] = {name: node for node in graph.nodes for name in node.outputs}
    seen: set[str] = set()
    pending, found = list(names), []
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in graph.inputs:
            found.append(name)
        elif name in makers and makers[name].op not in ("Shape", "Size"):
            pending += makers[name].inputs
    whole = all(graph.inputs[name].element.startswith(("INT", "UINT", "BOOL")) for name in found)
    return sorted(found) if whole else []
