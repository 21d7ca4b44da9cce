"""Which calls of a Keras model are read: all of them, one layer, or a straight run of layers."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import OptionError, UnsupportedError
from ...spec import ModelSpec
from ..names import some, suggest
from .flow import Flow
from .graph import RECURRENT, Call, Graph, Tensor
from .halves import joined
from .layers import add
from .store import Store

_MASKS = ("NotEqual", "Any")  # the operators that Keras 3 makes a mask with


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
            return _build(_whole(graph), store)
        except UnsupportedError as error:
            raise UnsupportedError(f"{error}{_hint(graph)}") from error
    return _build(calls, store)


def _build(calls: Sequence[Call], store: Store) -> ModelSpec:
    flow = Flow()
    model: tuple[str, ...] = ()
    for call in calls:
        _check_arguments(call)
        if call.layer.path[: len(model)] != model and call.layer.version > 2:
            flow.mask_lost = "/".join(model)
        model = call.layer.path[:-1]
        add(call.layer, store, flow)
    return flow.finish()


def _check_arguments(call: Call) -> None:
    """What a layer is called with besides its input has to be nothing that would change it."""
    for name, value in call.arguments.items():
        if value not in (None, False):
            raise call.layer.unsupported(f"called with {name}={str(value)[:80]}")


def _whole(graph: Graph) -> list[Call]:
    """The calls from the model's input to its output."""
    outputs = [graph.resolve(tensor) for tensor in graph.outputs]
    ends = [tensor for tensor in outputs if tensor.index == 0]
    if len(set(ends)) != 1:
        names = some([tensor.layer for tensor in ends])
        raise UnsupportedError(f"expected a model with one output, this one has {names}")
    calls, start = _trace(graph, ends[0], None)
    for call in calls:
        _check_mask(graph, call, start)
    ids = {id(call) for call in calls}
    for tensor in outputs:
        maker = graph.maker(tensor)
        own = maker is not None and maker.layer.kind in RECURRENT and id(maker) in ids
        if tensor.index and not own:
            raise UnsupportedError(f"output {tensor.index} of {tensor.layer!r} is not supported")
    states = {graph.resolve(tensor) for call in calls for tensor in call.states}
    for tensor in states:
        if tensor not in graph.inputs:
            raise UnsupportedError(f"an initial state is made by the layer {tensor.layer!r}")
    for tensor in graph.inputs:
        if tensor != start and tensor not in states:
            raise UnsupportedError(
                f"expected one input, and maybe initial states; {tensor.layer!r} is another one"
            )
    return calls


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
            _check_arguments(call)
            call = whole
        calls.append(call)
        if len(call.data) != 1 and call.layer.name != first:
            names = some([graph.resolve(tensor).layer for tensor in call.data])
            raise call.layer.unsupported(f"expected one input, it has {names}")
        if call.layer.name == first:
            return calls[::-1], tensor
        tensor = graph.resolve(call.data[0])


def _check_mask(graph: Graph, call: Call, start: Tensor) -> None:
    """A mask that Keras 3 wrote down has to be the one that a Masking or Embedding makes."""
    for mask in call.mask:
        tensor = graph.resolve(mask)
        for _ in _MASKS:
            maker = graph.maker(tensor)
            if maker is not None and maker.layer.kind in _MASKS and maker.data:
                tensor = graph.resolve(maker.data[0])
        if tensor != start:
            raise call.layer.unsupported(
                f"its mask is made of {tensor.layer!r}; only that of a Masking or an Embedding at "
                "the beginning is supported"
            )


def _hint(graph: Graph) -> str:
    names = graph.recurrent
    if not names:
        return ""
    return (
        f"; node= takes one of the recurrent layers {some(list(map(repr, names)))} out, "
        "between=(first, last) a straight run of layers"
    )
