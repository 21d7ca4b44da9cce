"""ONNX files: a graph that is a chain of layers, as exporters write it.

What is read: RNN, GRU and LSTM (each a Recurrent of one layer; several stay several), MatMul or
Gemm and Add (Linear) with an activation, Gather of a table (Embedding), and the Transpose,
Squeeze, Reshape and shape arithmetic between them. Whatever else a graph needs for its output is
refused by the name of the node.

The ModelSpec takes and gives [time, batch, features] whatever the order of these axes in the
file, and all directions concatenated on the features, also where the graph's output is a raw Y.
Initial states may be zeros or inputs of the graph, which become the model's state; sizes that
an exporter fixed, of time or batch, are not kept.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from ..errors import FormatError, OptionError, RnnError, UnsupportedError
from ..spec import ModelSpec
from . import onnx_layers as layers
from . import onnx_shapes as shapes
from .onnx_about import strings as strings
from .onnx_constants import constant, fold
from .onnx_graph import FLOATS, INTEGERS, Graph, Info, Node, load
from .onnx_recurrent import recurrent
from .onnx_values import (
    Axis,
    Constant,
    Data,
    Failure,
    LinearDraft,
    Roles,
    StateOut,
    Value,
    live,
    show,
)

Handler = Callable[[Node, Sequence[Value | None], Roles], list[Value]]

# The function, how many inputs are required, and how many there may be.
OPERATORS: Final[Mapping[str, tuple[Handler, int, int]]] = MappingProxyType(
    {
        **dict.fromkeys(layers.ACTIVATIONS, (layers.activation, 1, 1)),
        "Add": (layers.add, 2, 2),
        "Cast": (shapes.cast, 1, 1),
        "Concat": (shapes.concat, 1, 1000),
        "ConstantOfShape": (shapes.constant_of_shape, 1, 1),
        "Dropout": (shapes.dropout, 1, 3),
        "Expand": (shapes.expand, 2, 2),
        "GRU": (recurrent, 3, 6),
        "Gather": (layers.gather, 2, 2),
        "Gemm": (layers.gemm, 2, 3),
        "Identity": (shapes.identity, 1, 1),
        "LSTM": (recurrent, 3, 8),
        "MatMul": (layers.matmul, 2, 2),
        "Mul": (shapes.multiply, 2, 2),
        "RNN": (recurrent, 3, 6),
        "Reshape": (shapes.reshape, 2, 2),
        "Shape": (shapes.shape, 1, 1),
        "Slice": (shapes.slice_, 1, 5),
        "Squeeze": (shapes.squeeze, 1, 2),
        "Tile": (shapes.tile, 2, 2),
        "Transpose": (shapes.transpose, 1, 1),
        "Unsqueeze": (shapes.unsqueeze, 1, 2),
    }
)
# These make zeros, of whatever shape: that the shape could not be read is no reason to stop.
_ANY_SHAPE: Final = ("ConstantOfShape", "Expand", "Tile")
# How exporters arrange final states for the outputs of a graph, which is of no concern here.
_ARRANGE: Final = (
    "Cast", "Concat", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze",
)  # fmt: skip


def read(
    path: str | os.PathLike[str], *, input: str | None = None, output: str | None = None
) -> ModelSpec:
    """Read a file; needs the ``onnx`` package.

    Parameters
    ----------
    input
        A tensor of the graph to take as the model's input, float [time, batch, features] or
        in another order of time and batch; by default the input of the graph that the chain
        starts from.
    output
        A tensor of the graph to take as the model's output. By default all outputs of the graph
        are read: one that the chain ends in, and any number of final states.

    Raises
    ------
    UnsupportedError
        Without the onnx package; for a graph that is no such chain, naming the node, and the
        attribute and its value.
    FormatError
        For what is no valid model.
    OptionError
        ``input`` or ``output`` is no tensor of the graph, or not on one chain.
    """
    graph = load(path)
    known = _tensor_names(graph)
    for option, name in (("input", input), ("output", output)):
        if name is not None and name not in known:
            near = difflib.get_close_matches(name, known, n=3)
            hint = f"; there is {', '.join(map(repr, near))}" if near else ""
            raise OptionError(f"{option}={name!r}: the graph has no such tensor{hint}")
    wanted = graph.outputs if output is None else (output,)
    values = _interpret(graph, wanted, input)
    data = _the_data(wanted, values)
    if input is not None and data.source != input:
        raise OptionError(f"input={input!r} does not lead to the output {', '.join(wanted)}")
    start = values[data.source]
    assert isinstance(start, Data)
    _check_ends(start, data)
    try:
        return ModelSpec(
            tuple(d.finish() if isinstance(d, LinearDraft) else d for d in data.layers)
        )
    except RnnError as error:
        raise FormatError(str(error)) from error


def _interpret(graph: Graph, wanted: Sequence[str], start: str | None) -> dict[str, Value]:
    """What every tensor stands for that the wanted ones need."""
    values: dict[str, Value] = {name: _source(graph, name) for name in graph.inputs}
    if start is not None:
        values[start] = _source(graph, start)
    roles = Roles()
    for node in _needed(graph, wanted, start):
        inputs = [_lookup(graph, values, node, name) if name else None for name in node.inputs]
        try:
            results = _evaluate(node, inputs, roles)
        except (UnsupportedError, FormatError) as error:
            results = [Failure(error)] * len(node.outputs)
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


def _needed(graph: Graph, wanted: Sequence[str], start: str | None) -> list[Node]:
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
    except FormatError as error:
        return Failure(error)
    return Failure(node.malformed(f"its input {name!r} is made by nothing before it"))


def _evaluate(node: Node, inputs: Sequence[Value | None], roles: Roles) -> list[Value]:
    for value in inputs:
        if isinstance(value, Failure) and node.op not in _ANY_SHAPE:
            return [value] * len(node.outputs)
    states = [value for value in inputs if isinstance(value, StateOut)]
    if states:
        if node.op not in _ARRANGE or any(isinstance(value, Data) for value in inputs):
            raise node.unsupported("uses the final states of a layer; only sequences can be")
        return [StateOut(tuple(layer for state in states for layer in state.layers))]
    if node.op == "Constant" and not node.domain:
        return [Constant(constant(node))]
    entry = None if node.domain else OPERATORS.get(node.op)
    if entry is None:
        first = inputs[0] if inputs else None
        hint = ""
        if isinstance(first, Data) and first.layers:
            hint = f"; output={node.inputs[0]!r} reads the graph up to there"
        raise node.unsupported(f"this operator is not supported{hint}")
    handler, least, most = entry
    if not least <= len(inputs) <= most or None in inputs[:least]:
        raise node.malformed(f"expected {least} to {most} inputs, got {len(inputs)}")
    if all(value is None or isinstance(value, Constant) for value in inputs):
        arrays = [value.array if isinstance(value, Constant) else None for value in inputs]
        folded = fold(node, arrays)
        if folded is not None:
            return [Constant(folded)]
    return handler(node, inputs, roles)


def _source(graph: Graph, name: str) -> Value:
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
        Axis(f"axis {index}", size, symbol=symbol)
        for index, (size, symbol) in enumerate(zip(sizes, symbols, strict=True))
    ]
    features: tuple[Axis, ...] = ()
    if info.element in FLOATS and axes:
        axes[-1].name, axes[-1].role = "features", "features"
        features = (axes[-1],)
    return Data(name, info.element, tuple((axis,) for axis in axes), features)


def _the_data(wanted: Sequence[str], values: Mapping[str, Value]) -> Data:
    """The one output that the chain ends in; the others must be final states."""
    found: dict[str, Data] = {}
    states: dict[str, StateOut] = {}
    for name in wanted:
        value = values[name]
        if isinstance(value, Failure):
            raise value.error
        if isinstance(value, Data) and value.layers:
            found[name] = value
        elif isinstance(value, StateOut):
            states[name] = value
        else:
            raise UnsupportedError(f"the output {name!r} is not made by a layer")
    if len(found) != 1:
        raise UnsupportedError(
            f"expected one output that is a sequence, found {', '.join(map(repr, found)) or 'none'}"
            + ("; choose one with output=" if found else ": only final states")
        )
    ((end, data),) = found.items()
    for name, state in states.items():
        if any(layer not in data.layers for layer in state.layers):
            raise UnsupportedError(f"the output {name!r} is a state that {end!r} does not need")
    return data


def _check_ends(start: Data, end: Data) -> None:
    """Both ends have a time, a batch and the features, and nothing mixes these."""
    others = [axis for axis in live([a for dim in start.dims for a in dim]) if not _feature(axis)]
    if len(others) > 2:
        raise UnsupportedError(
            f"input {start.source!r} {show(start.dims)}: expected time, batch and features"
        )
    axes = live([axis for dim in end.dims for axis in dim])
    features = live(end.features)
    if features and axes[-1] is not features[-1]:
        raise UnsupportedError(
            f"the output is {show(end.dims)}: expected the features {show([end.features])} last"
        )


def _feature(axis: Axis) -> bool:
    return axis.role == "features"


def _tensor_names(graph: Graph) -> list[str]:
    made = [name for node in graph.nodes for name in node.outputs if name]
    return [*graph.inputs, *made]
