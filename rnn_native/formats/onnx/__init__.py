"""ONNX files: a graph of layers as exporters write it, or a part of one.

What is read: RNN, GRU and LSTM (each a Recurrent of one layer; several stay several), MatMul or
Gemm and Add (Linear) with an activation, Gather of a table (Embedding), values added, multiplied,
subtracted or side by side, and the Transpose, Squeeze, Reshape and shape arithmetic between them.
Whatever else a graph needs for its outputs is refused by the name of the node. Where each layer
reads the one before, the model is a chain, else a graph with the file's names.

The ModelSpec takes and gives [time, batch, features] whatever the order of these axes in the
file, and all directions concatenated on the features, also where the graph's output is a raw Y.
Initial states may be inputs of the graph, which become the model's state, or constants, the same
for all rows of a batch, which the layer keeps (``Recurrent.initial_state``); sizes that an exporter
fixed, of time or batch, are not kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import ArrayLike

from ...errors import FormatError, OptionError, RnnError, UnsupportedError
from ...spec import ModelSpec
from ..names import some, suggest
from .about import beside as beside
from .about import strings as strings
from .assembling import Parts, chain_of, graph_of, sources_of, steps_of
from .branches import made_inside
from .caches import without_caches
from .cells import gathered, in_pieces, unread
from .described import described, description_of
from .ends import check_inputs, check_output, in_order
from .every import arrays as arrays
from .graph import File, Graph, load
from .inferred import with_start
from .interpret import interpret
from .parts import listing, nodes_of, read_node, runs_on_backend
from .quantized import dequantised
from .quantized import described as quantisation
from .roles import Roles
from .stacks import rejoin
from .stated import check_stated, with_given, with_shapes
from .values import Data, Failure, StateOut, Value


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
    given: Mapping[str, ArrayLike] | None = None,
    shapes: Mapping[str, Sequence[int | None]] | None = None,
) -> ModelSpec:
    """Read a file; needs the ``onnx`` package.

    Parameters
    ----------
    node
        The name of one recurrent node, also inside of an If, Loop or Scan, to take by itself: its
        X is the model's input, its initial states are the model's state. A node without a name is
        called by its first output. An error about a graph that is not read lists the names.
    between
        Two tensors of the graph, the model's input and its output, float [time, batch, features] or
        in another order of time and batch. None in the place of either is where the graph itself
        begins or ends, with all of its inputs or outputs.
    given
        Values of inputs of the graph, which are no inputs of the model then but constants, and
        choose the branch of an If: ``{"sr": 16000}``.
    shapes
        Sizes of inputs that the file leaves open, with None where they stay open:
        ``{"input": (None, 576)}``.

    Raises
    ------
    UnsupportedError
        Without the onnx package; for what is no such graph, naming the node, and the attribute and
        its value.
    FormatError
        For what is no valid model.
    OptionError
        ``node`` is no recurrent node of the graph; ``between`` are no tensors of it, or the second
        needs more than the first; ``given`` or ``shapes`` have a name that is no input, or what is
        no value or shape of it.
    """
    return read_all(path, node=node, between=between, given=given, shapes=shapes)[0]


def read_all(
    path: str | os.PathLike[str],
    *,
    node: str | None = None,
    between: Sequence[str | None] | None = None,
    given: Mapping[str, ArrayLike] | None = None,
    shapes: Mapping[str, Sequence[int | None]] | None = None,
) -> tuple[ModelSpec, Mapping[str, str]]:
    """The model, and the file's ``metadata_props``, with what its weights were quantised to."""
    quantised: dict[str, str] = {}

    def opened() -> File:
        file = load(path)
        quantised.update(quantisation(file.model))
        return file

    spec, properties = read_graph(opened, node=node, between=between, given=given, shapes=shapes)
    return spec, quantised | dict(properties)


def choices(path: str | os.PathLike[str]) -> list[dict[str, str]]:
    """The recurrent nodes, as ``node=`` takes them."""
    return [{"node": name} for name in nodes_of(load(path))]


def read_graph(
    opened: Callable[[], File],
    *,
    node: str | None = None,
    between: Sequence[str | None] | None = None,
    given: Mapping[str, ArrayLike] | None = None,
    shapes: Mapping[str, Sequence[int | None]] | None = None,
) -> tuple[ModelSpec, Mapping[str, str]]:
    """The model, and the file's properties, of what ``opened`` gives once the options are seen to
    be some."""
    start, end = _ends(node, between)
    stated = {"given": given, "shapes": shapes}
    for option, value in stated.items():
        if value is not None:
            check_stated(option, value)
            if node is not None:
                raise OptionError(f"{option}: not beside node={node!r}, which needs no inputs")
    file = opened()
    with np.errstate(all="ignore"):  # a file's numbers may be any
        if node is not None:
            return read_node(file, node), file.properties
        whole = between is None
        return _read(file, whole, start, end, given or {}, shapes or {}), file.properties


def _read(
    file: File,
    whole: bool,
    start: str | None,
    end: str | None,
    given: Mapping[str, ArrayLike],
    shapes: Mapping[str, Sequence[int | None]],
) -> ModelSpec:
    graph = dequantised(with_shapes(with_given(file.graph(), given), shapes))
    own = start is None and end is None and not given
    if not whole:
        return _read_graph(file, graph, start, end, own)
    try:
        return _read_graph(file, graph, None, None, own)
    except UnsupportedError as error:
        ways = listing(file)
        if runs_on_backend(file):
            ways += "; rnn_native.onnx_backend has all of its operators and can run it as it is"
        raise UnsupportedError(f"{error}; {ways}") from error


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


def _read_graph(
    file: File, graph: Graph, start: str | None, end: str | None, own: bool
) -> ModelSpec:
    """``own`` says that the file's own description of the model, if it has one, counts."""
    known = _tensor_names(graph)
    for name in (start, end):
        if name is not None and name not in known:
            raise OptionError(f"between: the graph has no tensor {name!r}{suggest(name, known)}")
    wanted = graph.outputs if end is None else (end,)
    if start is not None:
        graph = with_start(file, graph, start)
    cells = gathered(file, graph, start, end)
    try:
        return _read_uncached(file, cells, known, end, start, own)
    except (FormatError, UnsupportedError) as error:
        failure: RnnError = error
    if cells is not graph:  # which may have been no cells after all
        try:
            return _read_uncached(file, graph, known, end, start, own)
        except RnnError as error:
            failure = failure if isinstance(failure, UnsupportedError) else error
    if isinstance(failure, UnsupportedError):
        cause = unread(cells, wanted, start)
        behind = "" if cause else in_pieces(cells, wanted, start)
        raise UnsupportedError(f"{cause}{failure}{behind}") from failure
    raise failure


def _read_uncached(
    file: File,
    graph: Graph,
    tensors: Collection[str],
    end: str | None,
    start: str | None,
    own: bool,
) -> ModelSpec:
    """The model that a graph is without its caches of past frames; and where it has none and is not
    read, without the states that it gives back."""

    def read(graph: Graph) -> ModelSpec:
        wanted = graph.outputs if end is None else (end,)
        return _read_guessing(file, graph, tensors, wanted, start, own)

    made = graph if start is not None else without_caches(graph)
    try:
        return read(made)
    except UnsupportedError as error:
        failure = error
    if made is not graph:  # as a network whose past is given from outside
        with suppress(UnsupportedError):
            return read(graph)
    elif start is None:
        with suppress(UnsupportedError):
            made = without_caches(graph, states_alone=True)
        if made is not graph:
            return read(made)
    raise failure


def _read_guessing(
    file: File,
    graph: Graph,
    tensors: Collection[str],
    wanted: Sequence[str],
    start: str | None,
    own: bool,
) -> ModelSpec:
    """The model that a graph is, by the first guess of what its axes are that reads it; ``tensors``
    are those that the file has."""
    errors: list[UnsupportedError] = []
    while True:
        roles = Roles(guess=len(errors))
        try:
            return _read_as(file, graph, tensors, wanted, start, own, roles)
        except UnsupportedError as error:
            errors.append(error)
            if len(errors) >= roles.guesses:
                raise errors[0] from None


def _read_as(
    file: File,
    graph: Graph,
    tensors: Collection[str],
    wanted: Sequence[str],
    start: str | None,
    own: bool,
    roles: Roles,
) -> ModelSpec:
    values = interpret(graph, wanted, start, roles)
    description = description_of(file.properties) if own else None
    last = description.outputs if description else ()
    outputs, states = _outputs(wanted, values, last, tensors)
    outputs = {name: in_order(output) for name, output in outputs.items()}
    parts = Parts(outputs.values())
    if start is not None and set(parts.sources) != {start}:
        other = next((name for name in parts.sources if name != start), None)
        raise OptionError(
            f"between: the tensor {start!r} does not lead to the output {', '.join(wanted)}"
            if start not in parts.sources
            else f"between: besides {start!r} the output {', '.join(wanted)} needs {other!r}"
        )
    _check_states(states, roles, parts, outputs)
    sources = [value for value in map(values.get, parts.sources) if isinstance(value, Data)]
    check_inputs([roles.as_placed(source) for source in sources])
    for output in outputs.values():
        check_output(output)
    try:
        whole = described(description, parts, outputs) if description else None
        if whole is not None:
            return whole
        parts.compose(outputs.values())
        layers = chain_of(parts, outputs)
        if layers is not None:
            return ModelSpec(rejoin(layers, file.properties))
        return graph_of(parts, outputs, [start] if start else graph.inputs)
    except RnnError as error:  # of a valid graph that is no model of ours
        raise UnsupportedError(str(error)) from error


def _outputs(
    wanted: Sequence[str],
    values: Mapping[str, Value],
    last: Collection[str],
    tensors: Collection[str],
) -> tuple[dict[str, Data], dict[str, StateOut]]:
    """The values that are outputs of the model, as those called ``last`` are where they are an h,
    and those that hold final states."""
    found: dict[str, Data] = {}
    states: dict[str, StateOut] = {}
    for name in wanted:
        value = values[name]
        if isinstance(value, Failure):
            raise _hinted(value, values, tensors)
        if name in last and isinstance(value, StateOut) and len(value.parts) == 1:
            (value,) = value.parts
        if isinstance(value, Data) and value.step:
            found[name] = value
        elif isinstance(value, StateOut):
            states[name] = value
        else:
            raise UnsupportedError(f"the output {name!r} is not made by a layer")
    ends = _with_last_states(found, states)
    if not ends:
        raise UnsupportedError("expected an output that is a sequence, or an h: found other states")
    return {name: ends[name] for name in wanted if name in ends}, states


def _hinted(failure: Failure, values: Mapping[str, Value], tensors: Collection[str]) -> RnnError:
    """The error, with what of the graph before the node can be read, of the file's own tensors."""
    if failure.node is None or not isinstance(failure.error, UnsupportedError):
        return failure.error
    for name in failure.node.inputs:
        value = values.get(name)
        if isinstance(value, Data) and value.step and not value.padding and name in tensors:
            sources = list(sources_of([value]))
            ends = (sources[0] if len(sources) == 1 else None, name)
            return UnsupportedError(
                f"{failure.error}; between={ends!r} reads the graph up to there"
            )
    return failure.error


def _with_last_states(
    outputs: Mapping[str, Data], states: Mapping[str, StateOut]
) -> dict[str, Data]:
    """The outputs and those h whose layers they do not need: of the last layer of all, and the
    first of its kind, where one stands for the output and another for the state."""
    ends = {
        name: part
        for name, state in states.items()
        for part in state.parts
        if len(state.parts) == 1 and isinstance(part, Data)
    }
    found = dict(outputs)
    reached = steps_of(found.values())
    for name in sorted(ends, key=lambda name: -ends[name].depth):
        if ends[name].step not in reached:
            found[name] = ends[name]
            steps_of([ends[name]], reached)
    return found


def _check_states(
    states: Mapping[str, StateOut], roles: Roles, parts: Parts, outputs: Mapping[str, Data]
) -> None:
    """States are of layers that the model has, and no input of it besides."""
    for name, state in states.items():
        if any(step not in parts.reached for step in state.steps):
            raise UnsupportedError(
                f"the output {name!r} is a state that {some([*map(repr, outputs)])} does not need"
            )
    for name, claims in roles.states.items():
        if name in parts.sources:
            raise UnsupportedError(f"{claims[0][1]}: the input {name!r} is the data as well")


def _tensor_names(graph: Graph) -> dict[str, None]:
    made = [name for node in graph.nodes for name in (*node.outputs, *made_inside(node)) if name]
    return dict.fromkeys([*graph.inputs, *made])
