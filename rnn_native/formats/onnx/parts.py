"""The recurrent nodes of a file, wherever they stand, and one of them taken by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from ...errors import FormatError, OptionError, RnnError, UnsupportedError
from ...spec import ModelSpec, Recurrent
from ..names import some, suggest
from .evaluate import FUNCTIONS
from .graph import File, Graph, Node, bodies_of
from .interpret import interpret
from .operators.common import DTYPES
from .quantized import OP as QUANTIZED
from .quantized import as_lstm
from .recurrent import layout_of, recurrent
from .roles import Roles
from .states import own_state
from .tensors import text
from .values import Axis, Constant, Data, Failure, Repeated, Value

RECURRENT: Final = ("RNN", "GRU", "LSTM")
CONTROL: Final = ("If", "Loop", "Scan")
_LONGEST: Final = 200  # a name within a path


@dataclass(frozen=True, eq=False)
class Place:
    """A recurrent node: its name, also with those of the bodies around it, and these bodies."""

    path: str
    name: str
    op: str
    outputs: tuple[str, ...]
    bodies: tuple[tuple[int, Any], ...]
    index: int  # among the nodes of the innermost body


def places(file: File) -> list[Place]:
    """Every recurrent node, also inside of If, Loop and Scan, in the file's order."""
    return list(_walk(file.model.graph, "", ()))


def _walk(graph: Any, path: str, bodies: tuple[tuple[int, Any], ...]) -> Iterator[Place]:
    for index, node in enumerate(graph.node):
        outputs = tuple(text(name) for name in node.output if name)
        name = text(node.name) or (outputs[0] if outputs else "")
        if not 0 < len(name) <= _LONGEST:
            name = f"{node.op_type}_{index}"
        if _is_recurrent(node):
            yield Place(path + name, name, node.op_type, outputs, bodies, index)
        for attribute, body in bodies_of(node):
            yield from _walk(body, f"{path}{name}/{attribute}/", (*bodies, (index, body)))


def _is_recurrent(node: Any) -> bool:
    own = node.op_type in RECURRENT and node.domain in ("", "ai.onnx")
    return own or (node.op_type == QUANTIZED and node.domain == "com.microsoft")


def labels(found: list[Place]) -> dict[str, Place]:
    """One name each that ``node=`` takes: its own if no other has it, else that of its first
    output, else with the nodes and attributes around it and, if need be, a number; in the file's
    order."""
    names = Counter(place.name for place in found)
    outputs = Counter(name for place in found for name in place.outputs)
    chosen: dict[str, Place] = {}
    following: dict[str, int] = {}  # no number before that one is free, behind the path
    for position, place in enumerate(found):
        candidates = [place.name] if names[place.name] == 1 else []
        candidates += [name for name in place.outputs[:1] if outputs[name] == 1]
        candidates += [place.path]
        label = next((name for name in candidates if name not in chosen), None)
        number = max(position, following.get(place.path, 0))
        while label is None:
            numbered = f"{place.path} {number}"
            label = None if numbered in chosen or numbered in names else numbered
            number += 1
            following[place.path] = number
        chosen[label] = place
    return chosen


def nodes_of(file: File) -> list[str]:
    """What ``node=`` can take out of this file."""
    return list(labels(places(file)))


def listing(file: File) -> str:
    """For a message: what ``node=`` can take out of this file."""
    found = [f"{name!r} ({place.op})" for name, place in labels(places(file)).items()]
    if not found:
        return "it has no RNN, GRU or LSTM node that node= could take"
    return f"node= can take one of its recurrent nodes: {some(found)}"


def runs_on_backend(file: File) -> bool:
    """Whether ``rnn_native.onnx_backend`` has the operators of a file and the types of its inputs:
    what else there is for a graph that is no model of ours."""
    if file.contents.extends:
        return False
    pending = [file.model.graph]
    while pending:
        for node in pending.pop().node:
            known = node.op_type in (*RECURRENT, *CONTROL, *FUNCTIONS)
            if not known or node.domain not in ("", "ai.onnx"):
                return False
            pending += [body for _, body in bodies_of(node)]
    graph = file.graph()
    return all(info.element in DTYPES for info in graph.inputs.values())


def read_node(file: File, name: str) -> ModelSpec:
    """The recurrent node of that name, its X as the model's input.

    Initial states become the model's state and sequence_lens its lengths, whatever they are in the
    graph; those that are constants, the same for all rows of a batch, are the layer's own. W, R, B
    and P have to be constants, or made of constants.
    """
    place = _find(file, name)
    graph = file.graph(place.bodies)
    inner = place.bodies[-1][1] if place.bodies else file.model.graph
    node = graph.nodes[len(graph.nodes) - len(inner.node) + place.index]
    if node.op == QUANTIZED:
        graph, node = as_lstm(graph, node)
    w, r, b, p, *rest = _weights(graph, node)
    try:
        data = recurrent(node, [_sequence(), w, r, b, None, None, None, p, *rest], Roles())[0]
        layer = _with_own_state(graph, node, data)
    except (UnsupportedError, FormatError):
        raise
    except RnnError as error:  # of the layer's own checks
        raise FormatError(f"{node}: {error}") from error
    return ModelSpec((layer,))


def _with_own_state(graph: Graph, node: Node, data: Value) -> Recurrent:
    """The layer of ``data``, with those of its initial states that the file fixes."""
    assert isinstance(data, Data)
    layer = data.draft
    assert isinstance(layer, Recurrent)
    sizes = {"h": layer.state_size, "c": layer.hidden_size}
    initial: dict[str, Any] = {}
    for state, name in zip("hc", node.inputs[5:7], strict=False):
        with suppress(RnnError):  # whatever else it is, it is given to a call
            value = interpret(graph, [name])[name] if name else None
            if isinstance(value, (Constant, Repeated)):
                both = (layer.num_directions, sizes[state])
                own = own_state(node, f"initial_{state}", value, both, layout_of(node))
                initial |= {} if own is None else {state: own}
    return replace(layer, initial_state=initial or None)


def _find(file: File, name: str) -> Place:
    found = places(file)
    by_label = labels(found)
    if name in by_label:
        return by_label[name]
    same = [p for p in found if name in (p.path, p.name, *p.outputs)]
    if len(same) == 1:
        return same[0]
    what = f"{len(same)} recurrent nodes are" if same else "no recurrent node is"
    hint = "" if same else suggest(name, by_label)
    raise OptionError(f"node={name!r}: {what} called so{hint}; {listing(file)}")


def _weights(graph: Graph, node: Node) -> list[Value | None]:
    """W, R, B and P, as far as the node has them, and a projection where there is one."""
    inputs = (*node.inputs, *[""] * 8)[: max(8, len(node.inputs))]
    names = [name for i, name in enumerate(inputs) if i in (1, 2, 3, 7, 8)]
    if not (names[0] and names[1]):
        raise node.malformed("expected inputs W and R")
    values = interpret(graph, [name for name in names if name])
    for name in names:
        value = values.get(name)
        if isinstance(value, Failure):
            raise value.error
    return [values[name] if name else None for name in names]


def _sequence() -> Data:
    """Any sequence: the numbers of its steps, rows and features are not known."""
    time, batch, features = Axis("time", None), Axis("batch", None), Axis("features", None)
    features.become("features")
    return Data("X", "FLOAT", ((time,), (batch,), (features,)), (features,))
