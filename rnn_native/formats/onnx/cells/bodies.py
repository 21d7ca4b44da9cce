"""What Scan and Loop do at each step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..graph import File, Node
from .equations import Step, steps
from .known import Known, is_well_formed
from .layers import operator
from .rewriting import Rewriting
from .sums import Sums

_STEPS = 10_000  # of the file's budget, for each operator before the loop
_FAR = 8  # Identities one behind the other


class Body:
    """The body of the node of this index in the graph."""

    def __init__(self, file: File, index: int, node: Node) -> None:
        node.contents.budget.work(str(node), _STEPS * index)
        body: Any = node.attributes["body"].g
        graph = file.graph(((index, body),))
        self.given = [value.name for value in body.input]
        self.made = [value.name for value in body.output]
        self.known = Known(graph)
        self.sums = Sums(self.known)
        self._nodes = graph.nodes[index:] if is_well_formed(graph) else ()
        self.inside = {name for one in self._nodes for name in one.outputs} | {*self.given}

    def step(self, states: Sequence[str]) -> Step | None:
        """The step of a cell that it is, with these states and no others. Gates look like an RNN as
        well, so that of the steps that there seem to be it is the last."""
        found = steps(self.sums, self._nodes)
        if not found or len({step.op for step in found} - {"RNN"}) > 1:
            return None
        last = found[-1]
        names = [name for name in last.sources if name in states]
        if len(names) != 1 or {*last.before, names[0]} != {*states}:
            return None
        if last.oriented and last.h != names[0]:
            return None
        return last.with_h(names[0])

    def plain(self, name: str) -> str:
        """What an Identity stands for."""
        for _ in range(_FAR):
            node = self.known.makers.get(name)
            if node is None or node.op != "Identity" or node.domain:
                break
            name = node.inputs[0]
        return name


def put(
    to: Rewriting,
    body: Body,
    node: Node,
    step: Step,
    x: str,
    direction: str,
    ends: Sequence[tuple[str, str, str]],
) -> str:
    """The recurrent node for a loop; ``ends`` are its states as the body, the graph before the loop
    and the graph behind it call them. Returns Y [time, batch, features]."""
    given = {name: before for name, before, _ in ends}
    names = (step.h, *step.before)
    made = operator(to, body.sums, step, x, [given[name] for name in names], direction)
    last = dict(zip(names, made[1:], strict=True))
    for name, _, output in ends:
        if output:
            to.axes(node, "Squeeze", last[name], [0], output)
    return to.axes(node, "Squeeze", made[0], [1], to.name(f"{step.made}/steps"))
