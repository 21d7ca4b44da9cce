"""The operator Loop, where what it does at each step is one step of a cell.

The body reads the step of its number from a sequence outside, by Gather, and goes on with the
states that it carries, as many times as the sequence is long; every h is an output of the loop, or
is put behind the others in a list of which ConcatFromSequence makes a tensor, as PyTorch has it.
"""

from __future__ import annotations

from contextlib import suppress

from ....errors import RnnError
from ..constants import axis_of
from ..graph import File, Node
from ..interpret import interpret
from ..values import Constant, Data, Shape, live, size_of
from .bodies import Body, put
from .equations import Step
from .known import Known
from .rewriting import Rewriting


def loops(rewriting: Rewriting, file: File) -> None:
    """Puts a recurrent node in the place of each Loop whose body is a cell."""
    for index, node in enumerate(rewriting.graph.nodes):
        if node.op == "Loop" and not node.domain and len(node.inputs) > 2:
            with suppress(RnnError, KeyError):  # of a body that is none
                _replace(rewriting, node, Body(file, index, node))


def _replace(to: Rewriting, node: Node, body: Body) -> None:
    if len(body.given) < 3 or not body.made:
        return
    known = Known(to.graph)
    number, condition, *carried_in = body.given
    carried_out, ys = body.made[1 : 1 + len(carried_in)], body.made[1 + len(carried_in) :]
    ends = list(zip(carried_in, node.inputs[2:], node.outputs, carried_out, strict=False))
    lists = [end for end in ends if _is_list(known, end[1])]
    states = [end for end in ends if end not in lists]
    step = body.step([name for name, *_ in states])
    if step is None or len(ends) != len(carried_in) or not _goes_on(known, node, body, condition):
        return
    after = dict(zip((step.h, *step.before), (step.made, *step.after), strict=True))
    if any(body.plain(made) != after[name] for name, _, _, made in states):
        return
    if any(body.plain(name) != step.made for name in ys):
        return
    stacked = [_stacked(to, body, step, end) for end in lists]
    read = _read(body, step, number)
    if read is None or None in stacked or not _is_whole(to, node.inputs[0], *read):
        return
    x = to.time_first(node, *read, to.name(f"{step.made}/X"))
    y = put(to, body, node, step, x, "forward", [end[:3] for end in states])
    for output in filter(None, node.outputs[len(ends) :]):
        to.add(node, "Identity", [y], [output])
    for readers in stacked:
        for reader, axis in readers or []:
            to.time_at(reader, y, axis, reader.outputs[0])


def _goes_on(known: Known, node: Node, body: Body, condition: str) -> bool:
    """Whether only the number of steps ends the loop."""
    before, after = node.inputs[1], body.plain(body.made[0])
    first = known.array(before) if before else None
    if before and (first is None or not first.all()):
        return False
    always = body.known.array(after)
    return after == condition or (always is not None and bool(always.all()))


def _read(body: Body, step: Step, number: str) -> tuple[str, int] | None:
    """The sequence outside of which x is the step of this number, and along which axis."""
    node = body.known.makers.get(body.plain(step.x))
    if node is None or node.domain or node.op != "Gather" or node.inputs[0] in body.inside:
        return None
    if body.plain(node.inputs[1]) != number:
        return None
    return node.inputs[0], axis_of(node, node.options(axis=("int", 0))["axis"], 3)


def _is_whole(to: Rewriting, count: str, x: str, axis: int) -> bool:
    """Whether the loop has as many steps as the sequence."""
    values = interpret(to.graph, [count, x]) if count else {}
    data, steps = values.get(x), values.get(count)
    if not isinstance(data, Data) or axis >= len(data.dims):
        return False
    dim = data.dims[axis]
    if isinstance(steps, Shape) and len(steps.extents) == 1:
        (extent,) = steps.extents
        return extent.factor == 1 and live(extent.axes) == live(dim)
    if isinstance(steps, Constant):
        return steps.array.size == 1 and int(steps.array.reshape(())) == size_of(dim)
    return False


def _is_list(known: Known, name: str) -> bool:
    node = known.makers.get(name)
    return node is not None and node.op == "SequenceEmpty" and not node.domain


def _stacked(
    to: Rewriting, body: Body, step: Step, end: tuple[str, str, str, str]
) -> list[tuple[Node, int]] | None:
    """What makes a tensor of a list to whose end every h is put, and the axis of its time."""
    given, _, output, made = end
    insert = body.known.makers.get(body.plain(made))
    if insert is None or insert.op != "SequenceInsert" or len(insert.inputs) != 2:
        return None
    if insert.inputs[0] != given or body.plain(insert.inputs[1]) != step.made:
        return None
    found = []
    step.node.contents.budget.work(str(step.node), len(to.graph.nodes))
    for node in to.graph.nodes:
        if output and output in node.inputs:
            options = node.options(axis=("int", 0), new_axis=("int", 0))
            if node.op != "ConcatFromSequence" or not options["new_axis"]:
                return None
            found.append((node, axis_of(node, options["axis"], 3)))
    return found
