"""What the tensors of a graph stand for, found node by node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np

from ...errors import FormatError, RnnError, UnsupportedError
from . import (
    arithmetic,
    conditions,
    convolution,
    expanding,
    given,
    layers,
    norms,
    padding,
    pairs,
    pooling,
    reductions,
    repeated,
    resizing,
    shapes,
    softmaxes,
    transposed,
)
from .branches import branch_of, graph_around, made_inside
from .evaluate import FOLDED, fold
from .features import of_half
from .graph import FLOATS, INTEGERS, Graph, Info, Node, Past, Refused
from .last import ARRANGE, arrange
from .merge import halve
from .placing import place_all
from .recurrent import recurrent
from .reshape import flatten
from .roles import Roles
from .values import Axis, Constant, Data, Failure, Half, Repeated, Shape, StateIn, StateOut, Value

Handler = Callable[[Node, Sequence[Value | None], Roles], list[Value]]

# The function, how many inputs are required, and how many there may be.
OPERATORS: Final[Mapping[str, tuple[Handler, int, int]]] = MappingProxyType(
    {
        **arithmetic.OPERATORS,
        **convolution.OPERATORS,
        **padding.OPERATORS,
        **pooling.OPERATORS,
        **layers.OPERATORS,
        **norms.OPERATORS,
        **reductions.OPERATORS,
        **resizing.OPERATORS,
        **softmaxes.OPERATORS,
        **transposed.OPERATORS,
        "Cast": (shapes.cast, 1, 1),
        "Concat": (shapes.concat, 1, 1000),
        "ConstantOfShape": (shapes.constant_of_shape, 1, 1),
        "Dropout": (shapes.dropout, 1, 3),
        "Equal": (conditions.equal, 2, 2),
        "Expand": (expanding.expand, 2, 2),
        "Flatten": (flatten, 1, 1),
        "GRU": (recurrent, 3, 6),
        "Identity": (shapes.identity, 1, 1),
        "LSTM": (recurrent, 3, 9),
        "RNN": (recurrent, 3, 6),
        "Reshape": (shapes.reshape, 2, 2),
        "Shape": (shapes.shape, 1, 1),
        "Size": (shapes.size, 1, 1),
        "Slice": (shapes.slice_, 1, 5),
        "Split": (halve, 1, 2),
        "Squeeze": (shapes.squeeze, 1, 2),
        "Tile": (expanding.tile, 2, 2),
        "Transpose": (shapes.transpose, 1, 1),
        "Unsqueeze": (shapes.unsqueeze, 1, 2),
        "Where": (conditions.where, 3, 3),
    }
)
"""What is read of data, states and shapes; of constants alone it is ``FOLDED``."""

# These make zeros, of whatever shape: that the shape could not be read is no reason to stop.
_ANY_SHAPE: Final = ("ConstantOfShape", "Expand", "Tile")
_LOOPS: Final = ("Loop", "Scan")
_LOOPS_READ: Final = (
    "a loop is read where all that it does at each step is one step of an RNN, GRU or LSTM; "
    "{runner} runs it as it is"
)
_OF_HALVES: Final = ("Add", "Mul")  # which make a Merge of both


def interpret(
    graph: Graph, wanted: Sequence[str], start: str | None = None, roles: Roles | None = None
) -> dict[str, Value]:
    """What every tensor stands for that the wanted ones need.

    ``start`` is a tensor to take as given from outside, whatever makes it. Raises ``FormatError``
    for a graph that is malformed; what is not supported is a ``Failure`` in its place.
    """
    values: dict[str, Value] = {name: source(graph, name) for name in graph.inputs}
    if start is not None:
        around = graph_around(graph, start)
        values[start] = source(around, start, graph.infos.get(start))
    roles = roles or Roles()
    roles.framed = graph.framed
    roles.streamed = any(isinstance(node, Past) for node in graph.nodes)
    if roles.streamed:
        for value in values.values():
            if isinstance(value, Data):
                place_all(value, roles)
    _interpret(graph, wanted, start, roles, values)
    for name in wanted:
        if name not in values and name in graph.constants:
            values[name] = Constant(graph.constants[name])
        elif name not in values:
            raise FormatError(f"no node makes the output {name!r}")
    return values


def _interpret(
    graph: Graph,
    wanted: Sequence[str],
    start: str | None,
    roles: Roles,
    values: dict[str, Value],
) -> None:
    """Adds to the values those of the graph's own tensors that the wanted ones need."""
    nodes = needed(graph, wanted, start)
    read = {*wanted, *(name for node in nodes for name in node.reads)}
    for node in nodes:
        inputs = [_lookup(graph, values, node, name) if name else None for name in node.inputs]
        try:
            if node.op == "If" and not node.domain:
                branch = branch_of(graph, node, inputs, {*wanted, start or ""})
                inner = set(made_inside(node))
                ends = [
                    end
                    for end, name in zip(branch.outputs, node.outputs, strict=True)
                    if name in read
                ]
                asked = [*ends, *(name for name in wanted if name in inner)]
                _interpret(branch, asked, start, roles, values)
                results = [_lookup(branch, values, node, name) for name in branch.outputs]
            else:
                results = _evaluate(node, inputs, roles)
            named = zip(results, node.outputs, strict=False)
            results = [
                _as_output(node, value, roles) if name in wanted else value for value, name in named
            ]
            _take(node, inputs, results)
            _sign(node, results)
        except (UnsupportedError, FormatError) as error:
            results = [_failure(node, inputs, error)] * len(node.outputs)
        except RnnError as error:  # of a layer's own checks
            results = [Failure(FormatError(f"{node}: {error}"))] * len(node.outputs)
        for name, result in zip(node.outputs, results, strict=False):
            if name and name != start:
                values[name] = result


def _failure(node: Node, inputs: Sequence[Value | None], error: RnnError) -> Failure:
    """The error, of the node; or the failure of an input, if it is that one's."""
    for value in inputs:
        if isinstance(value, Failure) and value.error is error:
            return value
    return Failure(error, node)


def source(graph: Graph, name: str, known: Info | None = None) -> Value:
    """A tensor that is given from outside: the data, a state or lengths, as it will be used.

    ``known`` is what there is to know of one that its graph does not describe.
    """
    info = graph.inputs.get(name) or graph.infos.get(name) or known or Info("FLOAT", None)
    if info.element not in FLOATS + INTEGERS and not _asked_for_shape(graph, name):
        return Failure(UnsupportedError(f"input {name!r}: element type {info.element}"))
    sizes = info.sizes
    if sizes is None:
        # Such an input can only be a sequence if it is the X of a recurrent node, of rank 3.
        if not any(n.op in ("RNN", "GRU", "LSTM") and n.inputs[:1] == (name,) for n in graph.nodes):
            hint = f"; shapes={{{name!r}: ...}} states it" if name in graph.inputs else ""
            what = f"input {name!r}: the file does not tell its rank{hint}"
            return Failure(UnsupportedError(what))
        sizes = (None, None, None)
    symbols = info.symbols or ("",) * len(sizes)
    axes = [
        Axis(f"axis {index}", size, symbol=symbol, sources=[name])
        for index, (size, symbol) in enumerate(zip(sizes, symbols, strict=True))
    ]
    features: tuple[Axis, ...] = ()
    if info.element in FLOATS and axes:
        axes[-1].become("features")
        features = (axes[-1],)
    return Data(name, info.element, tuple((axis,) for axis in axes), features)


def _asked_for_shape(graph: Graph, name: str) -> bool:
    """Whether nothing but the sizes of an input are used, so that its type does not matter."""
    graph.contents.budget.work(f"input {name!r}", 8 * len(graph.nodes))
    readers = [node for node in graph.nodes if name in node.reads]
    return name not in graph.outputs and all(
        node.op in ("Shape", "Size") and not node.domain for node in readers
    )


def needed(graph: Graph, wanted: Sequence[str], start: str | None) -> list[Node]:
    """The nodes that the wanted tensors depend on, in the file's order, which must be causal."""
    makers: dict[str, int] = {}
    for index, node in enumerate(graph.nodes):
        for name in node.outputs:
            if name and (name in makers or name in graph.inputs or name in graph.constants):
                raise node.malformed(f"makes the tensor {name!r}, which exists already")
            makers[name] = index
    inside = set(wanted) - set(makers) - set(graph.inputs)
    if inside:  # what a node in a branch makes is made by the If
        for index, node in enumerate(graph.nodes):
            makers.update((name, index) for name in made_inside(node) if name in inside)
    needed: set[int] = set()
    pending = [name for name in wanted if name != start]
    while pending:
        index = makers.get(pending.pop(), -1)
        if index >= 0 and index not in needed:
            needed.add(index)
            pending += [name for name in graph.nodes[index].reads if name and name != start]
    return [graph.nodes[index] for index in sorted(needed)]


def _lookup(graph: Graph, values: Mapping[str, Value], node: Node, name: str) -> Value:
    if name in values:
        return values[name]
    try:
        if name in graph.constants:
            return Constant(graph.constants[name])
    except (FormatError, UnsupportedError) as error:
        return Failure(error)
    return Failure(node.malformed(f"its input {name!r} is made by nothing before it"))


def _as_output(node: Node, value: Value, roles: Roles) -> Value:
    """The same as all may read it."""
    if isinstance(value, Half):
        return of_half(node, value)
    return padding.as_layers(node, value, roles) if isinstance(value, Data) else value


def _evaluate(node: Node, inputs: Sequence[Value | None], roles: Roles) -> list[Value]:
    if isinstance(node, Refused):
        raise node.error
    for value in inputs:
        if isinstance(value, Failure) and node.op not in _ANY_SHAPE:
            return [value] * len(node.outputs)
    entry = None if node.domain else OPERATORS.get(node.op)
    if any(isinstance(value, StateOut) for value in inputs):
        if entry and node.op in ARRANGE and not any(isinstance(value, Data) for value in inputs):
            return arrange(node, inputs, roles, _handler(node, inputs, entry))
        inputs = [
            _as_data(node, value) if isinstance(value, StateOut) else value for value in inputs
        ]
    inputs = [roles.as_placed(value) if isinstance(value, Data) else value for value in inputs]
    first = inputs[0] if inputs else None
    if isinstance(node, Past):
        return [padding.with_past(node, first, roles)]
    if isinstance(first, Repeated) and not node.domain and node.op in repeated.MOVES:
        return repeated.moved(node, inputs)
    if isinstance(first, StateIn) and not node.domain and node.op in given.MOVES:
        return given.moved(node, first, [*inputs[1:], None])
    if entry is None or node.op in ("Add", "Div", "Sub"):
        inputs = [_as_constant(value) for value in inputs]
    if entry is None and node.op in _LOOPS and not node.domain:
        raise node.unsupported(_LOOPS_READ.format(runner=node.contents.runner))
    if entry is None and (node.domain or node.op not in FOLDED):
        raise node.unsupported("this operator is not supported")
    if all(value is None or isinstance(value, Constant) for value in inputs):
        arrays = [value.array if isinstance(value, Constant) else None for value in inputs]
        folded = fold(node, arrays)
        if folded is not None:
            return [Constant(array) for array in folded]
    if entry is None and any(isinstance(value, Shape) for value in inputs):
        raise node.unsupported("calculates with a size that the file does not fix")
    if entry is None:
        raise node.unsupported("this operator is not supported, other than of constants")
    handler = _handler(node, inputs, entry)
    if node.op not in _OF_HALVES:
        inputs = [of_half(node, value) if isinstance(value, Half) else value for value in inputs]
    if node.op not in padding.READS_PADDING:
        inputs = [padding.as_layers(node, v, roles) if isinstance(v, Data) else v for v in inputs]
    for value in inputs:
        if isinstance(value, Constant):
            node.contents.budget.work(str(node), value.array.size)
    of_pairs = pairs.read(node, inputs, roles)
    return handler(node, inputs, roles) if of_pairs is None else [of_pairs]


def _take(node: Node, inputs: Sequence[Value | None], results: Sequence[Value]) -> None:
    """Takes from the file's budget what the results' lists of steps need besides the inputs'."""
    before = {id(value.steps) for value in inputs if isinstance(value, StateOut)}
    made = {id(value.steps): len(value.steps) for value in results if isinstance(value, StateOut)}
    size = 8 * sum(length for key, length in made.items() if key not in before)
    node.contents.budget.take(str(node), size)


def _sign(node: Node, results: Sequence[Value]) -> None:
    """Says of the steps that the results are of, as far as they are new, which node made them."""
    parts = [part for v in results for part in (v.parts if isinstance(v, StateOut) else (v,))]
    values = [part.data if isinstance(part, Half) else part for part in parts]
    new = [value.step for value in values if isinstance(value, Data) and value.step]
    while new:
        step = new.pop()
        if step.node is None:
            step.node = node
            new += [value.step for value in step.inputs if value.step]


def _handler(
    node: Node, inputs: Sequence[Value | None], entry: tuple[Handler, int, int]
) -> Handler:
    """The function of an operator, which has as many inputs as that asks for."""
    handler, least, most = entry
    if not least <= len(inputs) <= most or any(value is None for value in inputs[:least]):
        raise node.malformed(f"expected {least} to {most} inputs, got {len(inputs)}")
    return handler


def _as_constant(value: Value | None) -> Value | None:
    """Sizes that are known as numbers, which are calculated with as such."""
    sizes = [extent.known for extent in value.extents] if isinstance(value, Shape) else [None]
    if None in sizes or not isinstance(value, Shape):
        return value
    array = np.array(sizes, np.int64)
    return Constant(array[0] if value.scalar else array)


def _as_data(node: Node, state: StateOut) -> Data | Half:
    """A final state that a layer goes on with."""
    if len(state.parts) != 1:
        raise node.unsupported("uses the final states of a layer; only the h of one layer can be")
    return state.parts[0]
