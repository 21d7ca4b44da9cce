"""Which calls of a Keras model are read: all of them, one layer, or a straight run of layers."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import OptionError, UnsupportedError
from ...spec import ModelSpec
from ..names import some, suggest
from .checks import check_arguments, check_mask, check_states
from .flow import Flow
from .graph import Call, Graph, Tensor
from .halves import joined
from .network import read_graph
from .padding import settle
from .runs import add_call
from .shape import Shape
from .store import Store
from .times import with_times


def read_chain(
    graph: Graph, store: Store, node: str | None, between: tuple[str, str] | None
) -> ModelSpec:
    """The model that the chosen calls are."""
    if node is not None:
        calls = [_named(graph, "node", node)[0]]
    elif between is not None:
        calls = _between(graph, *between)
    else:
        try:
            whole = _whole(graph)
            if whole is None:
                return with_times(graph, lambda starts: read_graph(graph, store, starts))
            calls, start = whole
            return with_times(graph, lambda starts: _build(calls, store, starts.get(start)))
        except UnsupportedError as error:
            if (decoded := _repeated(graph, store)) is not None:
                return decoded
            raise UnsupportedError(f"{error}{_hint(graph)}") from error
    reads = [graph.resolve(tensor) for tensor in calls[0].data]
    if len(reads) != 1 or reads[0] not in graph.inputs:
        return _build(calls, store)
    return with_times(graph, lambda starts: _build(calls, store, starts.get(reads[0])))


def _repeated(graph: Graph, store: Store) -> ModelSpec | None:
    """The model, where its RepeatVector make steps and not features; None where it is none so."""
    if not any(call.layer.kind == "RepeatVector" for call in graph.calls.values()):
        return None
    try:
        return with_times(graph, lambda starts: read_graph(graph, store, starts, over_time=True))
    except UnsupportedError:
        return None


def _build(calls: Sequence[Call], store: Store, shape: Shape | None = None) -> ModelSpec:
    flow = Flow(shape=shape)
    model: tuple[str, ...] = ()
    for call in calls:
        check_arguments(call)
        if call.layer.path[: len(model)] != model and call.layer.version > 2:
            flow.mask_lost = f"the model {'/'.join(model)!r}"
        model = call.layer.path[:-1]
        add_call(call, store, flow)
    settle(calls[-1].layer, flow)
    return flow.finish()


def _whole(graph: Graph) -> tuple[list[Call], Tensor] | None:
    """The calls from the model's input to its output, and the input; None where they are no
    chain."""
    ends = {tensor for tensor in map(graph.resolve, graph.outputs) if tensor.index == 0}
    if len(ends) != 1:
        return None
    try:
        calls, start = _trace(graph, ends.pop(), None)
    except UnsupportedError:
        return None
    check_states(graph, calls)
    for call in calls:
        check_mask(graph, call, start)
    return calls, start


def _between(graph: Graph, first: str, last: str) -> list[Call]:
    """The calls from one layer to another, these with them."""
    _named(graph, "between", first)
    ends = _named(graph, "between", last)
    problem = UnsupportedError("")
    for end in ends:
        try:
            calls, _ = _trace(graph, Tensor(end.layer.name, _number(graph, end)), first)
            return calls
        except UnsupportedError as error:
            problem = error
    raise UnsupportedError(f"between={(first, last)!r}: {problem}")


def _number(graph: Graph, call: Call) -> tuple[int, ...]:
    return next(number for (_, number), other in graph.calls.items() if other is call)


def _named(graph: Graph, option: str, name: str) -> list[Call]:
    calls = graph.named(name)
    if not calls:
        names = list(dict.fromkeys(layer for layer, _ in graph.calls))
        hint = suggest(name, names) or f"; there are {some(names)}"
        raise OptionError(f"{option}={name!r}: no such layer{hint}")
    return calls


def _trace(graph: Graph, end: Tensor, first: str | None) -> tuple[list[Call], Tensor]:
    """The calls up to ``end``, from the layer of this name or from an input, and what they start
    with; every one of them has one input."""
    calls: list[Call] = []
    tensor = graph.resolve(end)
    while True:
        call = graph.maker(tensor)
        if call is None:
            if first is not None:
                raise UnsupportedError(f"{first!r} does not come before")
            return calls[::-1], tensor
        if len(calls) >= len(graph.calls):
            raise UnsupportedError(f"{call.layer}: it needs its own output")
        if tensor.index:
            raise call.layer.unsupported(
                f"its output {tensor.index}, a state or one direction alone, is used"
            )
        whole = joined(graph, call)
        if whole is not None and call.layer.name != first:
            check_arguments(call)
            call = whole
        calls.append(call)
        if len(call.data) != 1 and call.layer.name != first:
            names = some([graph.resolve(tensor).layer for tensor in call.data])
            raise call.layer.unsupported(f"expected one input, it has {names}")
        if call.layer.name == first:
            return calls[::-1], tensor
        tensor = graph.resolve(call.data[0])


def _hint(graph: Graph) -> str:
    names = graph.recurrent
    if not names:
        return ""
    return (
        f"; node= takes one of the recurrent layers {some(list(map(repr, names)))} out, "
        "between=(first, last) a straight run of layers"
    )
