"""WHILE, as ONNX's Loop.

A converter writes a recurrent layer that it has no operator for as a WHILE: numbers of steps that
count from 0, the states, a tensor with a place for the output of every step, and what the steps
read and leave as it is. Of ONNX's Loop the number of the step is one input, states go round, and
outputs of steps are put behind each other by the loop itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ..onnx.graph import Info
from ..onnx.messages import GraphMessage, ValueMessage
from .inside import Inside
from .model import Model, Operator, SubGraph, needed
from .schema import While
from .writer import Writer

Lower = Callable[[Writer, Model, Operator], None]


_STEPS: Final = 5000  # of the file's budget, for each operator around and in a loop


@dataclass
class Carried:
    """What goes round, by its place: what is left as it is, what counts steps, states, and what
    outputs of steps are put into, with the tensor of the body that is one."""

    fixed: list[int]
    counters: list[int]
    states: list[int]
    lists: dict[int, int]


def _carried(w: Writer, body: Inside) -> Carried:
    inputs, outputs = body.graph.inputs, body.graph.outputs
    found = Carried([], [], [], {})
    outer = Inside(w.subgraph, w.contents)
    places = range(len(inputs))
    found.fixed = [i for i in places if body.plain(outputs[i]) == inputs[i]]
    for i in places:
        starts = outer.number(w.operator.inputs[i]) == 0
        if i not in found.fixed and body.is_next(outputs[i], inputs[i]):
            if not starts:
                raise w.unsupported("a loop whose steps do not count from a constant 0")
            found.counters.append(i)
    counters = [inputs[i] for i in found.counters]
    for i in places:
        if i not in (*found.fixed, *found.counters):
            item = body.item(outputs[i], inputs[i], counters)
            if item is None:
                found.states.append(i)
            else:
                found.lists[i] = item
    return found


def _count(w: Writer, condition: Inside, carried: Carried) -> tuple[str, int | None]:
    """The tensor that has the number of steps, and that number where it is known: what a counter is
    to be less than, of each condition."""
    graph = condition.graph
    limits: dict[str, int | None] = {}
    pending, seen = list(graph.outputs), set[int]()
    outer = Inside(w.subgraph, w.contents)
    while pending:
        index = pending.pop()
        if index in seen:
            continue
        seen.add(index)
        both = condition.made(index, "LOGICAL_AND")
        if both is not None:
            pending += both.inputs
            continue
        less = condition.made(index, "LESS")
        counts = {graph.inputs[i] for i in carried.counters}
        if less is None or len(less.inputs) != 2 or less.inputs[0] not in counts:
            raise w.unsupported("a condition other than that the number of the step is below one")
        limit = less.inputs[1]
        number = _whole(condition.number(limit))
        if number is None and limit in [graph.inputs[i] for i in carried.fixed]:
            place = graph.inputs.index(limit)
            number = _whole(outer.number(w.operator.inputs[place]))
            limits[w.input(place)] = number
        elif number is not None:
            limits[w.constant(number)] = number
        else:
            raise w.unsupported("a number of steps that changes from step to step")
    known = {name: number for name, number in limits.items() if number is not None}
    free = [name for name in limits if name not in known]
    if not limits or len(free) > 1 or (free and min(known.values(), default=2**31 - 1) < 2**31 - 1):
        raise w.unsupported("more than one number of steps")
    return (free[0], None) if free else min(known.items(), key=lambda item: item[1])


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def lower_while(w: Writer, model: Model, lower: Lower) -> None:
    """Adds a Loop."""
    if w.prefix:
        raise w.unsupported("a loop inside of a loop is not supported")
    condition, body = (
        Inside(_graph(w, model, field), w.contents)
        for field in (While.COND_SUBGRAPH_INDEX, While.BODY_SUBGRAPH_INDEX)
    )
    operators = (*w.subgraph.operators, *condition.graph.operators, *body.graph.operators)
    w.contents.budget.work(str(w), _STEPS * len(operators))
    carried = _carried(w, body)
    count, known = _count(w, condition, carried)
    for place in carried.lists:
        sizes = body.graph.tensors[body.graph.inputs[place]].sizes
        if known is not None and sizes and sizes[0] not in (None, known):
            raise w.unsupported(f"{known} steps, whose outputs go into a tensor of {sizes[0]}")
    inner = Writer(body.graph, w.contents, f"{w.label}/")
    number, goes_on = w.name(f"{w.label}/step"), w.name(f"{w.label}/goes on")
    inner.named({body.graph.inputs[i]: number for i in carried.counters})
    inner.named({body.graph.inputs[i]: w.input(i) for i in carried.fixed})
    ends = [body.graph.outputs[i] for i in carried.states]
    items = list(dict.fromkeys(carried.lists.values()))
    for operator in needed(body.graph, [*ends, *items], -1):
        lower(inner, model, operator)
    graph: GraphMessage = inner.graph
    graph.input += [
        ValueMessage(number, Info("INT64", ())),
        ValueMessage(goes_on, Info("BOOL", ())),
    ]
    graph.input += [inner.value(body.graph.inputs[i]) for i in carried.states]
    graph.output.append(ValueMessage(goes_on, Info("BOOL", ())))
    graph.output += [inner.value(index) for index in (*ends, *items)]
    given = [w.required(i) for i in carried.states]
    made = w.made("Loop", [count, "", *given], len(given) + len(items), body=graph)
    for place, name in zip(carried.states, made, strict=False):
        w.give(name, place)
    for place, item in carried.lists.items():
        w.give(made[len(given) + items.index(item)], place)
    for place in carried.fixed:
        w.give(w.input(place), place)


def _graph(w: Writer, model: Model, field: int) -> SubGraph:
    index = w.operator.option(field, "int32")
    if not 0 < index < len(model.subgraphs):
        raise w.malformed(f"subgraph {index} of {len(model.subgraphs)}")
    graph: SubGraph = model.subgraphs[index]
    count = len(w.operator.inputs)
    outputs = 1 if field == While.COND_SUBGRAPH_INDEX else count
    if len(graph.inputs) != count or len(graph.outputs) != outputs:
        raise w.malformed(f"{count} tensors go round, subgraph {index} has others")
    return graph


LOOPS: Final[Mapping[str, Callable[[Writer, Model, Lower], None]]] = MappingProxyType(
    {"WHILE": lower_while}
)
"""Operators that have subgraphs, of which ``lower`` adds the operators."""
