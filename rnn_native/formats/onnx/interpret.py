"""What the tensors of a graph stand for, found node by node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np

from ...errors import FormatError, RnnError, UnsupportedError
from . import arithmetic, convolution, given, layers, repeated, shapes
from .evaluate import FUNCTIONS, fold
from .features import of_half
from .graph import FLOATS, INTEGERS, Graph, Info, Node
from .last import ARRANGE, arrange
from .merge import halve
from .recurrent import recurrent
from .values import (
    Axis,
    Constant,
    Data,
    Failure,
    Half,
    Repeated,
    Roles,
    Shape,
    StateIn,
    StateOut,
    Value,
)

Handler = Callable[[Node, Sequence[Value | None], Roles], list[Value]]

# The function, how many inputs are required, and how many there may be.
OPERATORS: Final[Mapping[str, tuple[Handler, int, int]]] = MappingProxyType(
    {
        **arithmetic.OPERATORS,
        **convolution.OPERATORS,
        **layers.OPERATORS,
        "Cast": (shapes.cast, 1, 1),
        "Concat": (shapes.concat, 1, 1000),
        "ConstantOfShape": (shapes.constant_of_shape, 1, 1),
        "Dropout": (shapes.dropout, 1, 3),
        "Expand": (shapes.expand, 2, 2),
        "GRU": (recurrent, 3, 6),
        "Identity": (shapes.identity, 1, 1),
        "LSTM": (recurrent, 3, 8),
        "RNN": (recurrent, 3, 6),
        "Reshape": (shapes.reshape, 2, 2),
        "Shape": (shapes.shape, 1, 1),
        "Slice": (shapes.slice_, 1, 5),
        "Split": (halve, 1, 2),
        "Squeeze": (shapes.squeeze, 1, 2),
        "Tile": (shapes.tile, 2, 2),
        "Transpose": (shapes.transpose, 1, 1),
        "Unsqueeze": (shapes.unsqueeze, 1, 2),
    }
)
"""What is read of data, states and shapes; of constants alone it is ``FUNCTIONS``."""

# These make zeros, of whatever shape: that the shape could not be read is no reason to stop.
_ANY_SHAPE: Final = ("ConstantOfShape", "Expand", "Tile")
_LOOPS: Final = ("Loop", "Scan")
_LOOPS_READ: Final = (
    "a loop is read where all that it does at each step is one step of an RNN, GRU or LSTM; "
    "rnn_native.onnx_backend runs it as it is"
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
        values[start] = source(graph, start)
    roles = roles or Roles()
    for node in needed(graph, wanted, start):
        inputs = [_lookup(graph, values, node, name) if name else None for name in node.inputs]
        try:
            results = _evaluate(node, inputs, roles)
            pairs = zip(results, node.outputs, strict=False)
            results = [
                of_half(node, value) if isinstance(value, Half) and name in wanted else value
                for value, name in pairs
            ]
            _take(node, inputs, results)
            _sign(node, results)
        except (UnsupportedError, FormatError) as error:
            results = [Failure(error, node)] * len(node.outputs)
        except RnnError as error:  # of a layer's own checks
            results = [Failure(FormatError(f"{node}: {error}"))] * len(node.outputs)
        for name, result in zip(node.outputs, results, strict=False):
            if name and name != start:
                values[name] = result
    for name in wanted:
        if name not in values and name in graph.constants:
            values[name] = Constant(graph.constants[name])
        elif name not in values:
            raise FormatError(f"no node makes the output {name!r}")
    return values


def source(graph: Graph, name: str) -> Value:
    """A tensor that is given from outside: the data, a state or lengths, as it will be used."""
    info = graph.inputs.get(name) or graph.infos.get(name) or Info("FLOAT", None)
    if info.element not in FLOATS + INTEGERS:
        return Failure(UnsupportedError(f"input {name!r}: element type {info.element}"))
    sizes = info.sizes
    if sizes is None:
        # Such an input can only be a sequence if it is the X of a recurrent node, of rank 3.
        if not any(n.op in ("RNN", "GRU", "LSTM") and n.inputs[:1] == (name,) for n in graph.nodes):
            return Failure(UnsupportedError(f"input {name!r}: the file does not tell its rank"))
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


def needed(graph: Graph, wanted: Sequence[str], start: str | None) -> list[Node]:
    """The nodes that the wanted tensors depend on, in the file's order, which must be causal."""
    makers: dict[str, int] = {}
    for index, node in enumerate(graph.nodes):
        for name in node.outputs:
            if name and (name in makers or name in graph.inputs or name in graph.constants):
                raise node.malformed(f"makes the tensor {name!r}, which exists already")
            makers[name] = index
    needed: set[int] = set()
    pending = [name for name in wanted if name != start]
    while pending:
        index = makers.get(pending.pop(), -1)
        if index >= 0 and index not in needed:
            needed.add(index)
            pending += [name for name in graph.nodes[index].inputs if name and name != start]
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


def _evaluate(node: Node, inputs: Sequence[Value | None], roles: Roles) -> list[Value]:
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
    first = inputs[0] if inputs else None
    if isinstance(first, Repeated) and not node.domain and node.op in repeated.MOVES:
        return repeated.moved(node, inputs)
    if isinstance(first, StateIn) and not node.domain and node.op in given.MOVES:
        return given.moved(node, first, [*inputs[1:], None])
    if node.op in ("Add", "Div", "Sub"):
        inputs = [_as_constant(value) for value in inputs]
    if entry is None and node.op in _LOOPS and not node.domain:
        raise node.unsupported(_LOOPS_READ)
    if entry is None and (node.domain or node.op not in FUNCTIONS):
        raise node.unsupported("this operator is not supported")
    if all(value is None or isinstance(value, Constant) for value in inputs):
        arrays = [value.array if isinstance(value, Constant) else None for value in inputs]
        folded = fold(node, arrays)
        if folded is not None:
            return [Constant(array) for array in folded]
    if entry is None:
        raise node.unsupported("this operator is only supported of constants")
    handler = _handler(node, inputs, entry)
    if node.op not in _OF_HALVES:
        inputs = [of_half(node, value) if isinstance(value, Half) else value for value in inputs]
    for value in inputs:
        if isinstance(value, Data) and value.padding and node.op not in convolution.READS_PADDING:
            raise node.unsupported("reads what is padded; only a convolution or a pooling can")
        if isinstance(value, Constant):
            node.contents.budget.work(str(node), value.array.size)
    return handler(node, inputs, roles)


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
