"""ONNX files: a graph that is a chain of layers, as exporters write it, or a part of one.

What is read: RNN, GRU and LSTM (each a Recurrent of one layer; several stay several), MatMul or
Gemm and Add (Linear) with an activation, Gather of a table (Embedding), and the Transpose,
Squeeze, Reshape and shape arithmetic between them. Whatever else a graph needs for its output is
refused by the name of the node.

The ModelSpec takes and gives [time, batch, features] whatever the order of these axes in the
file, and all directions concatenated on the features, also where the graph's output is a raw Y.
Initial states may be inputs of the graph, which become the model's state, or constants, the same
for all rows of a batch, which the layer keeps (``Recurrent.initial_state``); sizes that an exporter
fixed, of time or batch, are not kept.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np

from ...errors import FormatError, OptionError, RnnError, UnsupportedError
from ...spec import ModelSpec
from ..names import some, suggest
from .about import beside as beside
from .about import strings as strings
from .drafts import finish
from .graph import File, Graph, load
from .interpret import interpret
from .parts import listing, read_node
from .stacks import rejoin
from .values import Axis, Data, Failure, StateOut, Value, live, show


def write(
    spec: ModelSpec, path: str | os.PathLike[str], strings: Mapping[str, str] | None = None
) -> None:
    """Write a file of the standard operators; see ``writing``."""
    from .writing import write

    write(spec, path, strings)


def read(
    path: str | os.PathLike[str],
    *,
    node: str | None = None,
    between: Sequence[str | None] | None = None,
) -> ModelSpec:
    """Read a file; needs the ``onnx`` package.

    Parameters
    ----------
    node
        The name of one recurrent node, also inside of an If, Loop or Scan, to take by itself: its
        X is the model's input, its initial states are the model's state. A node without a name is
        called by its first output. An error about a graph that is no chain lists the names.
    between
        Two tensors of the graph, the model's input and its output, float [time, batch, features] or
        in another order of time and batch. None in the place of either is where the graph itself
        begins or ends: the input that the chain starts from; all outputs, of which one is a
        sequence and any number are final states.

    Raises
    ------
    UnsupportedError
        Without the onnx package; for a graph that is no such chain, naming the node, and the
        attribute and its value.
    FormatError
        For what is no valid model.
    OptionError
        ``node`` is no recurrent node of the graph; ``between`` are no tensors of it, or not on one
        chain.
    """
    return read_all(path, node=node, between=between)[0]


def read_all(
    path: str | os.PathLike[str],
    *,
    node: str | None = None,
    between: Sequence[str | None] | None = None,
) -> tuple[ModelSpec, Mapping[str, str]]:
    """The model, and the file's ``metadata_props``."""
    start, end = _ends(node, between)
    file = load(path)
    with np.errstate(all="ignore"):  # a file's numbers may be any
        return _read(file, node, between is not None, start, end), file.properties


def _read(
    file: File, node: str | None, part: bool, start: str | None, end: str | None
) -> ModelSpec:
    if node is not None:
        return read_node(file, node)
    if part:
        return _read_chain(file, start, end)
    try:
        return _read_chain(file, None, None)
    except UnsupportedError as error:
        raise UnsupportedError(f"{error}; {listing(file)}") from error


def _ends(node: str | None, between: Sequence[str | None] | None) -> tuple[str | None, str | None]:
    if node is not None and not isinstance(node, str):
        raise OptionError(f"node: expected the name of a node, got {node!r}")
    if between is None:
        return None, None
    if node is not None:
        raise OptionError(f"between={between!r}: not beside node={node!r}, which needs no ends")
    ends = () if isinstance(between, str) else tuple(between)
    if len(ends) != 2 or not all(end is None or isinstance(end, str) for end in ends):
        raise OptionError(f"between: expected the names of two tensors, got {between!r}")
    return ends


def _read_chain(file: File, start: str | None, end: str | None) -> ModelSpec:
    graph = file.graph()
    known = _tensor_names(graph)
    for name in (start, end):
        if name is not None and name not in known:
            raise OptionError(f"between: the graph has no tensor {name!r}{suggest(name, known)}")
    wanted = graph.outputs if end is None else (end,)
    values = interpret(graph, wanted, start)
    data = _the_data(wanted, values)
    if start is not None and data.source != start:
        raise OptionError(
            f"between: the tensor {start!r} does not lead to the output {', '.join(wanted)}"
        )
    first = values[data.source]
    assert isinstance(first, Data)
    _check_ends(first, data)
    try:
        layers = [finish(draft) for draft in data.layers]
        return ModelSpec(rejoin(layers, file.properties))
    except RnnError as error:
        raise FormatError(str(error)) from error


def _the_data(wanted: Sequence[str], values: Mapping[str, Value]) -> Data:
    """The one output that the chain ends in, a sequence or a last state; the others must be final
    states."""
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
    if not found:
        found = _last_state(states)
    if len(found) != 1:
        raise UnsupportedError(
            f"expected one output that is a sequence, found {some([*map(repr, found)])}"
            + ("; choose one with between=" if found else ": only final states")
        )
    ((end, data),) = found.items()
    in_chain = set(map(id, data.recurrents))
    for name, state in states.items():
        if any(id(layer) not in in_chain for layer in state.layers):
            raise UnsupportedError(f"the output {name!r} is a state that {end!r} does not need")
    return data


def _last_state(states: Mapping[str, StateOut]) -> dict[str, Data]:
    """The one that the chain ends in: of the last layer of all, and the first of its kind, where
    one stands for the output and another for the state."""
    found = [
        (name, part)
        for name, state in states.items()
        for part in state.parts
        if len(state.parts) == 1 and isinstance(part, Data)
    ]
    return dict([max(found, key=lambda item: len(item[1].layers))] if found else [])


def _check_ends(start: Data, end: Data) -> None:
    """Both ends have a time, a batch and the features, and nothing mixes these."""
    others = [axis for axis in live([a for dim in start.dims for a in dim]) if not _feature(axis)]
    if len(others) > 2:
        raise UnsupportedError(
            f"input {start.source!r} {show(start.dims)}: expected time, batch and features"
        )
    axes = [axis for dim in end.dims for axis in dim]
    features = live(end.features)
    if features and axes[-1] is not end.features[-1] and live(axes)[-1] is not features[-1]:
        raise UnsupportedError(
            f"the output is {show(end.dims)}: expected the features {show([end.features])} last"
        )


def _feature(axis: Axis) -> bool:
    return axis.role == "features"


def _tensor_names(graph: Graph) -> dict[str, None]:
    made = [name for node in graph.nodes for name in node.outputs if name]
    return dict.fromkeys([*graph.inputs, *made])
